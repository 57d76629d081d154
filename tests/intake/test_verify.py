"""Every way in which each kind of proof can fail."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.intake.delivery.inbound import Inbound, make_inbound
from service.intake.verify.signed_parts import UNPROVEN_AT_MOST
from service.intake.verify.twilio import _with_and_without_port
from service.intake.verify.verifier import Refused, Verified
from tests.intake.app import PUBLIC_URL, define, post, verify
from tests.intake.signers import SECRET, SENDERS, STANDARD_SECRET, Outgoing, mislabelled_pem, rsa_public_pem

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BODY = json.dumps({"id": 1, "text": "schön"}, ensure_ascii=False).encode()
FORM = "application/x-www-form-urlencoded"
SIGNED = sorted(
    set(SENDERS)
    - {
        "cloudevents",
        "token",
        "salesforce_flow",
        "freshdesk",
        "gorgias",
        "genesys",
        "django_helpdesk",
        "rocketchat",
        "livechat",
        "amazon_connect",
        "zoho_desk",
        "salesforce_outbound",
    }
)
TIMED = ["standard", "zendesk_event", "front_app", "chatwoot", "hubspot", "dixa", "crisp"]
BODY_SIGNED = [preset for preset in SIGNED if preset != "twilio_conversations"]


def signed(preset: str, body: bytes = BODY, at: datetime = NOW, **changes: Any) -> Inbound:
    content_type = FORM if preset == "twilio_conversations" else "application/json"
    body = b"a=1&b=2" if content_type == FORM and body is BODY else body
    url = f"{PUBLIC_URL}/webhooks/crm/crm"
    out = Outgoing(url, body, {"content-type": content_type, "webhook-id": "msg_1"}, at, **changes)
    SENDERS[preset].sign(out)
    return make_inbound("POST", PUBLIC_URL, "/webhooks/crm/crm", out.query, out.headers.items(), body)


def verdict_of(preset: str, inbound: Inbound, now: datetime = NOW, *keys: str) -> Verified | Refused:
    return verify(define(preset, *(keys or (SENDERS[preset].key(),))), inbound, now)


def signature_header(preset: str) -> str:
    secret = define(preset, SENDERS[preset].key()).secret_headers - {"authorization"}
    return next(name for name in signed(preset).headers if name in secret)


def changed(inbound: Inbound, name: str, change: Callable[[str], str | None]) -> Inbound:
    value = change(inbound.headers[name])
    headers = {k: v for k, v in inbound.headers.items() if k != name}
    return replace(inbound, headers=headers if value is None else {**headers, name: value})


@pytest.mark.parametrize("preset", SIGNED)
def test_what_the_source_signed_is_verified(preset: str) -> None:
    assert isinstance(verdict_of(preset, signed(preset)), Verified)


@pytest.mark.parametrize("preset", SIGNED)
def test_one_changed_byte_is_refused(preset: str) -> None:
    inbound = signed(preset)
    tampered = replace(inbound, body=inbound.body.replace(b"1", b"2", 1))
    assert verdict_of(preset, tampered).code in {"signature_wrong", "body_not_covered"}


@pytest.mark.parametrize("preset", BODY_SIGNED)
def test_the_same_json_with_other_spaces_is_another_message(preset: str) -> None:
    inbound = signed(preset)
    respaced = replace(inbound, body=json.dumps(json.loads(BODY), indent=1).encode())
    assert isinstance(verdict_of(preset, respaced), Refused)


@pytest.mark.parametrize("preset", sorted(set(SIGNED) - {"freshchat", "zoho_salesiq"}))
def test_another_key_is_refused(preset: str) -> None:
    other = {"standard": "whsec_" + "QUJD" * 8, "dixa": "ff" * 32}.get(preset, "another-secret-of-some-length")
    assert verdict_of(preset, signed(preset), NOW, other).code == "signature_wrong"


@pytest.mark.parametrize("preset", SIGNED)
def test_a_missing_signature_is_refused(preset: str) -> None:
    inbound = changed(signed(preset), signature_header(preset), lambda _: None)
    assert verdict_of(preset, inbound).code == "signature_missing"


@pytest.mark.parametrize("preset", SIGNED)
def test_an_empty_signature_is_refused(preset: str) -> None:
    inbound = changed(signed(preset), signature_header(preset), lambda _: "")
    assert verdict_of(preset, inbound).code == "signature_missing"


@pytest.mark.parametrize("preset", SIGNED)
def test_half_a_signature_is_refused(preset: str) -> None:
    inbound = changed(signed(preset), signature_header(preset), lambda value: value[: len(value) // 2])
    assert isinstance(verdict_of(preset, inbound), Refused)


@pytest.mark.parametrize("preset", SIGNED)
def test_a_repeated_signature_header_is_refused(preset: str) -> None:
    inbound = signed(preset)
    name = signature_header(preset)
    pairs = [*inbound.headers.items(), (name, inbound.headers[name])]
    query = inbound.url.partition("?")[2]
    twice = make_inbound("POST", PUBLIC_URL, "/webhooks/crm/crm", query, pairs, inbound.body)
    assert verdict_of(preset, twice).code == "signature_repeated"


@pytest.mark.parametrize("preset", SIGNED)
def test_a_repeated_header_as_wsgi_servers_join_it_is_refused(preset: str) -> None:
    wrong = "A" * 10
    inbound = changed(signed(preset), signature_header(preset), lambda value: f"{wrong},{value}{wrong}")
    assert isinstance(verdict_of(preset, inbound), Refused)


@pytest.mark.parametrize("preset", SIGNED)
def test_a_signature_of_other_letters_than_ascii_is_refused(preset: str) -> None:
    inbound = changed(signed(preset), signature_header(preset), lambda value: value + "é€")
    assert isinstance(verdict_of(preset, inbound), Refused)


@pytest.mark.parametrize("preset", SIGNED)
def test_the_right_digest_in_the_wrong_encoding_is_refused(preset: str) -> None:
    inbound = changed(signed(preset), signature_header(preset), _other_encoding)
    assert isinstance(verdict_of(preset, inbound), Refused)


def _other_encoding(value: str) -> str:
    prefix, raw = "", value
    for known in ("sha1=", "sha256=", "v0,none v1,"):
        if value.startswith(known):
            prefix, raw = known, value.removeprefix(known)
    if ";" in value:  # a time and a hash
        before, _, raw = value.partition(";")
        prefix = f"{before};"
    if ",v1=" in value:
        before, _, raw = value.partition("v1=")
        prefix = f"{before}v1="
    try:
        return prefix + base64.b64encode(bytes.fromhex(raw)).decode()
    except ValueError:
        return prefix + base64.b64decode(raw).hex()


@pytest.mark.parametrize("preset", TIMED)
@pytest.mark.parametrize("seconds", [301, -301])
def test_a_request_signed_too_long_ago_or_ahead_is_refused(preset: str, seconds: int) -> None:
    assert verdict_of(preset, signed(preset, at=NOW - timedelta(seconds=seconds))).code == "timestamp_stale"


@pytest.mark.parametrize("preset", TIMED)
@pytest.mark.parametrize("seconds", [300, -300, 0])
def test_a_request_within_the_tolerance_is_verified(preset: str, seconds: int) -> None:
    assert isinstance(verdict_of(preset, signed(preset, at=NOW - timedelta(seconds=seconds))), Verified)


def test_the_tolerance_is_a_setting() -> None:
    verify_table = {"timestamp": {"tolerance": "10s"}}
    strict = define("chatwoot", verify=verify_table)
    assert verify(strict, signed("chatwoot", at=NOW - timedelta(seconds=11)), NOW).code == "timestamp_stale"
    assert isinstance(verify(strict, signed("chatwoot", at=NOW - timedelta(seconds=9)), NOW), Verified)


@pytest.mark.parametrize("preset", ["zendesk_event", "front_app", "chatwoot", "hubspot", "crisp"])
def test_a_missing_timestamp_is_refused(preset: str) -> None:
    time_header = next(name for name in signed(preset).headers if "timestamp" in name)
    inbound = changed(signed(preset), time_header, lambda _: None)
    assert verdict_of(preset, inbound).code == "timestamp_missing"


@pytest.mark.parametrize("preset", ["standard", "zendesk_event", "front_app", "chatwoot", "hubspot", "crisp"])
def test_a_changed_timestamp_is_a_wrong_signature(preset: str) -> None:
    time_header = next(name for name in signed(preset).headers if "timestamp" in name)
    inbound = changed(signed(preset), time_header, lambda value: value[:-1] + ("0" if value[-1] != "0" else "1"))
    assert verdict_of(preset, inbound).code == "signature_wrong"


def hmac_inbound(timestamp: str, key: str = SECRET) -> Inbound:
    digest = hmac.new(key.encode(), timestamp.encode("latin-1") + b"." + BODY, hashlib.sha256).hexdigest()
    return post(BODY, {"x-chatwoot-timestamp": timestamp, "x-chatwoot-signature": f"sha256={digest}"})


def test_milliseconds_where_seconds_are_expected_are_refused() -> None:
    assert verdict_of("chatwoot", hmac_inbound(str(int(NOW.timestamp() * 1000)))).code == "timestamp_unreadable"


@pytest.mark.parametrize("timestamp", ["soon", "1e9", "NaN", "-", "99999999999999999999", "\xff", "1\xa0"])
def test_an_unreadable_timestamp_is_refused(timestamp: str) -> None:
    assert verdict_of("chatwoot", hmac_inbound(timestamp)).code in {"timestamp_unreadable", "timestamp_stale"}


def test_a_signature_with_two_times_is_refused() -> None:
    inbound = changed(signed("dixa"), "x-dixa-signature", lambda value: f"t=1,{value}")
    assert verdict_of("dixa", inbound).code == "timestamp_repeated"


def test_the_second_of_two_keys_is_named() -> None:
    assert verdict_of("chatwoot", signed("chatwoot"), NOW, "an-older-secret-of-30-letters", SECRET) == Verified(
        1, "hmac"
    )


def test_a_wrong_signature_beside_the_right_one_does_not_hurt_during_rotation() -> None:
    inbound = changed(
        signed("standard"), "webhook-signature", lambda v: f"v1,{base64.b64encode(b'x' * 32).decode()} {v}"
    )
    assert isinstance(verdict_of("standard", inbound), Verified)


def test_an_empty_signature_beside_the_right_one_does_not_hurt() -> None:
    inbound = changed(signed("standard"), "webhook-signature", lambda value: f"v1, {value}")
    assert isinstance(verdict_of("standard", inbound), Verified)


@pytest.mark.parametrize("body", [b'{"a": "\\u0000"}', b"\xff\xfe", b"\x00", b"", b"[" * 5000])
def test_a_strange_body_is_verified_by_its_bytes_alone(body: bytes) -> None:
    assert isinstance(verdict_of("chatwoot", signed("chatwoot", body)), Verified)


def test_both_labels_of_freshchat_s_pem_are_read() -> None:
    for key in (mislabelled_pem(), rsa_public_pem(), mislabelled_pem().replace("\n", " ")):
        assert isinstance(verdict_of("freshchat", signed("freshchat"), NOW, key), Verified)


def test_a_standard_webhooks_sender_with_ed25519_is_verified_and_its_key_is_no_hmac_secret() -> None:
    private = Ed25519PrivateKey.generate()
    raw = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    public = "whpk_" + base64.b64encode(raw).decode()
    message = f"msg_1.{int(NOW.timestamp())}.".encode() + BODY
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(NOW.timestamp()))}
    good = {**headers, "webhook-signature": "v1a," + base64.b64encode(private.sign(message)).decode()}
    definition = define("standard", STANDARD_SECRET, public)
    assert verify(definition, post(BODY, good), NOW) == Verified(1, "public_key")
    # anybody knows the public key: it must not work as a shared secret
    forged = base64.b64encode(hmac.new(raw, message, hashlib.sha256).digest()).decode()
    assert isinstance(verify(definition, post(BODY, {**headers, "webhook-signature": f"v1,{forged}"}), NOW), Refused)


def test_a_token_may_come_in_any_of_its_places() -> None:
    definition = define("token")
    assert isinstance(verify(definition, post({}, {"authorization": f"Bearer {SECRET}"}), NOW), Verified)
    assert isinstance(verify(definition, post({}, {"authorization": f"bearer {SECRET}"}), NOW), Verified)
    assert isinstance(verify(definition, post({}, {"x-webhook-token": SECRET}), NOW), Verified)
    assert isinstance(verify(definition, post({}, {}, f"token={SECRET}"), NOW), Verified)


@pytest.mark.parametrize(
    ("headers", "query", "code"),
    [
        ({}, "", "token_missing"),
        ({"authorization": ""}, "", "token_missing"),
        ({"authorization": "Bearer "}, "", "token_unreadable"),
        ({"authorization": "Bearer nope"}, "", "token_wrong"),
        ({"authorization": f"Basic {SECRET}"}, "", "token_unreadable"),
        ({"authorization": f"Bearer {SECRET},Bearer {SECRET}"}, "", "token_wrong"),
        ({"authorization": "Bearer é€"}, "", "token_wrong"),
        ({"x-webhook-token": SECRET[:-1]}, "", "token_wrong"),
        ({}, f"token={SECRET}&token={SECRET}", "token_repeated"),
        ({}, "token=", "token_missing"),
    ],
)
def test_a_token_that_is_not_the_source_s_is_refused(headers: dict[str, str], query: str, code: str) -> None:
    verdict = verify(define("token"), post({}, headers, query), NOW)
    assert isinstance(verdict, Refused)
    assert verdict.code == code


BASIC = {"kind": "basic", "user": "zoë"}


def basic(credentials: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}


def test_basic_takes_the_user_and_any_of_the_passwords() -> None:
    definition = define("token", "old-password", SECRET, verify=BASIC)
    assert verify(definition, post({}, basic(f"zoë:{SECRET}")), NOW) == Verified(1, "basic")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "token_missing"),
        (basic("zoë:wrong"), "token_wrong"),
        (basic(f"joe:{SECRET}"), "token_wrong"),
        (basic("zoë"), "token_wrong"),
        ({"authorization": "Basic ???"}, "token_unreadable"),
        ({"authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()}, "token_unreadable"),
        ({"authorization": f"Bearer {SECRET}"}, "token_unreadable"),
    ],
)
def test_basic_refuses_everything_else(headers: dict[str, str], code: str) -> None:
    verdict = verify(define("token", verify=BASIC), post({}, headers), NOW)
    assert isinstance(verdict, Refused)
    assert verdict.code == code


TENANT = {
    "all_of": [
        {"kind": "body_equals", "expression": "b.org_id", "equals": ["00D1", "00D2"]},
        {"kind": "static", "header": "authorization", "scheme": "Bearer "},
    ]
}


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        ({"org_id": "00D2"}, {"authorization": f"Bearer {SECRET}"}, None),
        ({"org_id": "00D9"}, {"authorization": f"Bearer {SECRET}"}, "body_differs"),
        ({}, {"authorization": f"Bearer {SECRET}"}, "body_differs"),
        ({"org_id": ["00D2"]}, {"authorization": f"Bearer {SECRET}"}, "body_differs"),
        ({"org_id": "00D2"}, {}, "token_missing"),
        (b"{", {"authorization": f"Bearer {SECRET}"}, "body_unreadable"),
        (b"[" * 100_000, {"authorization": f"Bearer {SECRET}"}, "body_unreadable"),
    ],
)
def test_all_of_demands_every_proof(body: Any, headers: dict[str, str], code: str | None) -> None:
    verdict = verify(define("token", verify=TENANT), post(body, headers), NOW)
    assert getattr(verdict, "code", None) == code


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/xml; charset=utf-8", b"<org_id>00D%s</org_id>"),
        ("application/x-www-form-urlencoded", b"org_id=00D%s"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="org_id"\r\n\r\n00D%s\r\n--b--\r\n',
        ),
    ],
)
def test_a_value_is_found_in_every_kind_of_body(content_type: str, body: bytes) -> None:
    headers = {"authorization": f"Bearer {SECRET}", "content-type": content_type}
    assert isinstance(verify(define("token", verify=TENANT), post(body % b"1", headers), NOW), Verified)
    verdict = verify(define("token", verify=TENANT), post(body % b"9", headers), NOW)
    assert isinstance(verdict, Refused)
    assert verdict.code == "body_differs"


def test_no_xml_is_read_for_a_token() -> None:
    definition = define("token", verify={"kind": "static", "body": "b.org_id"})
    verdict = verify(definition, post(f"<org_id>{SECRET}</org_id>".encode(), {"content-type": "text/xml"}), NOW)
    assert isinstance(verdict, Refused)
    assert verdict.code == "body_unreadable"


def test_an_unproven_body_is_not_even_parsed() -> None:
    verdict = verify(define("token", verify=TENANT), post(b"not json", {"authorization": "Bearer nope"}), NOW)
    assert isinstance(verdict, Refused)
    assert verdict.code == "token_wrong"


COMPACT = {"kind": "hmac", "digest": "sha1", "signed": ["body_compact"], "signature": "x-signature"}


@pytest.mark.parametrize("proof", [{"kind": "static", "body": "b.org_id"}, COMPACT], ids=["token", "compact"])
def test_a_body_that_is_parsed_before_it_is_proven_is_short(proof: dict[str, Any]) -> None:
    definition = define("token", verify=proof)
    for longer, said in ((0, "verified"), (1, "body_too_large")):
        text = json.dumps({"org_id": SECRET, "rest": ""}, separators=(",", ":"))
        body = text.replace('""', '"' + "x" * (UNPROVEN_AT_MOST - len(text) + longer) + '"').encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
        verdict = verify(definition, post(body, {"x-signature": signature}), NOW)
        assert getattr(verdict, "code", "verified") == said


def twilio(body: bytes, query: str = "", content_type: str = "application/json", port: str = "") -> Inbound:
    path = "/webhooks/crm/crm"
    url = PUBLIC_URL + port + path + (f"?{query}" if query else "")
    digest = base64.b64encode(hmac.new(SECRET.encode(), url.encode(), hashlib.sha1).digest()).decode()
    headers = {"content-type": content_type, "x-twilio-signature": digest}
    return make_inbound("POST", PUBLIC_URL, path, query, headers.items(), body)


def test_twilio_json_without_a_digest_in_the_address_is_not_covered() -> None:
    assert verdict_of("twilio_event_streams", twilio(b"[]")).code == "body_not_covered"


def test_twilio_json_with_another_body_s_digest_is_refused() -> None:
    query = "bodySHA256=" + hashlib.sha256(b"[1]").hexdigest()
    assert verdict_of("twilio_event_streams", twilio(b"[]", query)).code == "signature_wrong"


def test_twilio_with_two_digests_in_the_address_is_refused() -> None:
    digest = hashlib.sha256(b"[]").hexdigest()
    inbound = twilio(b"[]", f"bodySHA256={digest}&bodySHA256={digest}")
    assert verdict_of("twilio_event_streams", inbound).code == "signature_repeated"


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("http://a.example/x", "http://a.example:80/x"),
        ("https://a.example/x", "https://a.example:443/x"),
        ("https://a.example:8443/x", "https://a.example/x"),
    ],
)
def test_an_address_is_tried_with_and_without_its_port(url: str, other: str) -> None:
    assert list(_with_and_without_port(url)) == [url, other]


def test_twilio_signs_with_and_without_the_port() -> None:
    query = "bodySHA256=" + hashlib.sha256(b"[]").hexdigest()
    assert isinstance(verdict_of("twilio_event_streams", twilio(b"[]", query, port=":443")), Verified)
    assert isinstance(verdict_of("twilio_event_streams", twilio(b"[]", query, port=":8443")), Refused)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"a=%FF", "signature_wrong"),
        (b"\xff", "body_unreadable"),
        (b"&".join([b"a=1"] * 1001), "body_unreadable"),
        (b"&".join([b"a=1"] * 1000), "signature_wrong"),
    ],
)
def test_a_form_that_cannot_be_read_is_refused(body: bytes, said: str) -> None:
    assert verdict_of("twilio_conversations", twilio(body, content_type=FORM)).code == said


def test_a_field_of_a_form_that_was_left_empty_is_signed_too() -> None:
    assert isinstance(verdict_of("twilio_conversations", signed("twilio_conversations", b"a=&b=2")), Verified)


def test_the_address_is_ours_whatever_the_host_header_says() -> None:
    inbound = make_inbound("POST", PUBLIC_URL, "/webhooks/crm/crm", "", [("host", "evil.example")], b"")
    assert inbound.url == "https://feedback.example.com/webhooks/crm/crm"
