"""Harmful text (control characters, formulas, markup) comes in by both webhooks and does nothing on any surface.

Ten kinds, as agent, team, tag, channel, customer reference and comment, on both databases. Then every readable route is
read, and every file is opened by the library that reads such files.
"""

import base64
import csv
import io
import json
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import flask
import pyarrow.parquet
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine
from werkzeug.routing import Rule

from service.app import create_app
from service.auth import keys
from service.db import reading, writing
from service.models import feedback_request
from service.reports.counting.sealing import seal
from service.reports.disclosure import naming
from service.states import State
from tests.results.cards import x_date
from tests.support import START, World, settings_of

TOKEN = "a-token-of-22-characters"
POISON = (
    "a\0b",
    "half \ud83d of a pair",
    "\u202egnp.exe\u2066",
    "🙂" * 10_000,
    "=cmd|' /C calc'!A0",
    ";=1+1;\r\n=2+2",
    "\t+1-1@SUM(A1)",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "'; DROP TABLE result; --",
    "\x1b]0;owned\x07\x1b[2J\x9b",
)
OF_EACH = 5  # as many answers as it takes to be named
COMPUTES = ("=", "+", "-", "@", "\t", "\r", "\n")
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
MUST = {"/v1/results", "/v1/results.csv", "/v1/results.xlsx", "/v1/breakdown", "/v1/changes", "/dashboard/"}
BY = ("agent", "team", "campaign", "source", "language", "hour")


@pytest.fixture
def poisoned(engine: Engine) -> tuple[flask.Flask, World, str]:
    source = {"preset": "token", "keys": [TOKEN]}
    world = World(engine, settings_of(sources={"crm": source}, web__requests_per_minute=1_000_000))
    app = create_app(world.settings, engine, world.clock)
    numbers = range(len(POISON) * OF_EACH)
    world.customers(*({"user_id": str(5_000 + number), "can_dm": True} for number in numbers))
    for number in numbers:
        deliver(app.test_client(), world, number)
    world.forward(minutes=2)
    world.run()
    asked = {row.conversation_id: row for row in requests(world)}
    for number in numbers:
        answer(app.test_client(), world, number, asked[f"c-{number}"])
    while seal(engine, world.settings, world.clock()) or naming.follow(engine, world.settings, world.clock()):
        pass
    with writing(engine) as connection:
        key = keys.create(connection, "poison", "admin", (), START)
    return app, world, key


def deliver(client: FlaskClient, world: World, number: int) -> None:
    bad = POISON[number % len(POISON)]
    said = {
        "event": "conversation.ended", "event_id": f"e-{number}", "conversation_id": f"c-{number}",
        "ended_at": world.clock().isoformat(), "x_user_id": str(5_000 + number), "agent_id": bad, "team_id": bad,
        "tags": [bad], "channel": bad, "customer_ref": bad,
    }  # fmt: skip
    took = client.post("/webhooks/crm/crm", json=said, headers={"Authorization": f"Bearer {TOKEN}"})
    assert (took.status_code, took.get_json()["accepted"]) == (200, 1), took.get_data(as_text=True)


def answer(client: FlaskClient, world: World, number: int, row: Any) -> None:
    """X tells of an answer as it does: by its webhook."""
    assert row.state == State.CARD_SENT, (row.reason, number)
    at = x_date(world.clock())
    text = {"value": POISON[number % len(POISON)], "created_at": at}
    card = {
        "id": row.feedback_id, "type": "csat", "external_id": row.id, "dm_id": row.card_dm_id,
        "from_user_id": "1212121212121", "to_user_id": row.x_user_id, "question_variant_id": "1", "created_at": at,
        "updated_at": at, "response": {"score": {"value": 1, "created_at": at}, "text": text},
    }  # fmt: skip
    body = {"event_type": "feedback.updated", "created_at": at, "feedback": card}
    login = base64.b64encode(b"x:a-long-random-password-1").decode()
    told = client.post("/webhooks/x/acme", json=body, headers={"Authorization": f"Basic {login}"})
    assert (told.status_code, told.get_json()) == (200, {"received": 1})


def test_every_route_answers_with_its_declared_content(poisoned: Any) -> None:
    app, world, key = poisoned
    client = app.test_client()
    assert client.post("/dashboard/sign-in", data={"key": key}).status_code == 303
    seen, told = set(), 0
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()):
            continue
        for address in addresses(rule, world):
            got = client.get(address, headers={"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"})
            assert got.status_code < 500, address
            if got.status_code == 200:
                seen.add(rule.rule)
                READ.get(got.mimetype, lambda _: None)(got.get_data())
                told += b"onerror" in got.get_data()
    assert seen >= MUST, seen
    assert len(seen) > 40
    assert told > 10, "what was to be looked for was not there"


def requests(world: World) -> list[Any]:
    with reading(world.engine) as connection:
        return list(connection.execute(sa.select(feedback_request)))


def addresses(rule: Rule, world: World) -> Iterator[str]:
    """The route with what is there, and where it splits by something, by each of these."""
    row = requests(world)[0]
    known = {
        "request_id": row.id, "source": "crm", "conversation_id": row.conversation_id, "account": "acme",
        "x_user_id": row.x_user_id, "token": "x", "feed_id": "x", "secret": "x", "code": "forbidden",
    }  # fmt: skip
    for kind in ("csv", "xlsx") if "kind" in rule.arguments else ("",):
        values = {name: known.get(name, "x") for name in rule.arguments} | ({"kind": kind} if kind else {})
        _, path = rule.build(values, append_unknown=False) or ("", "")
        yield path
        if rule.rule.endswith(("breakdown", "coverage", "explore", "differences", "trend")):
            yield from (f"{path}?by={by}" for by in BY)


def read_json(body: bytes) -> None:
    json.dumps(json.loads(body.decode())).encode()


def read_lines(body: bytes) -> None:
    for line in body.decode().splitlines():
        json.loads(line)


def read_csv(body: bytes) -> None:
    for line in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")):
        for cell in line:
            for part in (cell, *cell.replace(";", "\n").splitlines()):
                assert not part.startswith(COMPUTES) or is_number(part), (part, line)


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_xlsx(body: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(body)) as book:
        for name in (each for each in book.namelist() if each.startswith("xl/worksheets/")):
            assert ET.fromstring(book.read(name)).find(f".//{SHEET}f") is None, "a formula"


def read_parquet(body: bytes) -> None:
    pyarrow.parquet.read_table(io.BytesIO(body))


class Page(HTMLParser):
    """Elements that would act."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script" or dict(attrs).get("src"), "a script in the page"
        assert not [name for name, _ in attrs if name.startswith("on")], attrs


def read_html(body: bytes) -> None:
    Page().feed(body.decode())


READ = {
    "application/json": read_json,
    "application/jsonl": read_lines,
    "text/csv": read_csv,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": read_xlsx,
    "application/vnd.apache.parquet": read_parquet,
    "text/html": read_html,
}


@pytest.mark.parametrize("number", ["1e999", "9" * 1_000_000, "-0.0"])
def test_huge_numbers_are_refused_or_stored_and_never_a_fault(engine: Engine, number: str) -> None:
    source = {"preset": "token", "keys": [TOKEN]}
    client = create_app(settings_of(sources={"crm": source}), engine, lambda: START).test_client()
    raw = (
        f'{{"event":"conversation.ended","event_id":"e","conversation_id":"c","ended_at":{number},"agent_id":{number}}}'
    )
    got = client.post("/webhooks/crm/crm", data=raw, headers={"Authorization": f"Bearer {TOKEN}"})
    assert got.status_code in {200, 400, 413}, got.get_data()[:200]
