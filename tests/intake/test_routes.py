"""The address a CRM calls: its answer to every kind of request."""

import gzip
import io
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.engine import Engine
from structlog.testing import capture_logs

from tests.intake.app import App, ended, settings_with, token_app
from tests.intake.signers import SECRET, SENDERS

BEARER = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}
PATH = "/webhooks/crm/token"


@pytest.fixture
def app(sqlite_engine: Engine, now: datetime) -> App:
    return token_app(sqlite_engine, now)


def test_the_answer_is_a_small_json_of_counts(app: App) -> None:
    response = app.send("token", ended())
    assert response.status_code == 200
    assert response.get_json() == {"accepted": 1, "duplicate": 0, "ignored": 0, "unmappable": 0}


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_get_request_is_answered_with_an_empty_200(app: App, method: str) -> None:
    response = getattr(app.client, method)(PATH)
    assert (response.status_code, response.data) == (200, b"")


STRANGERS: dict[str, dict[str, Any]] = {
    "nothing": {"method": "POST"},
    "a wrong key": {"method": "POST", "headers": {"authorization": "Bearer wrong"}, "data": ended()},
    "packed": {"method": "POST", "headers": {"content-encoding": "gzip"}, "data": gzip.compress(ended())},
    "packed in a way nobody knows": {"method": "POST", "headers": {"content-encoding": "br"}, "data": b"\xff\xfe"},
    "too large": {"method": "POST", "data": b"x" * 3_000_000},
    "a look": {"method": "GET"},
    "a look without a body": {"method": "HEAD"},
    "whether it may send": {"method": "OPTIONS", "headers": {"webhook-request-origin": "crm.example"}},
    "what it may do": {"method": "OPTIONS"},
    "something else": {"method": "PUT"},
}


@pytest.mark.parametrize("sent", STRANGERS.values(), ids=STRANGERS)
def test_unverified_callers_do_not_learn_which_sources_exist(app: App, sent: dict[str, Any]) -> None:
    there, not_there = (app.client.open(f"/webhooks/crm/{name}", **sent) for name in ("token", "nobody"))
    told = [
        (each.status_code, {**(each.get_json(silent=True) or {}), "request_id": ""}, sorted(each.headers.keys()))
        for each in (there, not_there)
    ]
    assert told[0] == told[1]
    assert there.status_code not in {404, 410, 500}


def test_the_log_names_the_unknown_source(app: App) -> None:
    with capture_logs() as logs:
        app.client.post("/webhooks/crm/nobody", headers=BEARER)
    assert [(each["event"], each["source"]) for each in logs] == [("intake.unknown_source", "nobody")]


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_405_and_name_the_right_ones(app: App, method: str) -> None:
    response = getattr(app.client, method)(PATH, headers=BEARER)
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic Og=="}])
def test_a_request_that_is_not_proven_is_401_without_a_reason(app: App, headers: dict[str, str]) -> None:
    with capture_logs() as logs:
        response = app.client.post(PATH, data=ended(), headers=headers)
    assert response.status_code == 401
    assert response.get_json()["code"] == "signature_refused"
    assert "token" not in response.get_json()["detail"]
    assert logs[0]["event"] == "intake.refused"
    assert logs[0]["code"].startswith("token_")
    assert logs[0]["why"].endswith(".")
    assert app.deliveries == []


def test_the_log_says_what_was_looked_for_and_under_which_names_something_came(app: App) -> None:
    with capture_logs() as logs:
        app.client.post(PATH, data=ended(), headers={"X-Acme-Token": "s3cret", "X-Long" + "g" * 99: "s3cret"})
        app.client.post(PATH, data=ended(), headers={"X-Webhook-Token": "s3cret"})
    missing, wrong = logs
    assert missing["why"] == "The header authorization is missing or empty."
    assert {"x-acme-token", "x-long" + "g" * 54} <= {*missing["headers"]}
    assert wrong["why"] == "The token matches no key of the source."
    assert "headers" not in wrong
    assert "s3cret" not in str(logs)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty_body"),
        (b"{", "not_json"),
        (b"\xff\xfe\x00", "not_utf8"),
        (b"[" * 200_000, "too_deep"),
        (b'{"a": NaN}', "not_json"),
        (ended("\x00"), "bad_conversation_id"),
        (ended(ended_at="?"), "bad_ended_at"),
    ],
)
def test_a_proven_body_that_cannot_be_read_is_kept_and_answered_200_with_the_reason(
    app: App, body: bytes, reason: str
) -> None:
    response = app.send("token", body)
    assert response.status_code == 200
    assert response.get_json() == {"accepted": 0, "duplicate": 0, "ignored": 0, "unmappable": 1, "reasons": [reason]}
    assert app.deliveries[0].body == body


def small_app(engine: Engine, now: datetime, limit: int) -> App:
    settings = settings_with({"token": {"preset": "token", "keys": [SECRET]}}, max_body_bytes=limit)
    return App(settings, engine, now)


LIMIT = 2048


def test_a_body_as_large_as_the_limit_is_read(sqlite_engine: Engine, now: datetime) -> None:
    app = small_app(sqlite_engine, now, LIMIT)
    body = ended()[:-1] + b" " * (LIMIT - len(ended())) + b"}"
    assert len(body) == LIMIT
    assert app.send("token", body).status_code == 200


def test_a_body_larger_than_the_limit_is_413(sqlite_engine: Engine, now: datetime) -> None:
    app = small_app(sqlite_engine, now, LIMIT)
    response = app.send("token", b"x" * (LIMIT + 1))
    assert (response.status_code, response.get_json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("app_limit", [None, 10, LIMIT])
def test_a_chunked_body_larger_than_the_limit_is_413_and_never_cut(
    sqlite_engine: Engine, now: datetime, app_limit: int | None
) -> None:
    app = small_app(sqlite_engine, now, LIMIT)
    app.client.application.config["MAX_CONTENT_LENGTH"] = app_limit
    response = chunked(app, b"x" * (LIMIT + 1))
    assert (response.status_code, response.is_json and response.get_json()["code"]) == (413, "body_too_large")
    body = ended(padding="y" * 1000)
    assert chunked(app, body).get_json()["accepted"] == 1
    assert app.deliveries[0].body == body


def chunked(app: App, body: bytes) -> Any:
    return app.client.post(
        PATH,
        input_stream=io.BytesIO(body),
        headers={**BEARER, "transfer-encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )


def test_a_source_may_have_a_smaller_limit_and_never_a_larger_one(sqlite_engine: Engine, now: datetime) -> None:
    sources = {
        "small": {"preset": "token", "keys": [SECRET], "endpoint": {"max_bytes": 10}},
        "large": {"preset": "token", "keys": [SECRET], "endpoint": {"max_bytes": 10_000_000}},
    }
    app = App(settings_with(sources, max_body_bytes=LIMIT), sqlite_engine, now)
    sign = SENDERS["token"].sign
    assert app.send("small", ended(), sign=sign).status_code == 413
    assert app.client.post("/webhooks/crm/small", data=ended()).status_code == 401, "strangers learn no limit"
    assert app.send("large", ended(), sign=sign).status_code == 200
    assert app.send("large", b"x" * (LIMIT + 1), sign=sign).status_code == 413


@pytest.mark.parametrize("terminated", [{}, {"wsgi.input_terminated": True}])
def test_a_body_cut_short_on_the_way_is_400(app: App, terminated: dict[str, Any]) -> None:
    announced = {"CONTENT_LENGTH": str(len(ended())), "wsgi.input": io.BytesIO(ended()[:20])}
    response = app.client.post(PATH, headers=BEARER, environ_overrides={**announced, **terminated})
    assert (response.status_code, response.get_json()["code"]) == (400, "truncated_body")
    assert app.deliveries == []


def test_a_stale_request_is_401_and_says_so_only_in_the_log(sqlite_engine: Engine, now: datetime) -> None:
    app = App(settings_with({"chatwoot": {"preset": "chatwoot", "keys": [SECRET]}}), sqlite_engine, now)

    def sign_early(out: Any) -> None:
        out.now = now - timedelta(seconds=301)
        SENDERS["chatwoot"].sign(out)

    with capture_logs() as logs:
        response = app.send("chatwoot", b"{}", sign=sign_early)
    assert response.status_code == 401
    assert "old" not in response.get_json()["detail"]
    assert logs[0]["code"] == "timestamp_stale"


def test_a_repeated_signature_header_is_401(sqlite_engine: Engine, now: datetime) -> None:
    app = App(settings_with({"kustomer": {"preset": "kustomer", "keys": [SECRET]}}), sqlite_engine, now)
    headers = [("x-kustomer-webhook-signature", "00" * 32), ("x-kustomer-webhook-signature", "11" * 32)]
    assert app.client.post("/webhooks/crm/kustomer", data=b"{}", headers=headers).status_code == 401


def test_logs_hold_names_and_counts_and_nothing_a_customer_said(app: App) -> None:
    with capture_logs() as logs:
        app.send("token", ended(message="very private", x_user_id="123456789"), sign=SENDERS["token"].others[1])
    assert logs[0]["event"] == "intake.received"
    assert logs[0]["accepted"] == 1
    assert logs[0]["request_ids"] == [row.id for row in app.requests]
    text = json.dumps(logs)
    assert not [word for word in ("private", "123456789", SECRET) if word in text]


def test_every_view_says_how_it_is_authenticated(app: App) -> None:
    flask_app = app.client.application
    views = [
        flask_app.view_functions[rule.endpoint] for rule in flask_app.url_map.iter_rules() if rule.endpoint != "static"
    ]
    assert len(views) == 6  # three ways to ask, with and without a slash at the end
    assert {view.authentication for view in views} == {"source signature"}


def test_the_signed_address_is_the_public_one_behind_any_proxy(sqlite_engine: Engine, now: datetime) -> None:
    app = App(settings_with({"hubspot": {"preset": "hubspot", "keys": [SECRET]}}), sqlite_engine, now)
    app.client.environ_base["HTTP_HOST"] = "10.0.0.7:8000"
    assert app.send("hubspot", b"[]").status_code == 200
