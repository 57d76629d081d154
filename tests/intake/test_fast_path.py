"""The fast path and the ordinary one give the same answers to the same requests."""

from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine
from werkzeug.test import TestResponse

from service.app import create_app
from tests.intake.app import ended, settings_with
from tests.intake.signers import SECRET

PATHS = {"short": "/webhooks/crm/crm", "long": "/webhooks/crm/crm/"}
HEADERS = {
    "authorization": f"Bearer {SECRET}",
    "content-type": "application/json",
    "x-request-id": "one-of-a-test",
}
CASES = {
    "an end": (ended("c-ROAD"), {}),
    "not understood": (b'{"event": "conversation.ended", "on": "ROAD"}', {}),
    "another event": (b'{"event": "something.else", "on": "ROAD"}', {}),
    "no JSON": (b"{ROAD", {}),
    "not proven": (ended(), {"authorization": "Bearer wrong"}),
    "not proven at all": (ended(), {"authorization": ""}),
    "a login in base64": (ended(), {"authorization": "Basic Og=="}),
    "too large": (b"x" * 2049, {}),
    "packed wrongly": (b"\x00\xff", {"content-encoding": "gzip"}),
    "a charset nobody knows": (b"\xe9", {"content-type": "application/json; charset=nonsense"}),
    "over https": (ended("d-ROAD"), {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.7"}),
    "several parts": (b"--B\r\nROAD", {"content-type": 'multipart/form-data; boundary="B"'}),
}


@pytest.fixture
def client(sqlite_engine: Engine, now: datetime) -> FlaskClient:
    given = {"crm": {"preset": "token", "keys": [SECRET], "endpoint": {"body": ["json", "multipart"]}}}
    settings = settings_with(given, max_body_bytes=2048, trusted_proxies=1)
    return create_app(settings, sqlite_engine, lambda: now).test_client()


@pytest.mark.parametrize("case", CASES)
def test_both_paths_give_the_same_answer(client: FlaskClient, case: str) -> None:
    body, headers = CASES[case]
    short, long = (
        seen(client.post(path, data=body.replace(b"ROAD", road.encode()), headers={**HEADERS, **headers}))
        for road, path in PATHS.items()
    )
    assert short == long


def seen(answer: TestResponse) -> tuple[int, dict[str, str], bytes]:
    return answer.status_code, dict(answer.headers), answer.data


def test_an_invalid_content_length_is_the_clients_error(client: FlaskClient) -> None:
    for path in PATHS.values():
        answer = client.post(path, data=ended(), headers=HEADERS, environ_overrides={"CONTENT_LENGTH": "9" * 5000})
        assert answer.status_code < 500, path


def test_an_id_that_could_harm_is_replaced(client: FlaskClient) -> None:
    answer = client.post(PATHS["short"], data=ended(), headers={**HEADERS, "x-request-id": "a b\tc"})
    assert len(answer.headers["X-Request-Id"]) == 16


def test_an_internal_error_is_answered_as_one(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("something secret")

    monkeypatch.setattr("service.intake.reception.read", broken)
    answers = [client.post(path, data=ended(), headers=HEADERS) for path in PATHS.values()]
    assert [(each.status_code, each.get_json()["code"]) for each in answers] == [(500, "internal_error")] * 2
    assert not any("secret" in each.text for each in answers)


def test_a_multipart_delivery_is_read(client: FlaskClient) -> None:
    fields = {"event": "conversation.ended", "ended_at": "2026-11-22T11:00:00Z"}
    for road, path in PATHS.items():
        body = "".join(
            f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in {**fields, "conversation_id": f"e-{road}"}.items()
        )
        headers = {**HEADERS, "content-type": 'multipart/form-data; boundary="B"'}
        assert client.post(path, data=f"{body}--B--\r\n".encode(), headers=headers).get_json()["accepted"] == 1
