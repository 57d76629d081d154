"""Rarer kinds of proof, signed here independently and checked against published vectors where there are any."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from service.crm_api.get import NoAnswer
from service.intake.definition.load import load_definitions
from service.intake.delivery.inbound import make_inbound
from service.intake.verify import NotProvenYet
from service.intake.verify.jwks import KeySet
from service.intake.verify.jwt import Token
from service.intake.verify.message_signatures import MessageSignature, _inputs, signature_base
from service.intake.verify.sns import PROVEN, Sns, amazon_url
from service.intake.verify.verifier import Refused, Verified
from service.settings import SettingsError, Source
from tests.intake.app import PUBLIC_URL, define, post, verify
from tests.intake.signers import SECRET, rsa_key, rsa_public_pem

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BODY = b'{"id":1}'
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def pem(key: Any) -> str:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, spki).decode()


def jose(signature: bytes) -> bytes:
    r, s = decode_dss_signature(signature)
    return r.to_bytes(32) + s.to_bytes(32)


def code(verdict: Verified | Refused) -> str:
    return verdict.code if isinstance(verdict, Refused) else "verified"


def mac(message: bytes, digest: str = "sha256") -> bytes:
    return hmac.digest(SECRET.encode(), message, digest)


# -- signatures over parts

TRENGO = {
    "kind": "hmac", "digest": "sha256", "signed": ["sig:t", "literal:.", "body"],
    "signature": {"header": "trengo-signature", "names": ["t", "hash"], "separator": ";", "kv": "hash"},
    "timestamp": {"from": "sig:t", "format": "unix_s"},
}  # fmt: skip


def test_a_time_and_a_hash_without_names_are_read_by_position() -> None:
    t = str(int(NOW.timestamp()))
    made = mac(f"{t}.".encode() + BODY).hex()
    definition = define("token", verify=TRENGO)
    assert verify(definition, post(BODY, {"trengo-signature": f"{t};{made}"}), NOW) == Verified(0, "hmac")
    for wrong in (f"{made};{t}", made, f"{t};{made};{made}", f"{t};", ";"):
        assert isinstance(verify(definition, post(BODY, {"trengo-signature": wrong}), NOW), Refused)
    late = NOW + timedelta(seconds=301)
    assert code(verify(definition, post(BODY, {"trengo-signature": f"{t};{made}"}), late)) == "timestamp_stale"


def test_base64url_is_taken_with_and_without_padding() -> None:
    table = {"kind": "hmac", "digest": "sha256", "signature": "x-sig", "encoding": "base64url"}
    definition = define("token", verify=table)
    made = base64.urlsafe_b64encode(mac(BODY)).decode()
    for given in (made, made.rstrip("=")):
        assert isinstance(verify(definition, post(BODY, {"x-sig": given}), NOW), Verified)
    assert isinstance(verify(definition, post(BODY, {"x-sig": mac(BODY).hex()}), NOW), Refused)


def test_a_plain_hash_of_key_and_body() -> None:
    """HubSpot's older signatures, with the official vectors of its Python client."""
    v1 = {"kind": "hash", "digest": "sha256", "signed": ["key", "body"], "signature": "x-hubspot-signature"}
    v2 = {**v1, "signed": ["key", "method", "url", "body"]}
    body = b"{'example_field':'example_value'}"
    for table, signature in (
        (v1, "69fc6631a867edd4f9e9e627fc5c1148e3fbdd8b21837b6d2b8901c1fa57f750"),
        (v2, "4fe4e3a7d3cf09db53be39d0a58130e2aaba074ec123a9e355b876a689a1c383"),
    ):
        definition = define("token", "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", verify=table)
        headers = {"x-hubspot-signature": signature}.items()
        inbound = make_inbound("POST", "https://www.example.com", "/webhook_uri", "", headers, body)
        assert verify(definition, inbound, NOW) == Verified(0, "hash")
        assert code(verify(definition, replace(inbound, body=body + b" "), NOW)) == "signature_wrong"


@pytest.mark.parametrize(
    ("signed", "digest", "said"),
    [
        (["key", "body"], "sha256", True),
        (["key", "body"], "sha384", False),
        (["body", "key"], "sha256", False),
        (["key", "body", "literal:."], "sha1", False),
    ],
)
def test_a_hash_open_to_length_extension_is_reported(signed: list[str], digest: str, *, said: bool) -> None:
    table = {"kind": "hash", "digest": digest, "signed": signed, "signature": "x-signature"}
    (verifier,) = define("token", verify=table).verifiers
    assert any("ask the sender for an HMAC" in each for each in verifier.advice()) is said


def test_a_hash_without_its_key_is_refused_with_the_settings() -> None:
    with pytest.raises(SettingsError, match="anybody could make this hash"):
        define("token", verify={"kind": "hash", "digest": "sha256", "signature": "x-sig"})


PUBLIC: dict[str, tuple[Callable[[bytes], bytes], Callable[[], str]]] = {
    "rsa-pkcs1v15-sha512": (lambda m: rsa_key().sign(m, padding.PKCS1v15(), hashes.SHA512()), rsa_public_pem),
    "rsa-pss-sha256": (lambda m: rsa_key().sign(m, PSS, hashes.SHA256()), rsa_public_pem),
    "ecdsa-p256-sha256": (lambda m: EC_KEY.sign(m, ec.ECDSA(hashes.SHA256())), lambda: pem(EC_KEY)),
    "ed25519": (ED_KEY.sign, lambda: pem(ED_KEY)),
}


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_a_public_key_checks_what_its_owner_signed(algorithm: str) -> None:
    sign, key = PUBLIC[algorithm]
    table = {"kind": "public_key", "algorithm": algorithm, "signature": "x-sig", "encoding": "base64"}
    definition = define("token", key(), verify=table)
    assert verify(definition, post(BODY, {"x-sig": b64(sign(BODY))}), NOW) == Verified(0, "public_key")
    for wrong in (b64(sign(BODY + b" ")), b64(b"x" * 64), b64(b"\0" * 64), "!", b64(b"")):
        assert isinstance(verify(definition, post(BODY, {"x-sig": wrong}), NOW), Refused)


def test_ecdsa_is_read_as_der_and_side_by_side() -> None:
    table = {"kind": "public_key", "algorithm": "ecdsa-p256-sha256", "signature": "x-sig", "encoding": "base64url"}
    signature = EC_KEY.sign(BODY, ec.ECDSA(hashes.SHA256()))
    for form in (signature, jose(signature)):
        assert isinstance(
            verify(define("token", pem(EC_KEY), verify=table), post(BODY, {"x-sig": url64(form)}), NOW), Verified
        )


OF_AN_UNKNOWN_CURVE = (
    "MEAwEAYHKoZIzj0CAQYFK4EEAAEDLAAEBElQFkkmypDq9itQjx+1YEJ1uPjDBaSFv5CCuItuKrqTvWJInkb9i9bS"  # sect163k1
)


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("ecdsa-p256-sha256", rsa_public_pem),
        ("rsa-pss-sha256", lambda: pem(EC_KEY)),
        ("ecdsa-p256-sha256", lambda: pem(ec.generate_private_key(ec.SECP384R1()))),
        ("ed25519", lambda: pem(EC_KEY)),
        ("ecdsa-p256-sha256", lambda: OF_AN_UNKNOWN_CURVE),
    ],
)
def test_a_key_of_another_kind_is_refused_with_the_settings(algorithm: str, key: Callable[[], str]) -> None:
    with pytest.raises(SettingsError, match="holds a key that is no"):
        define("token", key(), verify={"kind": "public_key", "algorithm": algorithm, "signature": "x"})


def test_a_token_may_stand_in_the_body_and_a_key_before_the_colon() -> None:
    in_body = define("token", verify={"kind": "static", "body": "b.secret_key"})
    assert isinstance(verify(in_body, post({"secret_key": SECRET}), NOW), Verified)
    assert code(verify(in_body, post({"secret_key": "no"}), NOW)) == "token_wrong"
    assert code(verify(in_body, post({}), NOW)) == "token_missing"
    assert code(verify(in_body, post({"secret_key": [SECRET]}), NOW)) == "token_missing"
    assert code(verify(in_body, post(b"{"), NOW)) == "body_unreadable"
    as_user = define("token", verify={"kind": "basic", "key_is": "user"})
    for credentials, right in ((f"{SECRET}:X", "verified"), (f"{SECRET}:", "verified"), (f"X:{SECRET}", "token_wrong")):
        header = {"authorization": f"Basic {b64(credentials.encode())}"}
        assert code(verify(as_user, post({}, header), NOW)) == right


@pytest.mark.parametrize("sent_as", ["utf-8", "latin-1"])
def test_a_token_may_have_letters_that_a_header_carries_as_bytes(sent_as: str) -> None:
    secret = "geheim-für-uns-là"  # whose last letter ends, in UTF-8, in a byte that latin-1 takes for a blank
    definition = define("token", secret, verify={"kind": "static", "header": "authorization", "scheme": "Bearer "})
    for token, right in ((secret, "verified"), (f"{secret}!", "token_wrong"), (secret[:-1], "token_wrong")):
        header = {"authorization": f"Bearer {token}".encode(sent_as).decode("latin-1")}
        assert code(verify(definition, post({}, header), NOW)) == right


def test_a_signed_header_is_signed_as_the_bytes_that_were_sent() -> None:
    table = {"kind": "hmac", "digest": "sha256", "signed": ["header:x-user", "body"], "signature": "x-signature"}
    definition = define("token", verify=table)
    proof = hmac.new(SECRET.encode(), "Zoë".encode() + BODY, "sha256").hexdigest()
    header = {"x-user": "Zoë".encode().decode("latin-1"), "x-signature": proof}
    assert isinstance(verify(definition, post(BODY, header), NOW), Verified)


# -- JSON Web Tokens

CLAIMS = {"iss": "orgId:6", "aud": "webhookId:7", "iat": NOW.timestamp(), "exp": NOW.timestamp() + 60}
SIGNERS: dict[str, Callable[[bytes], bytes]] = {
    "HS256": mac,
    "HS512": lambda m: mac(m, "sha512"),
    "RS256": lambda m: rsa_key().sign(m, padding.PKCS1v15(), hashes.SHA256()),
    "RS512": PUBLIC["rsa-pkcs1v15-sha512"][0],
    "PS256": PUBLIC["rsa-pss-sha256"][0],
    "ES256": lambda m: jose(EC_KEY.sign(m, ec.ECDSA(hashes.SHA256()))),
    "EdDSA": ED_KEY.sign,
    "none": lambda _m: b"",
}
KEYS = {"HS": SECRET, "RS": rsa_public_pem, "PS": rsa_public_pem, "ES": lambda: pem(EC_KEY), "Ed": lambda: pem(ED_KEY)}


def token(algorithm: str = "RS256", head: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {k: v for k, v in {**CLAIMS, **changes}.items() if v is not None}
    parts = [{"alg": algorithm, **(head or {})}, claims]
    signed = ".".join(url64(json.dumps(each).encode()) for each in parts)
    return f"{signed}.{url64(SIGNERS[algorithm](signed.encode()))}"


def jwt(*algorithms: str, key: str | None = None, **more: Any) -> Any:
    names = algorithms or ("RS256",)
    known = KEYS[names[0][:2]]
    own = key or (known if isinstance(known, str) else known())
    table = {"kind": "jwt", "algorithms": list(names), "issuer": "orgId:6", "audience": "webhookId:7", **more}
    return define("token", own, verify=table)


def bearer(text: str) -> Any:
    return post(BODY, {"authorization": f"Bearer {text}"})


@pytest.mark.parametrize("algorithm", [each for each in SIGNERS if each != "none"])
def test_a_token_is_good_by_each_algorithm_and_by_no_other(algorithm: str) -> None:
    definition = jwt(algorithm)
    assert verify(definition, bearer(token(algorithm)), NOW) == Verified(0, "jwt")
    head, claims, signature = token(algorithm).split(".")
    other = url64(json.dumps({**CLAIMS, "sub": "me"}).encode())
    assert code(verify(definition, bearer(f"{head}.{other}.{signature}"), NOW)) == "signature_wrong"
    assert code(verify(definition, bearer(f"{head}.{claims}."), NOW)) == "signature_wrong"
    assert code(verify(definition, bearer(token("none")), NOW)) == "token_algorithm"


def test_a_key_signs_by_the_algorithms_of_its_own_kind_alone() -> None:
    either = jwt("RS256", "ES256", "EdDSA")
    assert verify(either, bearer(token("RS256")), NOW) == Verified(0, "jwt")
    for other in ("ES256", "EdDSA"):
        assert code(verify(either, bearer(token(other)), NOW)) == "signature_wrong"


def test_all_algorithms_of_shared_secrets_may_be_allowed_at_once() -> None:
    assert verify(jwt("HS256", "HS384", "HS512"), bearer(token("HS512")), NOW) == Verified(0, "jwt")


def test_a_public_key_is_never_a_shared_secret() -> None:
    """The oldest trick: HS256, signed with the public key that everybody has."""
    signed = ".".join(url64(json.dumps(each).encode()) for each in ({"alg": "HS256"}, CLAIMS))
    forged = f"{signed}.{url64(hmac.digest(rsa_public_pem().encode(), signed.encode(), 'sha256'))}"
    assert code(verify(jwt("RS256"), bearer(forged), NOW)) == "token_algorithm"
    with pytest.raises(SettingsError, match="mixes shared secrets"):
        jwt("RS256", "HS256")


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"exp": NOW.timestamp() - 61}, "timestamp_stale"),
        ({"exp": None}, "token_endless"),
        ({"exp": "soon"}, "timestamp_stale"),
        ({"nbf": NOW.timestamp() + 61}, "timestamp_stale"),
        ({"iat": NOW.timestamp() + 61}, "timestamp_stale"),
        ({"iss": "orgId:8"}, "token_issuer"),
        ({"iss": None}, "token_issuer"),
        ({"aud": "webhookId:8"}, "token_audience"),
        ({"aud": ["a", "b"]}, "token_audience"),
        ({"head": {"crit": ["x"]}}, "token_unreadable"),
    ],
)
def test_a_token_that_is_not_for_us_or_not_for_now_is_refused(changes: dict[str, Any], refused: str) -> None:
    assert code(verify(jwt(), bearer(token(**changes)), NOW)) == refused


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW.timestamp() - 60},
        {"nbf": NOW.timestamp() + 60},
        {"iat": NOW.timestamp() + 60},
        {"aud": ["a", "webhookId:7"]},
        {"exp": (NOW.timestamp() + 60) * 1000, "iat": None},
    ],
)
def test_a_token_within_the_tolerance_is_taken(changes: dict[str, Any]) -> None:
    assert isinstance(verify(jwt(), bearer(token(**changes)), NOW), Verified)


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "..", "a.b", "a.b.c.d", "é.é.é", "[.[.[", "e30.e30.", "A" * 20_000])
def test_what_is_no_token_is_refused(text: str) -> None:
    assert isinstance(verify(jwt(), bearer(text), NOW), Refused)


def test_a_claim_may_hold_the_body_s_digest() -> None:
    definition = jwt(body_claim="body_sha256")
    for digest in (hashlib.sha256(BODY).hexdigest(), b64(hashlib.sha256(BODY).digest())):
        inbound = bearer(token(body_sha256=digest))
        assert isinstance(verify(definition, inbound, NOW), Verified)
        assert code(verify(definition, replace(inbound, body=b"{}"), NOW)) == "signature_wrong"
    assert code(verify(definition, bearer(token()), NOW)) == "signature_wrong"


def test_a_token_may_stand_in_the_query_and_is_not_stored() -> None:
    definition = jwt(query="jwt")
    assert isinstance(verify(definition, post(BODY, {}, f"jwt={token()}"), NOW), Verified)
    assert definition.secret_query == {"jwt"}


def jwk(kid: str, key: Any) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        return {"kty": "RSA", "kid": kid, "n": url64(numbers.n.to_bytes(256)), "e": url64(numbers.e.to_bytes(3))}
    return {
        "kty": "EC",
        "crv": "P-256",
        "kid": kid,
        "x": url64(numbers.x.to_bytes(32)),
        "y": url64(numbers.y.to_bytes(32)),
    }


class Published:
    """A sender's address with keys, and how often it was asked."""

    def __init__(self, *keys: Any) -> None:
        self.answer: Any = {"keys": list(keys)}
        self.asked = 0

    def __call__(self, url: str) -> Any:
        assert url == "https://keys.example.com/jwks.json"
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def with_keys(published: Published, *algorithms: str) -> Any:
    url = "https://keys.example.com/jwks.json"
    table = {"kind": "jwt", "jwks_url": url, "algorithms": list(algorithms or ("RS256",)), "issuer": "orgId:6"}
    definition = load_definitions(
        {"crm": Source("crm", "acme", "token", (), None, None, {"verify": table}, None, "none")}
    )["crm"]
    (verifier,) = definition.verifiers
    return replace(definition, verifiers=(replace(verifier, key_set=KeySet(url, published)),))


def test_published_keys_are_fetched_once_and_again_when_a_new_one_signs() -> None:
    published = Published(jwk("old", rsa_key()))
    definition = with_keys(published, "RS256", "ES256")
    for _ in range(3):
        assert verify(definition, bearer(token(head={"kid": "old"})), NOW) == Verified(None, "jwt")
    assert published.asked == 1
    published.answer = {"keys": [jwk("new", EC_KEY)]}
    rotated = bearer(token("ES256", head={"kid": "new"}))
    just_asked = verify(definition, rotated, NOW + timedelta(seconds=30))
    assert isinstance(just_asked, NotProvenYet)  # not wrong: to be sent again
    assert isinstance(verify(definition, rotated, NOW + timedelta(seconds=61)), Verified)
    assert published.asked == 2
    old = bearer(token(head={"kid": "old"}, exp=NOW.timestamp() + 999))
    assert code(verify(definition, old, NOW + timedelta(seconds=122))) == "token_key_unknown"


def test_a_token_that_names_no_key_is_tried_with_each() -> None:
    another = ec.generate_private_key(ec.SECP256R1())
    definition = with_keys(Published(jwk("a", another), jwk("b", EC_KEY)), "ES256")
    assert verify(definition, bearer(token("ES256")), NOW) == Verified(None, "jwt")


def test_published_keys_without_an_id_or_with_the_same_are_all_tried() -> None:
    """A sender that rotates publishes the old and the new one; two types of key may share an id."""
    another = ec.generate_private_key(ec.SECP256R1())
    bare = [{name: value for name, value in jwk("", key).items() if name != "kid"} for key in (EC_KEY, another)]
    assert verify(with_keys(Published(*bare), "ES256"), bearer(token("ES256")), NOW) == Verified(None, "jwt")
    shared = with_keys(Published(jwk("k", EC_KEY), jwk("k", rsa_key())), "ES256", "RS256")
    assert verify(shared, bearer(token("ES256", head={"kid": "k"})), NOW) == Verified(None, "jwt")
    assert verify(shared, bearer(token(head={"kid": "k"})), NOW) == Verified(None, "jwt")


def test_published_keys_are_fetched_for_a_token_without_an_id_only_if_none_fits() -> None:
    published = Published(jwk("old", rsa_key()))
    definition = with_keys(published, "RS256", "ES256")
    for minutes in range(3):
        now = NOW + timedelta(minutes=2 * minutes)
        assert isinstance(verify(definition, bearer(token(exp=now.timestamp() + 60)), now), Verified)
    assert published.asked == 1
    published.answer = {"keys": [jwk("new", EC_KEY)]}
    assert isinstance(verify(definition, bearer(token("ES256", exp=now.timestamp() + 60)), now), Verified)
    assert published.asked == 2


def test_known_published_keys_work_while_their_address_is_away() -> None:
    published = Published(jwk("k", rsa_key()))
    definition = with_keys(published)
    assert isinstance(verify(definition, bearer(token(head={"kid": "k"})), NOW), Verified)
    for answer in (NoAnswer("slow", "No answer."), {"keys": "none"}, [], {"keys": [7]}):
        published.answer = answer
    published.answer = NoAnswer("slow", "No answer.")
    later = NOW + timedelta(hours=2)
    good = token(head={"kid": "k"}, exp=later.timestamp() + 60)
    assert isinstance(verify(definition, bearer(good), later), Verified)
    assert published.asked == 2


def test_while_keys_cannot_be_fetched_an_unknown_key_is_not_wrong() -> None:
    published = Published()
    published.answer = NoAnswer("slow", "No answer.")
    definition = with_keys(published)
    known = bearer(token(head={"kid": "k"}))
    assert isinstance(verify(definition, known, NOW), NotProvenYet)
    published.answer = {"keys": [jwk("k", rsa_key())]}
    assert isinstance(verify(definition, known, NOW + timedelta(seconds=61)), Verified)
    other = bearer(token(head={"kid": "other"}))
    assert code(verify(definition, other, NOW + timedelta(seconds=122))) == "token_key_unknown"


def test_a_temporary_failure_is_reported_beside_a_wrong_proof() -> None:
    published = Published()
    published.answer = NoAnswer("slow", "No answer.")
    beside = define("token", verify={"kind": "static", "header": "x-token"})
    either = replace(beside, verifiers=(*beside.verifiers, *with_keys(published).verifiers))
    assert isinstance(verify(either, bearer(token(head={"kid": "k"})), NOW), NotProvenYet)


def test_unknown_key_ids_cause_at_most_one_fetch_a_minute() -> None:
    published = Published()
    definition = with_keys(published)
    for n in range(50):
        assert isinstance(verify(definition, bearer(token(head={"kid": f"k{n}"})), NOW + timedelta(seconds=n)), Refused)
    assert published.asked == 1


@pytest.mark.parametrize(
    "key",
    [
        {}, {"kty": "RSA"}, {"kty": "RSA", "n": "!", "e": "AQAB"}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "oct", "k": url64(SECRET.encode())}, {"kty": "OKP", "crv": "Ed25519", "x": "AA"}, {"kty": ["RSA"]},
    ],
)  # fmt: skip
def test_an_invalid_published_key_verifies_nothing(key: dict[str, Any]) -> None:
    definition = with_keys(Published({"kid": "k", **key}))
    assert isinstance(verify(definition, bearer(token(head={"kid": "k"})), NOW), Refused)


def test_published_keys_are_public_and_come_over_https() -> None:
    for table in (
        {"jwks_url": "http://keys.example.com", "algorithms": ["RS256"]},
        {"jwks_url": "https://keys.example.com", "algorithms": ["HS256"]},
    ):
        with pytest.raises(SettingsError, match="jwks_url"):
            define("token", verify={"kind": "jwt", **table})


def test_a_vendors_published_keys_require_our_own_id() -> None:
    published = {"kind": "jwt", "jwks_url": "https://keys.example.com/jwks.json"}
    for table in (published, {"all_of": [published, {"kind": "body_equals", "expression": "b.o", "equals": "6"}]}):
        with pytest.raises(SettingsError, match="write your audience or issuer"):
            define("token", verify=table)
    for ours in ({"audience": "webhookId:7"}, {"issuer": "orgId:6"}):
        assert define("token", verify={**published, **ours}).verifiers
    with pytest.raises(SettingsError, match=r"sources\.crm\.verify\.audience is missing"):
        define("zoho_desk")
    (pinned,) = define("zoho_desk", verify={"audience": "webhookId:7"}).verifiers
    assert code(verify(define("zoho_desk", verify={"audience": "webhookId:7"}), post(BODY), NOW)) == "token_missing"
    assert isinstance(pinned, Token)
    assert (pinned.audience, pinned.header) == ("webhookId:7", "x-zdesk-jwt")


@pytest.mark.parametrize("kid", [["k"], {"k": 1}, 7, True])
def test_a_token_that_names_its_key_by_no_text_is_unreadable(kid: Any) -> None:
    for definition in (with_keys(Published(jwk("k", rsa_key()))), jwt()):
        assert code(verify(definition, bearer(token(head={"kid": kid})), NOW)) == "token_unreadable"


def test_after_our_clock_was_set_back_published_keys_are_asked_for_again() -> None:
    published = Published(jwk("old", rsa_key()))
    definition = with_keys(published)
    assert isinstance(verify(definition, bearer(token(head={"kid": "old"})), NOW), Verified)
    published.answer = {"keys": [jwk("new", rsa_key())]}
    before = NOW - timedelta(days=1)
    times = {"iat": before.timestamp(), "exp": before.timestamp() + 60}
    assert isinstance(verify(definition, bearer(token(head={"kid": "new"}, **times)), before), Verified)
    assert published.asked == 2


# -- HTTP Message Signatures


def test_the_signature_base_is_the_one_of_rfc_9421() -> None:
    """Appendix B.2.5, its HMAC included."""
    url = "https://example.com"
    headers = {"date": "Tue, 20 Apr 2021 02:07:55 GMT", "content-type": "application/json"}
    inbound = make_inbound("POST", url, "/foo", "param=Value&Pet=dog", headers.items(), b"")
    written = '("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"'
    (given,) = _inputs(f"sig-b25={written}")
    base = signature_base(given, inbound)
    key = base64.b64decode("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
    assert b64(hmac.digest(key, base, "sha256")) == "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="


def test_every_derived_component_is_rebuilt() -> None:
    inbound = make_inbound("POST", "https://example.com", "/p/a th", "a=%20b", [("x-a", "1")], b"")
    names = '"@method" "@target-uri" "@authority" "@scheme" "@request-target" "@path" "@query" "x-a"'
    (given,) = _inputs(f"l=({names})")
    assert signature_base(given, inbound).decode().splitlines()[:-1] == [
        '"@method": POST', '"@target-uri": https://example.com/p/a th?a=%20b', '"@authority": example.com',
        '"@scheme": https', '"@request-target": /p/a th?a=%20b', '"@path": /p/a th', '"@query": ?a=%20b', '"x-a": 1',
    ]  # fmt: skip


MESSAGE = {"kind": "http_signature", "algorithm": "hmac-sha256", "covers": ["@method", "content-digest"]}


def message(
    sign: Callable[[bytes], bytes] = mac,
    body: bytes = BODY,
    names: str = '"@method" "content-digest"',
    **parameters: Any,
) -> Any:
    given = {"created": int(NOW.timestamp()), **parameters}
    written = f"({names})" + "".join(
        f";{name}={value}" if isinstance(value, int) else f';{name}="{value}"'
        for name, value in given.items()
        if value is not None
    )
    headers = {
        "content-digest": f"sha-256=:{b64(hashlib.sha256(body).digest())}:",
        "signature-input": f"sig1={written}",
    }
    unsigned = make_inbound("POST", PUBLIC_URL, "/webhooks/crm/crm", "", headers.items(), body)
    base = signature_base(next(_inputs(headers["signature-input"])), unsigned)
    return replace(unsigned, headers={**headers, "signature": f"sig1=:{b64(sign(base))}:"})


@pytest.mark.parametrize(
    ("algorithm", "sign", "key"),
    [
        ("hmac-sha256", mac, lambda: SECRET),
        ("ed25519", ED_KEY.sign, lambda: pem(ED_KEY)),
        ("ecdsa-p256-sha256", SIGNERS["ES256"], lambda: pem(EC_KEY)),
        ("rsa-v1_5-sha256", SIGNERS["RS256"], rsa_public_pem),
    ],
)
def test_a_signed_message_is_verified_by_each_algorithm(
    algorithm: str, sign: Callable[[bytes], bytes], key: Callable[[], str]
) -> None:
    definition = define("token", key(), verify={**MESSAGE, "algorithm": algorithm})
    assert verify(definition, message(sign), NOW) == Verified(0, "http_signature")
    assert code(verify(definition, replace(message(sign), body=b"{}"), NOW)) == "signature_wrong"
    assert code(verify(definition, replace(message(sign), method="PUT"), NOW)) == "signature_wrong"


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        (lambda: message(names='"content-digest"'), "signature_incomplete"),
        (lambda: message(names='"@method"'), "signature_incomplete"),
        (lambda: message(created=None), "timestamp_missing"),
        (lambda: message(created=int(NOW.timestamp()) - 301), "timestamp_stale"),
        (lambda: message(expires=int(NOW.timestamp()) - 1), "timestamp_stale"),
        (lambda: message(alg="ed25519"), "signature_algorithm"),
        (lambda: message(tag="other"), "signature_tag"),
        (lambda: changed("content-digest", "sha-256=:AAAA:"), "signature_wrong"),
        (lambda: changed("signature", "sig2=:AAAA:"), "signature_missing"),
        (lambda: changed("signature", "nonsense"), "signature_unreadable"),
        (lambda: changed("signature-input", "sig1"), "signature_unreadable"),
        (lambda: changed("signature-input", 'sig1=("@method" "@method");created=1'), "signature_unreadable"),
        (lambda: changed("signature-input", 'sig1=("@query-param";name="a")'), "signature_unreadable"),
        (
            lambda: changed("signature-input", 'sig1=("@status" "@method" "content-digest");created=1'),
            "signature_component",
        ),
        (lambda: changed("signature-input", 'sig1=("content-digest";sf "@method");created=1'), "signature_component"),
    ],
)
def test_a_message_that_is_not_signed_as_demanded_is_refused(given: Callable[[], Any], refused: str) -> None:
    tagged = {**MESSAGE, "tag": "here"} if refused == "signature_tag" else MESSAGE
    assert code(verify(define("token", verify=tagged), given(), NOW)) == refused


def changed(name: str, value: str) -> Any:
    good = message()
    return replace(good, headers={**good.headers, name: value})


def test_an_unknown_digest_algorithm_proves_nothing() -> None:
    def digest(text: str) -> Any:
        names = '"@method" "content-digest"'
        inbound = message(names=names)
        headers = {**inbound.headers, "content-digest": text}
        base = signature_base(next(_inputs(headers["signature-input"])), replace(inbound, headers=headers))
        return replace(inbound, headers={**headers, "signature": f"sig1=:{b64(mac(base))}:"})

    definition = define("token", verify=MESSAGE)
    assert code(verify(definition, digest("md5=:AAAA:"), NOW)) == "digest_unreadable"
    both = f"md5=:AAAA:, sha-512=:{b64(hashlib.sha512(BODY).digest())}:"
    assert isinstance(verify(definition, digest(both), NOW), Verified)


def test_one_good_signature_beside_others_is_enough() -> None:
    good = message()
    headers = {
        **good.headers,
        "signature-input": 'old=("@method");created=1, ' + good.headers["signature-input"],
        "signature": "old=:AAAA:, " + good.headers["signature"],
    }
    assert isinstance(verify(define("token", verify=MESSAGE), replace(good, headers=headers), NOW), Verified)


def test_a_definition_that_does_not_cover_the_body_is_refused() -> None:
    with pytest.raises(SettingsError, match="another body under the signature"):
        define("token", verify={**MESSAGE, "covers": ["@method"]})
    assert MessageSignature.kind == "http_signature"


# -- Amazon SNS

TOPIC = "arn:aws:sns:eu-west-1:1:ended"
AT_AMAZON = "https://sns.eu-west-1.amazonaws.com"
PEM_NAME = "SimpleNotificationService-7ff5318490ec183fbaddaa2a969abfda.pem"
CERTIFICATE_URL = f"{AT_AMAZON}/{PEM_NAME}"


def certificate() -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    built = x509.CertificateBuilder(
        name, name, rsa_key().public_key(), 1, datetime(2026, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    )
    return built.sign(rsa_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


PEM = certificate()


def sns(fetch: Callable[[str], str] = lambda _url: PEM) -> Any:
    table = {"kind": "sns", "topics": [TOPIC]}
    definition = load_definitions(
        {"crm": Source("crm", "acme", "token", (), None, None, {"verify": table}, None, "none")}
    )["crm"]
    return replace(definition, verifiers=(Sns(topics=(TOPIC,), fetch=fetch),))


def notification(version: str = "2", **changes: Any) -> Any:
    told = {
        "Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Message": "{}", "Timestamp": "t",
        "SignatureVersion": version, "SigningCertURL": CERTIFICATE_URL,
    }  # fmt: skip
    text = "".join(f"{name}\n{told[name]}\n" for name in ("Message", "MessageId", "Timestamp", "TopicArn", "Type"))
    digest = hashes.SHA256() if version == "2" else hashes.SHA1()
    signature = b64(rsa_key().sign(text.encode(), padding.PKCS1v15(), digest))
    return post({**told, "Signature": signature, **changes})


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_notification_amazon_signed_is_verified(version: str) -> None:
    assert verify(sns(), notification(version), NOW) == Verified(None, "sns")


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"Message": "{1}"}, "signature_wrong"),
        ({"Signature": "AAAA"}, "signature_wrong"),
        ({"Signature": f"!{json.loads(notification().body)['Signature']}"}, "signature_wrong"),
        ({"SignatureVersion": "3"}, "signature_wrong"),
        ({"TopicArn": "arn:aws:sns:eu-west-1:2:other"}, "sns_topic"),
        ({"TopicArn": "arn:aws:sns:eu-west-1:2:other", "Message": TOPIC}, "sns_topic"),
        ({"SigningCertURL": f"{AT_AMAZON}.evil.example/{PEM_NAME}"}, "sns_certificate"),
        ({"SigningCertURL": CERTIFICATE_URL.replace("https", "http")}, "sns_certificate"),
        ({"SigningCertURL": CERTIFICATE_URL.replace(".pem", ".html")}, "sns_certificate"),
        ({"SigningCertURL": CERTIFICATE_URL.replace("eu-west-1", "us-east-1")}, "sns_certificate"),
        ({"SigningCertURL": None}, "sns_certificate"),
        # what Amazon's API answers may hold a certificate of anybody's who has an account there
        ({"SigningCertURL": f"{AT_AMAZON}/?Action=GetTopicAttributes&TopicArn=theirs&x=.pem"}, "sns_certificate"),
        ({"SigningCertURL": f"{AT_AMAZON}/?/{PEM_NAME}"}, "sns_certificate"),
        ({"SigningCertURL": f"{CERTIFICATE_URL}?Action=GetTopicAttributes&x=.pem"}, "sns_certificate"),
        ({"SigningCertURL": f"{CERTIFICATE_URL}#.pem"}, "sns_certificate"),
        ({"SigningCertURL": f"{AT_AMAZON}/theirs/{PEM_NAME}"}, "sns_certificate"),
        ({"SigningCertURL": f"{AT_AMAZON}/theirs.pem"}, "sns_certificate"),
        ({"SigningCertURL": f"{AT_AMAZON}\n/{PEM_NAME}"}, "sns_certificate"),
    ],
)
def test_a_notification_amazon_did_not_sign_for_us_is_refused(changes: dict[str, Any], refused: str) -> None:
    assert code(verify(sns(), notification(**changes), NOW)) == refused


def test_an_unavailable_certificate_is_fetched_again_for_a_repeated_message() -> None:
    asked = []

    def away(url: str) -> str:
        asked.append(url)
        raise NoAnswer("slow", "No answer.")

    for _ in range(2):
        assert isinstance(verify(sns(away), notification(), NOW), NotProvenYet)
    assert asked == [CERTIFICATE_URL] * 2
    assert code(verify(sns(lambda _url: "no certificate"), notification(), NOW)) == "sns_certificate"


def test_only_a_certificate_that_has_proven_a_message_is_remembered() -> None:
    asked = []

    def fetch(url: str) -> str:
        asked.append(url)
        return PEM

    for _ in range(2):
        assert code(verify(sns(fetch), notification(Message="{1}"), NOW)) == "signature_wrong"
    for _ in range(3):
        assert isinstance(verify(sns(fetch), notification(), NOW), Verified)
    assert len(asked) == 3


def test_the_least_recently_used_of_sixteen_certificates_is_dropped() -> None:
    PROVEN.clear()
    fetches = [lambda _url: PEM for _ in range(17)]
    for fetch in [*fetches[:16], fetches[0], fetches[16]]:
        assert isinstance(verify(sns(fetch), notification(), NOW), Verified)
    assert [fetch for fetch, _ in PROVEN] == [*fetches[2:16], fetches[0], fetches[16]]


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("https://sns.eu-west-1.amazonaws.com/x?a=1", True),
        ("https://sns.cn-north-1.amazonaws.com.cn/x", True),
        ("https://sns.eu-west-1.amazonaws.com:443/x", False),
        ("https://a@sns.eu-west-1.amazonaws.com/x", False),
        ("https://evil.example/sns.eu-west-1.amazonaws.com", False),
        ("https://sns.eu-west-1.amazonaws.com:99999/x", False),
        ("https://[", False),
        (7, False),
    ],
)
def test_an_address_is_amazon_s_by_its_whole_host(url: Any, right: bool) -> None:
    assert (amazon_url(url) is not None) is right
