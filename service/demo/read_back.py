"""Reads back what the service wrote, as plain values. Decides nothing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db import reading
from service.models import feedback_request, result, send_attempt, webhook_delivery
from service.states import END_STATES, State

fr = feedback_request.c


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One row of the ledger."""

    id: str
    source: str
    conversation_id: str
    ended_at: datetime
    account: str
    x_user_id: str | None
    type: str | None
    test: bool
    state: str
    reason: str | None
    opening_text: str | None
    card_text: str | None
    dm_event_id: str | None
    feedback_id: str | None
    card_dm_id: str | None
    way: str | None

    @property
    def by_card(self) -> bool:
        """Whether X's card asks; NULL is how the ledger writes that."""
        return self.way in {None, "card"}


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One intent to send and what became of it."""

    request_id: str
    kind: str
    outcome: str | None
    evidence: str | None
    x_id: str | None


@dataclass(frozen=True, slots=True)
class ResultRow:
    """What we hold of a customer's answer."""

    request_id: str
    feedback_id: str | None
    score: int | None
    text: str | None
    first_channel: str
    update_count: int
    anomalies: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything, at one moment. `deliveries` are source and SHA-256 of the raw body."""

    requests: Sequence[RequestRow]
    attempts: Sequence[AttemptRow]
    results: Sequence[ResultRow]
    deliveries: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the service has come, for a person who waits."""

    accepted: int
    ended: int
    cards: int
    answers: int


def read(engine: Engine) -> Ledger:
    """Read all of it in one transaction."""
    with reading(engine) as connection:
        return Ledger(
            _rows(connection, feedback_request, RequestRow),
            _rows(connection, send_attempt, AttemptRow),
            _rows(connection, result, ResultRow),
            _deliveries(connection),
        )


def standing(engine: Engine) -> Progress:
    """Count."""
    ended = sa.func.count().filter(fr.state.in_(END_STATES))
    cards = sa.func.count().filter(fr.state == State.CARD_SENT)
    answers = sa.select(sa.func.count(result.c.score) + sa.func.count(result.c.text))
    with reading(engine) as connection:
        row = connection.execute(sa.select(sa.func.count(), ended, cards).select_from(feedback_request)).one()
        return Progress(*row, connection.scalar(answers) or 0)


def asked(engine: Engine, x_user_id: str) -> bool:
    """Whether a card has been sent to this customer."""
    sent = sa.select(fr.id).where(fr.x_user_id == x_user_id, fr.state == State.CARD_SENT)
    with reading(engine) as connection:
        return connection.scalar(sent.limit(1)) is not None


T = TypeVar("T")


def _rows(connection: Connection, table: sa.Table, shape: type[T]) -> list[T]:
    columns = [table.c[each.name] for each in fields(shape)]  # type: ignore[arg-type]  # only dataclasses are given
    return [shape(*row) for row in connection.execute(sa.select(*columns).order_by(*table.primary_key))]


def _deliveries(connection: Connection) -> list[tuple[str, str]]:
    stored: Any = connection.execute(sa.select(webhook_delivery.c.source, webhook_delivery.c.body))
    return [(source, hashlib.sha256(raw or b"").hexdigest()) for source, raw in stored]
