"""Sends one request to some route, odd in path, query, headers and body, with a random generator.

With a key that may do everything, with a wrong one, or signed in at the dashboard. A 5xx answer is a fault of ours,
unless it says when to come again.
"""

import tempfile
from pathlib import Path
from random import Random
from typing import Any

import flask
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine
from werkzeug.routing import BuildError, Rule

from service import migrations
from service.app import create_app
from service.auth import keys
from service.db import open_engine, writing
from service.models import feedback_request
from tests import migrated_sqlite
from tests.fuzz import odd
from tests.fuzz.edges import Edge
from tests.support import START, Clock, request_row, settings_of

NAMES = (
    "since", "until", "date_field", "account", "campaign", "source", "team_id", "agent_id", "type", "score",
    "state", "reason",
    "cursor", "limit", "sort", "by", "a", "b", "q", "interval", "zone", "time_zone", "format", "language",
    "has_text", "answered",
    "updated_since", "include_test", "request_id", "bom", "manifest", "other_since", "next", "crc_token",
    "why", "v", "all",
    "period", "question_variant_id", "x_user_ids", "text", "key", "form_token", "score_from", "hour",
    "separator", "raw",
)  # fmt: skip
HEADERS = (
    "Range", "If-None-Match", "If-Modified-Since", "Accept", "Accept-Encoding", "Accept-Language", "Cookie", "Origin",
    "X-Request-Id", "Host", "Content-Encoding", "webhook-id", "webhook-timestamp", "webhook-signature",
    "Idempotency-Key",
    "X-Twitter-Webhooks-Signature", "X-Forwarded-For", "Prefer",
)  # fmt: skip
TYPES = (
    "application/json", "application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-7", "x", "",
    "multipart/form-data; boundary=x",
)  # fmt: skip
LOGINS = ("", "Basic \xff", "Basic Og==", "Bearer x.y", "Bearer \xff", "Basic AAAA====", "Digest x")
COMES_AGAIN = "Retry-After"


def routes(url: str | None = None) -> Edge:
    """The whole application, over a database with one request in it."""
    client, rules, key = _opened(url or _a_file())

    def once(dice: Random) -> None:
        rule, method = dice.choice(rules)
        sent = _odd_request(dice, key)
        path = address(
            client.application, rule, [odd.text(dice, dice.choice(("crm", "acme", "fr_1"))) for _ in range(4)]
        )
        try:
            answer = client.open(path, method=method, **sent)
        except UnicodeEncodeError:  # this client cannot even write it
            return
        told = answer.get_data()
        assert answer.status_code < 500 or COMES_AGAIN in answer.headers, (method, path, sent, told[:300])

    return once


def _a_file() -> str:
    file = Path(tempfile.mkdtemp(prefix="dmf-fuzz-")) / "fuzz.db"
    migrated_sqlite.put(file)
    return f"sqlite:///{file}"


def _opened(url: str) -> tuple[Any, list[tuple[Rule, str]], str]:
    engine = open_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    migrations.upgrade(engine)
    app = create_app(settings_of(web__requests_per_minute=1_000_000), engine, Clock())
    key = _filled(engine)
    client = app.test_client()
    assert client.post("/dashboard/sign-in", data={"key": key}).status_code == 303
    rules = [(rule, method) for rule in app.url_map.iter_rules() for method in sorted(rule.methods or ())]
    return client, rules, key


def _filled(engine: Engine) -> str:
    with writing(engine) as connection:
        connection.execute(sa.insert(feedback_request).values(request_row(START, id="fr_1", agent_id="ann")))
        return keys.create(connection, "fuzz", "admin", (), START)


def _odd_request(dice: Random, key: str) -> dict[str, Any]:
    login = dice.choice((f"Bearer {key}", f"Bearer {key}", *LOGINS))
    headers = {dice.choice(HEADERS): _header(dice) for _ in range(dice.randrange(3))}
    return {
        "query_string": [
            (dice.choice((*NAMES, odd.text(dice)[:40])), odd.text(dice, "2026-11-01")) for _ in range(dice.randrange(5))
        ],
        "headers": {**headers, **({"Authorization": login} if login else {})},
        "data": odd.raw(dice, b'{"text": "seen", "x_user_ids": ["1"]}')
        if dice.random() < 0.6
        else odd.as_json(odd.with_odd(dice, {"text": "seen", "x_user_id": "9"})),
        "content_type": dice.choice(TYPES),
    }


def _header(dice: Random) -> str:
    return "".join(each for each in odd.text(dice, "gzip")[:5000] if each.isprintable() and ord(each) < 256) or "x"


def address(app: flask.Flask, rule: Rule, values: list[str]) -> str:
    """The rule's address with `values` in it; the rule itself where they do not fit."""
    given = dict(zip(sorted(rule.arguments), values, strict=False))
    with app.test_request_context():
        try:
            return flask.url_for(rule.endpoint, **{name: value or "x" for name, value in given.items()})
        except (BuildError, UnicodeEncodeError):
            return rule.rule
