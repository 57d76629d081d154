"""Signatures made by others: official, third-party and calculated vectors."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from service.intake.delivery.inbound import make_inbound
from service.intake.verify.shared_secret import Hmac
from service.intake.verify.verifier import Key, Refused, Verified
from tests.intake.app import define, verify

ZENDESK_TEST_KEY = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="
B2 = (
    b'{"type":"conversation.ended","timestamp":"2025-11-22T17:00:00Z",'
    b'"data":{"conversation_id":"c-1","x_user_id":"2244994945"}}'
)
B6 = (
    b'[{"eventId":1,"subscriptionType":"conversation.propertyChange","propertyName":"status",'
    b'"propertyValue":"CLOSED","objectId":7}]'
)
B9 = (
    b'{"kind":"notification","body":{"changes":[{"originatorId":'
    b'"2969e404f3be1c8cdda63f0b72d205ab5afb3fe3e3d7d72ab58245f564fdfd91","originatorMetadata":{"id":'
    b'"2969e404f3be1c8cdda63f0b72d205ab5afb3fe3e3d7d72ab58245f564fdfd91","role":"CONSUMER"},"event":{"type":'
    b'"ChatStateEvent","chatState":"PAUSE"},"conversationId":"b8b83fe9-75f0-46f2-baaa-2930f7192cfb","dialogId":'
    b'"b8b83fe9-75f0-46f2-baaa-2930f7192cfb"}]},"type":"ms.MessagingEventNotification"}'
)
B10 = (
    b'{"actor":{"actor_type":"user","actor_id":"882f3926-b292-414b-a411-96380db373cd"},"action":"message_create",'
    b'"action_time":"2019-06-21T17:43:20.875Z","data":{"message":{"message_parts":[{"text":{"content":"Test 2"}}],'
    b'"app_id":"55b190fa-5d3c-45c4-bc49-74ddcfcf53d7","actor_id":"882f3926-b292-414b-a411-96380db373cd",'
    b'"id":"7a454fde-c720-4c97-a61d-0ffe70449eb6","channel_id":"c8fddfaf-622a-4a0e-b060-4f3ccbeab606",'
    b'"conversation_id":"c327498e-f713-481e-8d83-0603e03d2521","message_type":"normal","actor_type":"user",'
    b'"created_time":"2019-06-21T17:43:20.866Z"}}}'
)
K10 = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuGJLF4hTTtxWogT6dNkGf3CEgLAR2mGJzlds5cNbrHFoJNFnmVhkRYGzLYxx4EtDiezN"
    "CZVHfyMI2AKuNSQW2fEdDatVIG+q3Zr/X9eeDl8kQOGy804J/fgCYDrN8RQu0n5Dh1inv4puca0wb29SCvoAwrWb33ehDBIvv6+rUKBdjtv2xTV6"
    "5kNiVDo5VRCaYRVeE10osxeONgw55HVY4nczuxnR+dmc2282de6WHe5LXtr0ZBdJ8yttFOLIluZ/sNM5DIWZBkIWQhyT581tbA7bTpsIbrT/IMBl"
    "mioIILw8WGtI7zcmNkjU5dnq5HnlVKEDhj/Ug/dLiyno8+Vp7QIDAQAB"
)
S10 = (
    "AhrmypOSWoewHG6LmIRuWjxyokuMDmPklrSU9p0gpUNjdSRCJzvpL6rjuTi5poV/ZLzWRWNM7X9yWjT5m9YFPshYrvigcd1ph4Ot2xmaJGYoUNJH"
    "ijQccE6oDtDIp6i/8oLRafHgObQnGukZWPbP9OE5EiKz/VcsMP0Wv7hawI/sfIviM0w+6fNOKXWi0jDBH9ap1mj5CqOUOojni7OD5iYmIrjV/h33"
    "dyNmbvAta9E+trzcEhYqxfHIN4Z8R2FsatfRHWicoQ4PE5cQ8+UONVya8qr85nQ9w8N7Ql7yNg9fEViYG4/W/JnGEbPPEf8WrYtKzoVyuupDz4mV"
    "HdfKWg=="
)
B11 = (
    b'{\n\t"type": "zen:event-type:user.group_membership_created",\n\t"account_id": 12514403,\n\t"id": '
    b'"6b9bbadf-5725-4e92-bebe-7b71011bf5f1",\n\t"subject": "zen:user:6596848315901",\n\t"time": '
    b'"2099-07-04T05:33:18Z",\n\t"zendesk_event_version": "2022-06-20",\n\t"detail": {\n\t\t"created_at": '
    b'"2099-07-04T05:27:58Z",\n\t\t"default_group_id": "0",\n\t\t"email": "user.name@example.com",\n\t\t"external_id": '
    b'"",\n\t\t"id": "6596848315901",\n\t\t"organization_id": "0",\n\t\t"role": "end-user",\n\t\t"updated_at": '
    b'"2099-07-04T05:33:18Z"\n\t},\n\t"event": { "group": { "id": "1" } }\n}\n'
)
B12 = (
    b'{"type":"zen:event-type:ticket.status_changed","id":"01JQTEST0000000000000000ZD","detail":{"id":"5158",'
    b'"status":"SOLVED","via":{"channel":"twitter_dm"}},"event":{"current":"SOLVED","previous":"OPEN"}}'
)
B21 = (
    b'{"website_id":"w-demo","event":"session:set_state","data":{"session_id":"session_demo","state":"resolved"},'
    b'"timestamp":1763830800123}'
)
AT = datetime(2025, 11, 22, 17, 0, tzinfo=UTC)
STANDARD = {"webhook-id": "msg_demo_0001", "webhook-timestamp": "1763830800"}
# preset, key, url (None: ours), headers, body, the moment of signing
VECTORS: dict[str, tuple[str, str, str | None, dict[str, str], bytes, datetime]] = {
    "1 standard webhooks v1, official": (
        "standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", None,
        {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
         "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        b'{"test": 2432232314}', datetime.fromtimestamp(1614265330, UTC),
    ),
    "2 standard webhooks v1": (
        "standard", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", None,
        {**STANDARD, "webhook-signature": "v1,hi2hWKF5+emebJkZv2FbrOzE1Eifr6Yj8GNS5gQ96io="}, B2, AT,
    ),
    "3 standard webhooks v1a": (
        "standard", "whpk_I7xUkSwebpLEqGglyGfif/3FVb/71CRPF6Jqv//ull0=", None,
        {**STANDARD, "webhook-signature": "v1a,DpBec9a4cbopBYYMno3rZsNudcOCjVAeF8go7asDL7m8Bbn8oOVR4NXE8qExJ6ecn4qc75"
         "QpdINByFa1IW7XCA=="}, B2, AT,
    ),
    "4 hubspot v3, official": (
        "hubspot", "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", "https://www.example.com/webhook_uri",
        {"x-hubspot-request-timestamp": "15000000",
         "x-hubspot-signature-v3": "HPW73RUtKmcYoEDADG0s6MmGFWUzWJKAW07r8RDgcQw="},
        b"{'example_field':'example_value'}", datetime.fromtimestamp(15000, UTC),
    ),
    "6 hubspot v3": (
        "hubspot", "hubspot_client_secret_demo", "https://survey.example.com/in/hubspot",
        {"x-hubspot-request-timestamp": "1763830800123",
         "x-hubspot-signature-v3": "mBRkIroVetbKK/fj8vArj1utn6VhW3r7FiCGG+LIH8s="}, B6, AT,
    ),
    "7 twilio form, official": (
        "twilio_conversations", "12345", "https://mycompany.com/myapp.php?foo=1&bar=2",
        {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
        b"CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309", AT,
    ),
    "8 twilio json, official": (
        "twilio_conversations", "12345",
        "https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256="  # noqa: ISC004 - one address
        "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
        {"x-twilio-signature": "a9nBmqA0ju/hNViExpshrM61xv4="}, b'{"property": "value", "boolean": true}', AT,
    ),
    "8 twilio form by a shared key, vendor's library": (
        "twilio_conversations", "12345", "https://mycompany.com/myapp.php?foo=1&bar=2",
        {"content-type": "application/x-www-form-urlencoded",
         "x-twilio-webhooks-signature-settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256",
         "x-twilio-signature": "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s="},
        b"CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309", AT,
    ),
    "8 twilio json by a shared key, vendor's library": (
        "twilio_event_streams", "12345",
        "https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256="  # noqa: ISC004 - one address
        "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
        {"x-twilio-signature": "+UOCWf84gdgo/5Hpg4m5/EgKnJA2/TbOw5sPNVr3bPk="},
        b'{"property": "value", "boolean": true}', AT,
    ),
    "9 liveperson, official": (
        "liveperson", "rl9hacst6kqilbofup64n11ga3", None,
        {"x-liveperson-signature": "sha1=e/TfS0wv1HbvEsMqcBMmFLcMslI="}, B9, AT,
    ),
    "10 freshchat, captured": ("freshchat", K10, None, {"x-freshchat-signature": S10}, B10, AT),
    "15 intercom": (
        "intercom", "ic_client_secret_demo", None,
        {"x-hub-signature": "sha1=bb989d91d5e9972a0f111e9e7da3a8917426ee3d"},
        b'{"type":"notification_event","topic":"conversation.admin.closed","id":"notif_0001"}', AT,
    ),
    "16 chatwoot": (
        "chatwoot", "cw_secret_demo", None,
        {"x-chatwoot-timestamp": "1763830800",
         "x-chatwoot-signature": "sha256=f6ce53519ad7ead110809e6a7e843eded2644531bf17eb7258e56ef9120549ef"},
        b'{"event":"conversation_status_changed","id":42,"status":"resolved"}', AT,
    ),
    "17 front app": (
        "front_app", "front_signing_key_demo", None,
        {"x-front-request-timestamp": "1763830800123",
         "x-front-signature": "j91CGUR1zHp6UyknjScAwPOKHNVSDeEDLHcviPaHuUc="},
        b'{"type":"archive","authorization":{"id":"cmp_demo"},"payload":{"id":"evt_demo1"}}', AT,
    ),
    "18 front rule": (
        "front_rule", "front_api_secret_demo", None, {"x-front-signature": "yjvzZagW9bkCxd0iwGnCtGSN9o8="},
        b'{"id":"evt_demo1","type":"archive"}', AT,
    ),
    "18 front rule, signed as compact JSON": (
        "front_rule", "front_api_secret_demo", None, {"x-front-signature": "yjvzZagW9bkCxd0iwGnCtGSN9o8="},
        b'{"id": "evt_demo1", "type": "archive"}', AT,
    ),
    "19 help scout": (
        "helpscout", "hs_secret_demo", None, {"x-helpscout-signature": "wXBWxes0dzpExuGXhgE9X+RkErw="},
        b'{"id":123,"status":"closed","source":{"type":"api","via":"customer"}}', AT,
    ),
    "20 dixa": (
        "dixa", "00112233445566778899aabbccddeeff" * 2, None,
        {"x-dixa-signature": "t=1763830800123,v1=41a924712a7cee671f024b1fba67fd4452e81fea70001c0e18b1d23f3d7c8b0c"},
        b'{"event_id":"8a0c4f0e-0000-4000-8000-000000000001","event_fqn":"CONVERSATION_CLOSED"}', AT,
    ),
    "21 crisp": (
        "crisp", "crisp_secret_demo", None,
        {"x-crisp-request-timestamp": "1763830800123",
         "x-crisp-signature": "214db524f424574d136317cacc23f46a92176ace5fa942c46ab16b81c8567d28"},
        B21, AT,
    ),
    "22 kustomer": (
        "kustomer", "kustomer_token_demo", None,
        {"x-kustomer-webhook-signature": "c9c71b90fc24e0a72257e1004a7cad285cf9628af217ba1ea9c87af8e97aaba2"},
        b'{"id":"evt1","name":"kustomer.conversation.update"}', AT,
    ),
}  # fmt: skip


def request_of(url: str | None, headers: dict[str, str], body: bytes) -> Any:
    base, _, rest = (url or "https://feedback.example.com/webhooks/crm/crm").partition("://")
    host, slash, path = rest.partition("/")
    path, _, query = path.partition("?")
    pairs = {"content-type": "application/json", **headers}.items()
    return make_inbound("POST", f"{base}://{host}", slash + path, query, pairs, body)


@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_verifies(name: str) -> None:
    preset, key, url, headers, body, at = VECTORS[name]
    assert isinstance(verify(define(preset, key), request_of(url, headers, body), at), Verified)


@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_with_one_flipped_byte_does_not(name: str) -> None:
    preset, key, url, headers, body, at = VECTORS[name]
    flipped = body[:-3] + bytes([body[-3] ^ 1]) + body[-2:]
    verdict = verify(define(preset, key), request_of(url, headers, flipped), at)
    assert isinstance(verdict, Refused)
    assert verdict.code in {"signature_wrong", "body_unreadable"}


@pytest.mark.parametrize(
    ("part", "signature"),
    [
        ("body_sha256", "BUVDWktQUwerKfxfLTDurPCyuY983MeHgsFG1+MA2Y4="),  # as Bird signs (D)
        ("body_sha256:hex", "g3cWWeOpKS4/+FORppNvYX7WYFv/kJ+ZmonUDTgNtMs="),
        ("body_sha256:base64", "3q1Hg4pT/UpYubMDCFYUX1Fy9QKhQre+ajBTAdmMd4s="),
    ],
)
def test_a_signature_may_cover_the_body_by_its_digest(part: str, signature: str) -> None:
    """Calculated by another language's library."""
    time = "header:messagebird-request-timestamp"
    verifier = {
        "kind": "hmac", "digest": "sha256", "encoding": "base64", "signature": "messagebird-signature",
        "signed": [time, "literal:\n", "url", "literal:\n", part], "timestamp": {"from": time},
    }  # fmt: skip
    definition = define("token", "bird_signing_key_demo", verify=verifier)
    body = b'{"event":"conversation.updated","payload":{"id":"c-1","status":"closed"}}'
    headers = {"messagebird-request-timestamp": "1763830800", "messagebird-signature": signature}
    assert isinstance(verify(definition, request_of(None, headers, body), AT), Verified)
    assert isinstance(verify(definition, request_of(None, headers, body + b" "), AT), Refused)


def test_the_official_negative_of_standard_webhooks_is_refused() -> None:
    preset, key, url, headers, body, at = VECTORS["1 standard webhooks v1, official"]
    wrong = {**headers, "webhook-signature": headers["webhook-signature"].replace("J1OE=", "J1OA=")}
    assert isinstance(verify(define(preset, key), request_of(url, wrong, body), at), Refused)


def test_a_hex_key_taken_as_text_is_refused() -> None:
    headers = {
        "x-dixa-signature": "t=1763830800123,v1=e4f38a91e2f5272b945bc1fbb7fe9de913fd55855cbbb0f9c383222a5c231fe4"
    }
    preset, key, url, _, body, at = VECTORS["20 dixa"]
    verdict = verify(define(preset, key), request_of(url, headers, body), at)
    assert isinstance(verdict, Refused)
    assert verdict.code == "signature_wrong"


@pytest.mark.parametrize(
    ("timestamp", "signature", "body"),
    [
        ("1234", "10IqYzYTLHRftNsNE+im0DeOM6/JactIRuy0XCHJ9B8=", B11),
        ("2025-11-22T17:00:00Z", "F1DfITAUZ35Dd2StzWrKTNPqBQ1CmYYXSUoLLlfqHi4=", B12),
    ],
)
def test_zendesk_s_layout_matches_its_vectors(timestamp: str, signature: str, body: bytes) -> None:
    """With the age left out: the third-party vector's time is `1234`, and its key is refused in settings."""
    real = define("zendesk_event", "another-key-that-is-long-enough")
    verifier = real.verifiers[0]
    assert isinstance(verifier, Hmac)
    known = replace(verifier, timestamp=None, secrets=(Key(0, ZENDESK_TEST_KEY.encode()),))
    headers = {"x-zendesk-webhook-signature-timestamp": timestamp, "x-zendesk-webhook-signature": signature}
    assert verify(replace(real, verifiers=(known,)), request_of(None, headers, body), AT) == Verified(0, "hmac")


def test_a_delivery_signed_with_zendesk_s_public_test_key_is_refused() -> None:
    headers = {
        "x-zendesk-webhook-signature-timestamp": "2025-11-22T17:00:00Z",
        "x-zendesk-webhook-signature": "F1DfITAUZ35Dd2StzWrKTNPqBQ1CmYYXSUoLLlfqHi4=",
    }
    own = define("zendesk_event", "the-webhook-s-own-secret-of-32-characters")
    assert isinstance(verify(own, request_of(None, headers, B12), AT), Refused)


def test_the_reference_library_of_standard_webhooks_agrees(now: datetime) -> None:
    key = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
    signature = Webhook(key).sign("msg_1", now, B2.decode())
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    definition = define("standard", key)
    assert isinstance(verify(definition, request_of(None, headers, B2), now), Verified)
    assert isinstance(verify(definition, request_of(None, headers, B2), now + timedelta(seconds=301)), Refused)
