"""A ledger with every kind of text that can be encrypted, and what its readers see of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.at_rest.columns import Encrypted, keyring_of, stored, with_keys
from service.at_rest.ids import EncryptedId
from service.at_rest.keyring import Keyring
from service.customers import crm_matches, identities
from service.customers.crm_matches import FoundIdentity
from service.db import open_engine, reading, writing
from service.encrypting import existing_rows, key_change
from service.encrypting.in_force import SETTLED, WalkProgress, progress
from service.models import feedback_request, metadata, reopening, result, webhook_delivery
from service.reports.counting.sealing import seal
from service.reports.disclosure import naming
from service.reports.people import stored as people
from service.reports.people.name_at import NameLine
from service.requests import sends
from service.requests.outcomes import Plan, Postpone
from service.requests.queries import locked
from service.requests.request import Alternative
from service.requests.retry import RetryPolicy
from service.requests.writer import Writer, write
from service.results.answer import Answer
from service.results.ingest import ingest
from service.results.merge import Update
from service.states import Kind
from tests.filled_ledgers import poured
from tests.floor.app import App, deliver
from tests.support import settings_of

POISON = "arsenic"
OLD, NEW, OTHER = (f"a key that nobody would guess, {word}" for word in ("old", "new", "other"))
NASTY = ("Grüße \x1f 😀", "dmf1.", "dmf1.00000000.AAAA", '"quoted"\n=cmd', "\x01\x7f", " ")


def x_user_id(number: int) -> str:
    """Long enough that no ciphertext holds it by chance."""
    return f"70707070707070{number:03d}"


def conversation_id(number: int) -> str:
    return f"{POISON}-{number}"


def open_with(url: str, *keys: str) -> Engine:
    return with_keys(open_engine(url), keys)


@dataclass
class Poisoned:
    """Conversations in which every text contains the word: from the CRM, our messages, answers, notes, one POST."""

    engine: Engine
    app: App = field(init=False)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.app = App(self.engine, settings_of(reports__min_comments_n=3, reports__min_score_n=3))
        self.admin, self.supervisor, self.requests = poured(self.engine, "poisoned", self._filled)

    def _filled(self) -> tuple[str, str, list[str]]:
        self.admin, self.supervisor = self.app.key("admin"), self.app.key("supervisor")
        for number, text in enumerate((*NASTY, "", "plain")):
            self.said(number, text)
        now, settings = self.app.clock.now, self.app.settings
        with writing(self.engine) as connection:
            people.keep(connection, [NameLine("agent", "ann", f"{POISON} Ann")], "test", now)
        day = {"day": "2026-11-22", "text": f"{POISON} on sale"}
        assert self.app.call("POST", "/v1/timeline", self.admin, day).status_code == 201
        while seal(self.engine, settings, now) or naming.follow(self.engine, settings, now):
            pass  # until readers are told whose the answers are, and what was said
        return self.admin, self.supervisor, self.requests

    @property
    def keyring(self) -> Keyring:
        keyring = keyring_of(self.engine.dialect)
        assert keyring is not None
        return keyring

    def said(self, number: int, text: str) -> str:
        note = f"{POISON} {text}"
        now, who = self.app.clock.now, {"x_user_id": x_user_id(number), "x_handle": f"{POISON}_{number}"}
        said = {**who, "agent_id": "ann", "tags": ["a"], "customer_ref": f"{POISON} {number}"}
        request_id = deliver(self.app, conversation_id(number), **said)
        self.requests.append(request_id)
        plan = Plan(
            campaign="care", type="csat", question_variant_id=1, display_name=None, privacy_url="https://acme.example/p",
            test=False, way="card", opening_text=note, card_text=f"card {note}", page_hash=f"{number:064x}",
            alternatives=(Alternative("page", f"page {note}"),), decision={}, stale_at=now + timedelta(days=3),
        )  # fmt: skip
        writer = Writer("test", RetryPolicy(3, timedelta(days=3)))
        with writing(self.engine) as connection:
            request = locked(connection, request_id)
            assert request is not None
            write(connection, request, Postpone(now, "delay", plan=plan), now, writer)
            sent = sa.update(feedback_request).where(feedback_request.c.id == request_id)
            connection.execute(sent.values(state="card_sent", card_sent_at=now, outcome_at=now))
            sends.intend(connection, request, Kind.ASKING, now)
            identities.remember(connection, who["x_handle"], who["x_user_id"], now)
            answer = FoundIdentity(who["x_user_id"], who["x_handle"], "bridge", None)
            crm_matches.remember(connection, "crm", f"hash {number}", answer, now)
            again = {"source": "crm", "conversation_id": conversation_id(number), "reopened_at": now}
            connection.execute(sa.insert(reopening).values(**again, delivery_id="wd_test"))
        self.answer(request_id, 4, f"{note} said")
        once = {"Idempotency-Key": f"note {number}"}
        path = f"/v1/results/{request_id}/notes"
        answer = self.app.call("POST", path, self.supervisor, {"text": f"{note} noted"}, headers=once)
        assert answer.status_code == 201
        return request_id

    def answer(self, request_id: str, score: int, text: str) -> str:
        at = self.app.clock.now
        told = Answer(request_id, "card", "webhook", Update(at, score, at, text, at), str(int(request_id[-12:], 16)))
        with writing(self.engine) as connection:
            return ingest(connection, told, at)

    def shown(self) -> dict[str, Any]:
        """Everything readers see, on every surface."""
        first = self.requests[0]
        paths = (
            "/v1/results", "/v1/results?q=arsenic", "/v1/results?q=gru", "/v1/results?q=nobody", "/v1/requests",
            "/v1/changes", f"/v1/results/{first}", f"/v1/results/{first}/notes", "/v1/results.csv", "/v1/results.jsonl",
            "/v1/summary", f"/v1/customers/{x_user_id(0)}", f"/v1/requests/{first}", "/v1/timeline",
            f"/v1/requests?conversation_id={conversation_id(0)}&conversation_id={conversation_id(1)}",
        )  # fmt: skip
        seen: dict[str, Any] = {path: self._read(path) for path in paths}
        with reading(self.engine) as connection:
            seen["asked"] = [locked(connection, each) for each in self.requests]
        seen["deliveries"] = [(row.headers, row.query, row.body) for row in self.app.rows(webhook_delivery)]
        seen["answers"] = [(row.text, row.text_at) for row in self.app.rows(result)]
        return seen

    def _read(self, path: str) -> str:
        """But for digests, which are nobody's words and have two forms."""
        text = self.app.call("GET", path, self.admin).get_data(as_text=True)
        return re.sub(r'"digest":"[^"]*"', "", text)

    def turn_on(self) -> None:
        with writing(self.engine) as connection:
            key_change.turn_on(connection, self.app.clock.now)

    def turn_off(self) -> None:
        with writing(self.engine) as connection:
            key_change.turn_off(connection, self.app.clock.now)

    def walk(self, steps: int = 10_000) -> WalkProgress:
        """Take so many steps at this moment."""
        for _ in range(steps):
            if not existing_rows.step(self.engine, self.app.clock.now):
                break
        return self.progress

    def walk_to_the_end(self) -> WalkProgress:
        for _ in range(4):
            if self.walk().finished_at is not None:
                break
            self.app.clock.forward(seconds=SETTLED.total_seconds())
        return self.progress

    @property
    def progress(self) -> WalkProgress:
        with reading(self.engine) as connection:
            found = progress(connection)
        assert found is not None
        return found

    def stored_values(self) -> Iterator[tuple[str, Any]]:
        """Every encrypted value as stored, by its place."""
        for column in encrypted_columns():
            with reading(self.engine) as connection:
                plain = sa.type_coerce(column, stored(column.type))
                for value in connection.scalars(sa.select(plain).where(column.is_not(None))):
                    if value:
                        yield str(column), value

    def dump(self) -> str:
        """All tables as text, bytes decoded."""
        with reading(self.engine) as connection:
            return "\n".join(
                str(value.decode("latin-1") if isinstance(value, bytes) else value)
                for table in metadata.sorted_tables
                for row in connection.exec_driver_sql(f"SELECT * FROM {table.name}")
                for value in row
            )


def columns_of_ids() -> list[sa.Column[Any]]:
    return [each for table in metadata.sorted_tables for each in table.c if isinstance(each.type, EncryptedId)]


def encrypted_columns() -> list[sa.Column[Any]]:
    return [each for table in metadata.sorted_tables for each in table.c if isinstance(each.type, Encrypted)]
