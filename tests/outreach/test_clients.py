"""The X client an account's settings ask for: which API, and how calls are signed."""

from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy.engine import Engine

from service.accounts import tokens
from service.db import writing
from service.outreach import clients
from service.outreach.context import Workplace
from service.x_api import XClient, XClientV2, XError
from service.x_api.oauth2 import IssuedTokens
from tests.support import START, Clock, settings_of

TEXTS = {"en": {"opening": "Thanks for writing.", "card": "How did we do?", "page": "Answer here: {page}"}}
V2 = {"accounts__acme__api": "v2", "campaigns__care__ways": ["page"], "campaigns__care__texts": TEXTS}


@pytest.mark.parametrize(
    ("changes", "api", "signed"),
    [
        ({}, "/1.1/", "OAuth oauth_consumer_key="),
        (V2, "/2/", "OAuth oauth_consumer_key="),
        ({**V2, "accounts__acme__client_id": "app-1"}, "/2/", "Bearer an-access-token"),
    ],
    ids=["v1.1", "v2 by OAuth 1.0a", "v2 by OAuth 2.0"],
)
def test_an_account_calls_the_api_and_signs_as_its_settings_say(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], api: str, signed: str
) -> None:
    settings, asked = settings_of(**changes), list[httpx.Request]()
    key = Workplace.open(sqlite_engine, settings, "me").hash_key

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(404)

    for kind in (XClient, XClientV2):
        monkeypatch.setattr(clients, kind.__name__, partial(kind, transport=httpx.MockTransport(answer)))
    with writing(sqlite_engine) as connection:
        tokens.put(
            connection, "acme", IssuedTokens("an-access-token", "a-refresh-token", timedelta(hours=2)), key, START
        )
    client = clients.client_of(settings, sqlite_engine, settings.accounts["acme"], Clock())
    with client, pytest.raises(XError):
        client.show_user(user_id="501")
    assert asked[0].url.path.startswith(api)
    assert asked[0].headers["Authorization"].startswith(signed)
