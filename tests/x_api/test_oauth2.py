"""OAuth 2.0 towards X: what is asked, what each kind of answer becomes, and what never leaks."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from service.x_api import Bearer, OutcomeUnknown, Temporary, XClientV2, XError, XSignIn
from service.x_api.oauth2 import IssuedTokens, new_challenge

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WHOLE = {"access_token": "a2", "refresh_token": "r2", "expires_in": 7200, "token_type": "bearer"}


def asking(status: int, body: Any, secret: str | None = None) -> tuple[XSignIn, list[httpx.Request]]:
    """The token endpoint, and what it was asked; X answers always the same."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status, content=body if isinstance(body, bytes) else json.dumps(body).encode())

    transport = httpx.MockTransport(answer)
    return XSignIn("app", secret, base_url="http://x.example", clock=lambda: NOW, transport=transport), asked


@pytest.mark.parametrize(
    ("said", "granted"),
    [
        (WHOLE, IssuedTokens("a2", "r2", timedelta(hours=2))),
        ({**WHOLE, "refresh_token": None}, IssuedTokens("a2", None, timedelta(hours=2))),
        ({**WHOLE, "expires_in": "3600"}, IssuedTokens("a2", "r2", timedelta(hours=1))),
        ({**WHOLE, "expires_in": None}, IssuedTokens("a2", "r2", timedelta(hours=2))),
        ({**WHOLE, "expires_in": -5}, IssuedTokens("a2", "r2", timedelta(hours=2))),
        ({**WHOLE, "expires_in": 10**30}, IssuedTokens("a2", "r2", timedelta(hours=2))),
        ({**WHOLE, "more": {"x": 1}}, IssuedTokens("a2", "r2", timedelta(hours=2))),
    ],
)
def test_tokens_are_read_whatever_stands_beside_them(said: dict[str, Any], granted: IssuedTokens) -> None:
    sign_in, asked = asking(200, said)
    assert sign_in.refresh("r1") == granted
    assert parse_qs(asked[0].content.decode()) == {
        "grant_type": ["refresh_token"], "refresh_token": ["r1"], "client_id": ["app"],
    }  # fmt: skip


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", {}, {"access_token": ""}, {"access_token": {}}])
def test_an_answer_without_a_token_leaves_open_whether_the_old_one_is_spent(body: Any) -> None:
    sign_in, _ = asking(200, body)
    with pytest.raises(OutcomeUnknown):
        sign_in.refresh("r1")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503])
@pytest.mark.parametrize("body", [b"", {"error": "invalid_request"}, {"error": {"code": 1}}, b"<html>"])
def test_every_refusal_is_an_error_of_ours_with_its_status(status: int, body: Any) -> None:
    sign_in, _ = asking(status, body)
    with pytest.raises(XError) as refused:
        sign_in.refresh("r1-secret")
    assert refused.value.http_status == status
    assert "r1-secret" not in repr(refused.value) + str(refused.value)


def test_an_app_with_a_secret_shows_it_in_the_header_alone() -> None:
    sign_in, asked = asking(200, WHOLE, "s3cret")
    sign_in.refresh("r1")
    assert asked[0].headers["Authorization"] == f"Basic {base64.b64encode(b'app:s3cret').decode()}"
    assert b"s3cret" not in asked[0].content


def test_the_address_to_sign_in_at_shows_a_hash_and_the_exchange_what_it_is_of() -> None:
    sign_in, asked = asking(200, WHOLE)
    challenge = new_challenge()
    shown = parse_qs(urlsplit(sign_in.address("https://x.example/i", "http://back/", challenge)).query)
    assert shown["state"] == [challenge.state]
    assert challenge.verifier not in str(shown)
    sign_in.exchange("c", "http://back/", challenge)
    verifier = parse_qs(asked[0].content.decode())["code_verifier"][0]
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert shown["code_challenge"] == [digest]


class Kept:
    """Tokens of which the first is not good any more."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def current(self) -> str:
        return "old"

    def renewed(self, refused: str) -> str:
        self.refused.append(refused)
        return "new"


def client(kept: Kept, seen: list[str], clock: datetime = NOW, *, good: str = "new") -> XClientV2:
    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"])
        fine = request.headers["Authorization"] == f"Bearer {good}"
        body = {"data": {"dm_event_id": "7", "id": "1", "username": "a"}} if fine else {"title": "Unauthorized"}
        return httpx.Response(201 if fine else 401, json=body)

    signer = Bearer(kept, clock=lambda: clock, alive=timedelta(minutes=5))
    return XClientV2(signer, base_url="http://x.example", clock=lambda: clock, transport=httpx.MockTransport(answer))


def test_a_refused_token_is_renewed_once_and_the_message_sent_with_the_next() -> None:
    kept, seen = Kept(), list[str]()
    assert client(kept, seen).send_dm("501", "Hi", signed_at=NOW).value.id == "7"
    assert (seen, kept.refused) == (["Bearer old", "Bearer new"], ["old"])


def test_a_token_refused_again_is_an_error_and_no_loop() -> None:
    kept, seen = Kept(), list[str]()
    with pytest.raises(XError) as refused:
        client(kept, seen, good="another").send_dm("501", "Hi", signed_at=NOW)
    assert (refused.value.about_us, len(seen)) == (True, 2)


def test_a_message_that_is_too_old_does_not_leave() -> None:
    seen = list[str]()
    with pytest.raises(Temporary):
        client(Kept(), seen, NOW + timedelta(minutes=6)).send_dm("501", "Hi", signed_at=NOW)
    assert seen == []
