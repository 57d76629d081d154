"""The questions CRMs ask before they send, and what strangers are answered."""

import hmac
import json
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy.engine import Engine
from structlog.testing import capture_logs

from service.crm_api.get import NoAnswer
from service.errors import Unavailable
from service.intake import handshake
from service.settings import SettingsError
from tests.intake.app import App, define, post, settings_with
from tests.intake.signers import SECRET, SENDERS, Outgoing

ORIGIN = "eventemitter.example.com"
SYNC = json.dumps({"type": "sync", "authorization": {"id": "cmp"}, "payload": {}}).encode()


META = {
    "when": "q.\"hub.mode\" == 'subscribe'",
    "value": 'q."hub.challenge"',
    "token": 'q."hub.verify_token"',
    "signed": False,
}
GRAPH = {"when": "q.validationToken != `null`", "value": "q.validationToken", "signed": False}
GRID = {
    "when": "b[0].eventType == 'Microsoft.EventGrid.SubscriptionValidationEvent'",
    "value": "b[0].data.validationCode",
    "key": "validationResponse",
}
ZOOM: dict[str, Any] = {
    "verify": {
        "kind": "hmac",
        "digest": "sha256",
        "signed": ["literal:v0:", "header:x-zm-request-timestamp", "literal::", "body"],
        "signature": {"header": "x-zm-signature", "prefix": "v0="},
        "timestamp": {"from": "header:x-zm-request-timestamp", "format": "unix_s"},
    },
    "handshake": {
        "answers": [{
            "when": "b.event == 'endpoint.url_validation'",
            "value": "b.payload.plainToken",
            "key": "plainToken",
            "proof": "encryptedToken",
        }]
    },
    "events": {"ended": "b.event == 'contact_center.engagement_ended'"},
    "map": {"conversation_id": "b.payload.object.engagement_id", "ended_at": "b.event_ts"},
}  # fmt: skip
OF_A_LIST: dict[str, Any] = {
    "handshake": {
        "answers": [{"when": "b.type == 'url_verification'", "value": "b.challenge", "key": "challenge"}],
        "acknowledge": "b.type == 'ping'",
    },
    "events": {"split": "data.events"},
}
ZENDESK_TEST_KEY = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="


@pytest.fixture
def app(sqlite_engine: Engine, now: datetime) -> App:
    events = {"preset": "cloudevents", "keys": [SECRET]}
    listed = {"cloudevents_origins": [ORIGIN.upper()], "cloudevents_rate": 120}
    sources = {
        "events": {**events, "handshake": listed},
        "closed": events,
        "front_app": {"preset": "front_app", "keys": [SECRET]},
        "intercom": {"preset": "intercom", "keys": [SECRET]},
        "sprinklr": {"preset": "sprinklr", "keys": [SECRET]},
        "zendesk": {"preset": "zendesk_event", "keys": [SECRET]},
        "meta": {
            "preset": "token",
            "keys": ["an-older-token-of-some-length", SECRET],
            "handshake": {"answers": [META]},
        },
        "graph": {"preset": "token", "keys": [SECRET], "handshake": {"answers": [GRAPH]}},
        "zoom": {"keys": [SECRET, "an-older-secret-of-some-length"], **ZOOM},
        "split": {"preset": "token", "keys": [SECRET], **OF_A_LIST},
        "grid": {"preset": "token", "keys": [SECRET], "handshake": {"answers": [GRID]}, "events": {"split": "@"}},
    }
    return App(settings_with(sources), sqlite_engine, now)


def options(app: App, name: str, **headers: str) -> object:
    return app.client.options(f"/webhooks/crm/{name}", headers={k.replace("_", "-"): v for k, v in headers.items()})


def test_a_signed_challenge_is_echoed_and_nothing_stored(app: App) -> None:
    response = app.send("front_app", SYNC, {"x-front-challenge": "abc"})
    assert response.get_json() == {"challenge": "abc"}
    assert app.deliveries == []


def test_an_unsigned_challenge_is_401(app: App) -> None:
    response = app.send("front_app", SYNC, {"x-front-challenge": "abc"}, lambda _out: None)
    assert response.status_code == 401
    assert b"abc" not in response.data


def test_a_challenge_header_on_an_ordinary_event_is_no_challenge(app: App) -> None:
    response = app.send("front_app", b'{"type": "other", "payload": {"type": "assign"}}', {"x-front-challenge": "abc"})
    assert response.get_json()["ignored"] == 1


def test_a_challenge_is_answered_as_json_whatever_it_holds(app: App) -> None:
    response = app.send("front_app", SYNC, {"x-front-challenge": "<script>" + "a" * 2000})
    assert response.content_type == "application/json"
    assert len(response.get_json()["challenge"]) == 512


def test_a_signed_ping_is_acknowledged_and_not_stored(app: App) -> None:
    response = app.send("intercom", b'{"topic": "ping"}')
    assert (response.status_code, response.get_json()) == (200, {})
    assert app.deliveries == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]"])
def test_a_body_that_cannot_be_read_is_no_handshake(app: App, body: bytes) -> None:
    assert app.send("intercom", body).status_code == 200
    assert len(app.deliveries) == 1


def test_a_listed_cloudevents_origin_is_welcomed_with_its_rate(app: App) -> None:
    response = options(app, "events", WebHook_Request_Origin=ORIGIN, WebHook_Request_Rate="90")
    assert response.status_code == 200
    assert response.headers["WebHook-Allowed-Origin"] == ORIGIN
    assert response.headers["WebHook-Allowed-Rate"] == "90"
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize(("asked", "allowed"), [("1000", "120"), ("many", "120"), ("²", "120"), ("9" * 5000, "120")])
def test_no_more_than_our_own_rate_is_allowed(app: App, asked: str, allowed: str) -> None:
    response = options(app, "events", WebHook_Request_Origin=ORIGIN, WebHook_Request_Rate=asked)
    assert response.headers["WebHook-Allowed-Rate"] == allowed


def test_an_origin_is_a_dns_name_and_its_case_means_nothing(app: App) -> None:
    response = options(app, "events", WebHook_Request_Origin=ORIGIN.title())
    assert response.headers["WebHook-Allowed-Origin"] == ORIGIN.title()


def test_no_rate_is_named_where_none_was_asked(app: App) -> None:
    assert "WebHook-Allowed-Rate" not in options(app, "events", WebHook_Request_Origin=ORIGIN).headers


@pytest.mark.parametrize("name", ["events", "closed"])
def test_an_origin_that_is_not_listed_is_refused(app: App, name: str) -> None:
    response = options(app, name, WebHook_Request_Origin="evil.example")
    assert response.status_code == 403
    assert response.get_json()["code"] == "origin_not_allowed"
    assert "WebHook-Allowed-Origin" not in response.headers


def test_options_without_an_origin_is_no_consent(app: App) -> None:
    response = options(app, "events")
    assert response.status_code == 200
    assert "WebHook-Allowed-Origin" not in response.headers


def test_a_callback_is_named_in_the_log_and_never_fetched(app: App) -> None:
    with capture_logs() as logs:
        options(app, "events", WebHook_Request_Origin=ORIGIN, WebHook_Request_Callback="http://10.0.0.1/secret")
    assert [entry["event"] for entry in logs] == ["intake.callback_not_fetched"]
    assert "10.0.0.1" not in str(logs)


def test_the_signer_of_the_preset_is_the_one_that_was_tested(app: App) -> None:
    assert app.send("intercom", b'{"topic": "ping"}', sign=SENDERS["front_app"].sign).status_code == 401


# -- questions nobody signs, answered only where the definition names them


@pytest.mark.parametrize("body", [b"", b"{}", b" {}\n"])
def test_an_empty_check_needs_no_signature_and_leaves_nothing(app: App, body: bytes) -> None:
    response = app.client.post("/webhooks/crm/sprinklr", data=body)
    assert (response.status_code, response.get_json()) == (200, {})
    assert app.send("sprinklr", body, sign=SENDERS["sprinklr"].sign).status_code == 200
    assert app.deliveries == []


def test_an_empty_check_must_be_in_the_definition_and_unsigned(app: App) -> None:
    assert app.client.post("/webhooks/crm/intercom", data=b"{}").status_code == 401
    wrong = {"x-hub-signature": "sha256=" + "0" * 64}
    assert app.client.post("/webhooks/crm/sprinklr", data=b"{}", headers=wrong).status_code == 401
    assert app.client.post("/webhooks/crm/sprinklr?token=wrong", data=b"{}").status_code == 401
    assert app.client.post("/webhooks/crm/sprinklr", data=b'{"type": "case.update"}').status_code == 401


def test_the_vendor_s_test_button_is_answered_and_its_event_never_read(app: App) -> None:
    def sign(out: Outgoing) -> None:
        out.secret = ZENDESK_TEST_KEY
        SENDERS["zendesk_event"].sign(out)

    response = app.send("zendesk", ZENDESK_END, sign=sign)
    assert (response.status_code, response.get_json()) == (200, {})
    assert app.deliveries == app.requests == []
    assert app.send("zendesk", ZENDESK_END, sign=SENDERS["zendesk_event"].sign).get_json()["accepted"] == 1


ZENDESK_END = json.dumps({
    "type": "zen:event-type:ticket.status_changed", "id": "e", "time": "2026-11-22T11:00:00Z", "detail": {"id": "5"},
    "event": {"current": "SOLVED", "previous": "OPEN"},
}).encode()  # fmt: skip


def test_a_challenge_in_the_address_is_answered_as_text_to_whoever_knows_a_key(app: App) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "77", "hub.verify_token": SECRET}
    response = app.client.get("/webhooks/crm/meta", query_string=asked)
    assert (response.status_code, response.data) == (200, b"77")
    assert response.content_type.startswith("text/plain")
    for wrong in ({**asked, "hub.verify_token": "no"}, {"hub.mode": "subscribe", "hub.challenge": "77"}):
        assert app.client.get("/webhooks/crm/meta", query_string=wrong).data == b""
    assert app.client.get("/webhooks/crm/intercom", query_string=asked).data == b""


def test_a_validation_token_is_given_back_without_a_signature(app: App) -> None:
    response = app.client.post("/webhooks/crm/graph?validationToken=%3Cb%3Eabc")
    assert (response.status_code, response.data) == (200, b"<b>abc")
    assert response.content_type.startswith("text/plain")
    assert app.client.post("/webhooks/crm/graph", data=b"{}").status_code == 401


def test_a_code_in_a_signed_body_is_given_back(app: App) -> None:
    event = {"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "512d"}}
    body = json.dumps([event]).encode()
    assert app.send("grid", body, sign=SENDERS["token"].sign).get_json() == {"validationResponse": "512d"}
    assert app.client.post("/webhooks/crm/grid", data=body).status_code == 401
    assert app.deliveries == []


@pytest.mark.parametrize(
    ("question", "answer"),
    [({"type": "url_verification", "challenge": "3eZb"}, {"challenge": "3eZb"}), ({"type": "ping"}, {})],
)
def test_a_question_needs_no_list_of_events(app: App, question: dict[str, str], answer: dict[str, str]) -> None:
    response = app.send("split", json.dumps(question).encode(), sign=SENDERS["token"].sign)
    assert (response.status_code, response.get_json()) == (200, answer)
    assert app.deliveries == []


def zoom(out: Outgoing) -> None:
    message = f"v0:{out.seconds}:".encode() + out.body
    out.headers["x-zm-request-timestamp"] = out.seconds
    out.headers["x-zm-signature"] = "v0=" + hmac.new(out.secret.encode(), message, "sha256").hexdigest()


def test_a_question_that_wants_its_text_signed_is_answered_to_whoever_signed_it(app: App) -> None:
    body = b'{"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}}'
    proof = hmac.new(SECRET.encode(), b"qgg8vlvZRS6UYooatFL8Aw", "sha256").hexdigest()
    answer = {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": proof}
    assert app.send("zoom", body, sign=zoom).get_json() == answer
    refused = app.send("zoom", body, sign=lambda _out: None)
    assert refused.status_code == 401
    assert proof.encode() not in refused.data
    assert app.deliveries == []


@pytest.mark.parametrize("changed", [{"signed": False, "when": "q.a == 'b'", "value": "q.t"}, {"key": None}])
def test_nobody_gets_a_text_of_theirs_signed_who_did_not_sign_it(changed: dict[str, object]) -> None:
    answer = {name: each for name, each in (ZOOM["handshake"]["answers"][0] | changed).items() if each is not None}
    with pytest.raises(SettingsError) as caught:
        define("token", handshake={"answers": [answer]})
    assert [each.path for each in caught.value.problems] == ["sources.crm.handshake.answers[0].proof"]


@pytest.mark.parametrize("table", [{**GRID, "signed": False}, {**META, "value": "b.challenge"}])
def test_an_unsigned_question_cannot_depend_on_the_body(table: dict[str, object]) -> None:
    with pytest.raises(SettingsError) as caught:
        define("token", handshake={"answers": [table]})
    assert "never at the body" in str(caught.value)


# -- subscriptions


def test_a_signed_subscription_is_confirmed_where_the_definition_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(handshake, "fetch_text", called.append)
    address = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=1"
    told = {"Type": "SubscriptionConfirmation", "SubscribeURL": address}
    sns = {"verify": {"kind": "sns", "topics": ["arn:aws:sns:eu-west-1:1:t"]}}
    asked = post(told)
    assert handshake.signed_answer(define("token", **sns), asked) is None
    assert handshake.signed_answer(define("token", handshake={"subscribe": True}, **sns), asked) == {}
    assert called == [address]
    elsewhere = post({**told, "SubscribeURL": "https://evil.example/?sns.eu-west-1.amazonaws.com"})
    assert handshake.signed_answer(define("token", handshake={"subscribe": True}, **sns), elsewhere) is None
    assert called == [address]


def test_a_subscription_that_cannot_be_confirmed_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_url: str) -> str:
        raise NoAnswer("slow", "There was no answer.")

    monkeypatch.setattr(handshake, "fetch_text", away)
    told = {"Type": "SubscriptionConfirmation", "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?a=1"}
    sns = {"verify": {"kind": "sns", "topics": ["arn:aws:sns:eu-west-1:1:t"]}, "handshake": {"subscribe": True}}
    with pytest.raises(Unavailable):
        handshake.signed_answer(define("token", **sns), post(told))
