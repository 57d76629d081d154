"""Limits of proofs: the last valid second, one key too many, contradicting parts."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from service.intake.delivery.inbound import make_inbound
from service.intake.verify.message_signatures import _inputs, signature_base
from service.intake.verify.public_key import RSA, right_kind
from service.intake.verify.signed_parts import _compact, _decoded, decode
from service.intake.verify.verifier import Refused, Verified, secret_of
from tests.intake.app import define, post, verify
from tests.intake.signers import SECRET, rsa_key
from tests.intake.test_definition import MY_CRM, problems_of
from tests.intake.test_verify_kinds import (
    BODY,
    EC_KEY,
    ED_KEY,
    MESSAGE,
    NOW,
    Published,
    b64,
    bearer,
    code,
    jwk,
    jwt,
    mac,
    message,
    token,
    url64,
    with_keys,
)  # fmt: skip

SECOND = timedelta(seconds=1)


def okp(kid: str) -> dict[str, Any]:
    raw = ED_KEY.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": url64(raw)}


# -- published keys


def test_published_keys_of_each_kind_are_read() -> None:
    definition = with_keys(Published(jwk("r", rsa_key()), jwk("e", EC_KEY), okp("o")), "RS256", "ES256", "EdDSA")
    for algorithm, kid in (("RS256", "r"), ("ES256", "e"), ("EdDSA", "o")):
        assert isinstance(verify(definition, bearer(token(algorithm, head={"kid": kid})), NOW), Verified)


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("ES256", {**jwk("k", EC_KEY), "crv": "P-384"}),
        ("ES256", {**jwk("k", EC_KEY), "kty": "OKP"}),
        ("EdDSA", {**okp("k"), "crv": "X25519"}),
        ("EdDSA", {**okp("k"), "kty": "EC"}),
        ("EdDSA", {**okp("k"), "x": "!"}),
    ],
)
def test_a_published_key_that_contradicts_itself_signs_nothing(algorithm: str, key: dict[str, Any]) -> None:
    definition = with_keys(Published(key), "ES256", "EdDSA")
    assert code(verify(definition, bearer(token(algorithm, head={"kid": "k"})), NOW)) == "signature_wrong"


def test_keys_we_know_are_asked_for_again_after_an_hour_and_not_before() -> None:
    published = Published(jwk("k", rsa_key()))
    definition = with_keys(published)
    good = bearer(token(head={"kid": "k"}, exp=(NOW + timedelta(hours=3)).timestamp()))
    assert isinstance(verify(definition, good, NOW), Verified)
    for after, asked in ((timedelta(minutes=2), 1), (timedelta(hours=1), 1), (timedelta(hours=1) + SECOND, 2)):
        assert isinstance(verify(definition, good, NOW + after), Verified)
        assert published.asked == asked


def test_after_a_whole_minute_a_key_we_do_not_know_is_asked_for_again() -> None:
    published = Published()
    definition = with_keys(published)
    unknown = bearer(token(head={"kid": "k"}, exp=(NOW + timedelta(hours=1)).timestamp()))
    for after, asked in ((0, 1), (59, 1), (60, 2)):
        verify(definition, unknown, NOW + after * SECOND)
        assert published.asked == asked


def test_of_more_than_fifty_published_keys_the_first_fifty_are_known() -> None:
    definition = with_keys(Published(*(jwk(f"k{n}", rsa_key()) for n in range(51))))
    assert isinstance(verify(definition, bearer(token(head={"kid": "k49"})), NOW), Verified)
    assert code(verify(definition, bearer(token(head={"kid": "k50"})), NOW)) == "token_key_unknown"


# -- groups


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ({"all_of": [{"kind": "twilio"}], "kind": "hmac"}, "sources.crm.verify"),
        ({"all_of": {"kind": "twilio"}}, "sources.crm.verify"),
        ({"any_of": [{"kind": "nope"}]}, "sources.crm.verify[0].kind"),
        ({"all_of": [{"kind": "nope"}]}, "sources.crm.verify.all_of[0].kind"),
        ({"all_of": [{"kind": "body_equals", "expression": "b.a", "equals": "1"}]}, "sources.crm.verify"),
        ({"kind": "static", "header": "a", "keys": ["whsk_private"]}, "sources.crm.verify.keys[0]"),
    ],
)
def test_a_mistake_in_a_verifier_is_reported_with_its_path(table: dict[str, Any], path: str) -> None:
    assert set(problems_of({**MY_CRM, "verify": table})) == {path}


def test_the_key_that_was_needed_is_named_whatever_stands_beside_it() -> None:
    tenant = {"kind": "body_equals", "expression": "b.org", "equals": "1"}
    token_ = {"kind": "static", "header": "authorization", "scheme": "Bearer "}
    definition = define("token", "another", SECRET, verify={"all_of": [tenant, token_]})
    inbound = post({"org": "1"}, {"authorization": f"Bearer {SECRET}"})
    assert verify(definition, inbound, NOW) == Verified(1, "all_of")


@pytest.mark.parametrize(
    ("header", "key", "good"),
    [
        ("x-plain", "a-plain-key-of-some-length", True),
        ("x-ours", "k" * 24, True),
        ("x-plain", "ours_" + "k" * 24, False),
        ("x-plain", "k" * 24, False),
        ("x-only", "a-plain-key-of-some-length", False),
    ],
)
def test_a_key_with_a_prefix_belongs_to_the_proof_of_that_prefix(header: str, key: str, *, good: bool) -> None:
    by_hmac = {"kind": "hmac", "digest": "sha256"}
    proofs = [
        {**by_hmac, "signature": "x-plain"},
        {**by_hmac, "signature": "x-ours", "key_prefix": "ours_"},
        {**by_hmac, "signature": "x-only", "key_prefix": "only_", "prefixed_only": True},
    ]
    definition = define("token", "a-plain-key-of-some-length", "ours_" + "k" * 24, verify=proofs)
    inbound = post(BODY, {header: hmac.digest(key.encode(), BODY, "sha256").hex()})
    assert isinstance(verify(definition, inbound, NOW), Verified) is good


# -- HTTP Message Signatures


def test_a_required_tag_must_match_and_otherwise_any_is_accepted() -> None:
    tagged = {**MESSAGE, "tag": "here"}
    assert isinstance(verify(define("token", verify=tagged), message(tag="here"), NOW), Verified)
    assert code(verify(define("token", verify=tagged), message(), NOW)) == "signature_tag"
    assert isinstance(verify(define("token", verify=MESSAGE), message(tag="anything"), NOW), Verified)
    assert isinstance(verify(define("token", verify=MESSAGE), message(), NOW), Verified)


@pytest.mark.parametrize(("expires_in_s", "good"), [(60, True), (0, True), (-1, False)])
def test_a_message_is_good_until_the_second_it_names(expires_in_s: int, *, good: bool) -> None:
    inbound = message(expires=int(NOW.timestamp()) + expires_in_s)
    assert isinstance(verify(define("token", verify=MESSAGE), inbound, NOW), Verified if good else Refused)


def test_every_digest_that_is_named_must_be_the_body_s() -> None:
    right, wrong = b64(hashlib.sha256(BODY).digest()), b64(hashlib.sha512(b"another").digest())
    for digests in (f"sha-256=:{right}:, sha-512=:{wrong}:", f"sha-512=:{wrong}:, sha-256=:{right}:"):
        unsigned = message()
        headers = {**unsigned.headers, "content-digest": digests}
        base = signature_base(next(_inputs(headers["signature-input"])), replace(unsigned, headers=headers))
        inbound = replace(unsigned, headers={**headers, "signature": f"sig1=:{b64(mac(base))}:"})
        assert code(verify(define("token", verify=MESSAGE), inbound, NOW)) == "signature_wrong"


def test_an_address_without_a_path_is_signed_with_a_slash() -> None:
    inbound = make_inbound("POST", "https://example.com", "", "", [], b"")
    (given,) = _inputs('l=("@path" "@request-target")')
    assert signature_base(given, inbound).decode().splitlines()[:-1] == ['"@path": /', '"@request-target": /']


def test_the_explanation_shows_what_the_first_signature_covers() -> None:
    (verifier,) = define("token", verify=MESSAGE).verifiers
    assert verifier.covered(message()).splitlines()[0] == '"@method": POST'


def test_a_signature_that_is_no_base64_is_none() -> None:
    inbound = message()
    broken = replace(inbound, headers={**inbound.headers, "signature": "sig1=:A:"})
    assert code(verify(define("token", verify=MESSAGE), broken, NOW)) == "signature_missing"


def test_a_digest_that_is_no_base64_is_not_the_body_s() -> None:
    unsigned = message()
    headers = {**unsigned.headers, "content-digest": "sha-256=:A:"}
    base = signature_base(next(_inputs(headers["signature-input"])), replace(unsigned, headers=headers))
    inbound = replace(unsigned, headers={**headers, "signature": f"sig1=:{b64(mac(base))}:"})
    assert code(verify(define("token", verify=MESSAGE), inbound, NOW)) == "signature_wrong"


# -- tokens, values of the body, small keys


@pytest.mark.parametrize(
    ("head", "claims"),
    [([], {"exp": 1}), ({"alg": "RS256"}, []), ({"alg": "RS256"}, 7), ("RS256", {"exp": 1})],
)
def test_a_token_whose_parts_are_no_objects_is_unreadable(head: Any, claims: Any) -> None:
    parts = [url64(json.dumps(each).encode()) for each in (head, claims)]
    assert code(verify(jwt(), bearer(".".join([*parts, url64(b"signature")])), NOW)) == "token_unreadable"


@pytest.mark.parametrize("text", ["!.e30.e30", "e30.!.e30", "e30.e30.!", "e30..e30", ".e30.e30"])
def test_a_token_with_a_part_that_is_no_base64_or_empty_is_unreadable(text: str) -> None:
    assert code(verify(jwt(), bearer(text), NOW)) == "token_unreadable"


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ["1", str(int(NOW.timestamp()) + 30), True, [], {}])
def test_a_token_with_a_non_numeric_time_is_refused(claim: str, value: Any) -> None:
    assert isinstance(verify(jwt(), bearer(token(**{claim: value})), NOW), Refused) is (claim == "exp")


@pytest.mark.parametrize("more", [".e30", ".!", "."])
def test_a_token_with_a_fourth_part_is_refused(more: str) -> None:
    assert isinstance(verify(jwt(), bearer(token()), NOW), Verified)
    assert code(verify(jwt(), bearer(token() + more), NOW)) == "token_unreadable"


def test_the_length_of_a_token_is_limited() -> None:
    signed = (token(pad="x" * n).rpartition(".")[0] for n in range(4))
    begin = next(each for each in signed if (16_384 - len(each) - 1) % 4 in {2, 3})  # else no base64 is so long
    for length, said in ((16_384, "signature_wrong"), (16_385, "token_unreadable")):
        assert code(verify(jwt(), bearer(f"{begin}.".ljust(length, "A")), NOW)) == said


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ({"header": "", "query": ""}, "header"),
        ({"jwks_url": "https://keys.example.com", "algorithms": ["RS256"], "keys": ["k" * 20]}, "jwks_url"),
    ],
)
def test_a_token_without_a_place_or_with_keys_of_two_kinds_is_a_mistake(table: dict[str, Any], word: str) -> None:
    given = {"kind": "jwt", "algorithms": ["RS256"], **table}
    assert any(word in path for path in problems_of({**MY_CRM, "verify": given}))


def test_only_the_place_of_a_token_is_secret() -> None:
    in_query, in_header = jwt(query="jwt", header=""), jwt()
    assert jwt(query="jwt").secret_headers == frozenset()
    assert (in_query.secret_query, in_query.secret_headers) == ({"jwt"}, frozenset())
    assert (in_header.secret_query, in_header.secret_headers) == (frozenset(), {"authorization"})


@pytest.mark.parametrize("equals", ["", [], [""], ["a", ""], ["a", 7], [7], 7, {"a": 1}, None])
def test_a_value_in_the_body_is_compared_with_texts_only(equals: Any) -> None:
    proofs = [{"kind": "twilio"}, {"kind": "body_equals", "expression": "b.x", "equals": equals}]
    assert problems_of({**MY_CRM, "verify": {"all_of": proofs}})


@pytest.mark.parametrize(("bits", "good"), [(1024, True), (1023, False)])
def test_an_rsa_key_below_1024_bits_is_refused(bits: int, *, good: bool) -> None:
    numbers = rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1)
    if not good:
        with pytest.raises(ValueError, match="at least 1024"):
            right_kind(numbers.public_key(), RSA)
    else:
        assert right_kind(numbers.public_key(), RSA)
    for other in (EC_KEY, ED_KEY):
        with pytest.raises(ValueError, match="RSA"):
            right_kind(other.public_key(), RSA)


@pytest.mark.parametrize(("bits", "said"), [(2048, False), (2047, True)])
def test_a_weak_rsa_key_is_reported(bits: int, *, said: bool) -> None:
    numbers = rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1)
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = numbers.public_key().public_bytes(serialization.Encoding.PEM, spki).decode()
    table = {"kind": "public_key", "algorithm": RSA, "signature": "x-signature", "encoding": "base64"}
    (verifier,) = define("token", pem, verify=table).verifiers
    assert bool(list(verifier.advice())) is said


def test_a_weak_rsa_key_beside_a_strong_one_is_reported() -> None:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    pems = [
        rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, spki)
        .decode()
        for bits in (2048, 1024)
    ]
    table = {"kind": "public_key", "algorithm": RSA, "signature": "x-signature", "encoding": "base64"}
    (verifier,) = define("token", *pems, verify=table).verifiers
    assert "1024 bits" in " ".join(verifier.advice())


# -- keys: how they are written, and which nobody is shown


@pytest.mark.parametrize(
    ("text", "encoding", "secret"),
    [
        ("QUJDRA", "base64", b"ABCD"),
        ("QUJDRA==", "base64", b"ABCD"),
        ("4142", "hex", b"AB"),
        ("é", "utf8", "é".encode()),
    ],
)
def test_a_key_is_decoded_as_declared(text: str, encoding: str, secret: bytes) -> None:
    assert secret_of(text, encoding) == secret


@pytest.mark.parametrize(("text", "encoding"), [("QUJ!DRA", "base64"), ("", "base64"), ("414", "hex"), ("", "utf8")])
def test_a_key_in_another_encoding_is_refused(text: str, encoding: str) -> None:
    with pytest.raises(ValueError, match=f"is (empty|not {encoding})"):
        secret_of(text, encoding)


@pytest.mark.parametrize(
    ("place", "keys", "said"),
    [
        ("query", ["a+b" * 9, "plain" * 9], True),
        ("query", ["plain" * 9], False),
        ("header", ["a+b" * 9], False),
    ],
)
def test_a_token_that_changes_in_a_url_is_reported(place: str, keys: list[str], *, said: bool) -> None:
    (verifier,) = define("token", *keys, verify={"kind": "static", place: "token"}).verifiers
    assert bool(list(verifier.advice())) is said


OWN_KEYS: Mapping[str, Mapping[str, Any]] = {
    "hmac": {"digest": "sha256", "signature": "x-signature"},
    "hash": {"digest": "sha256", "signature": "x-signature", "signed": ["key", "body"]},
    "static": {"header": "authorization"},
    "basic": {"user": "a-user-of-ours"},
    "twilio": {},
    "jwt": {"algorithms": ["HS256"]},
    "http_signature": {"algorithm": "hmac-sha256"},
}


@pytest.mark.parametrize("kind", OWN_KEYS)
def test_a_proof_shows_no_key(kind: str) -> None:
    table = {"kind": kind, **OWN_KEYS[kind]}
    own, the_source_s = define(verify={**table, "keys": [SECRET]}), define(verify=table)
    for definition in (own, the_source_s):
        assert isinstance(verify(definition, post(b""), NOW), Refused)
        shown = repr((definition, definition.verifiers, definition.grammar))
        assert kind != "basic" or "a-user-of-ours" not in shown
        assert SECRET not in shown


# -- the signed address and the signed time


@pytest.mark.parametrize(
    ("written", "signed"),
    [
        ("/p?x=%3A%2f%20%41", "/p?x=:/%20%41"),
        ("%3A", ":"),
        ("/p", "/p"),
        ("/p?x=%", "/p?x=%"),
        ("/p?x=%3", "/p?x=%3"),
        ("/p?x=%3AB%C3%A9", "/p?x=:B%C3%A9"),
    ],
)
def test_only_the_named_escapes_of_an_address_are_decoded(written: str, signed: str) -> None:
    assert "".join(_decoded(written, "%3A%2F")) == signed


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        ("QUJD", "base64", b"ABC"), ("QU!JD", "base64", None), ("QU-_", "base64", None), ("QUJ", "base64", None),
        ("QUI", "base64url", b"AB"), ("QU-_", "base64url", b"A\x4f\xbf"), ("QU!JD", "base64url", None),
         ("4142", "hex", b"AB"), ("414", "hex", None), ("zz", "hex", None),
    ],
)  # fmt: skip
def test_a_digest_is_read_strictly(text: str, encoding: str, found: bytes | None) -> None:
    assert decode(text, encoding) == found


def test_compact_json_keeps_letters_as_they_are() -> None:
    assert _compact('{"a": ["é", 1]}'.encode()) == '{"a":["é",1]}'.encode()
