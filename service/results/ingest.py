"""The one door for what customers answer: in, a card as X shows it, from any channel; out, what became of it.

Whatever is lost, doubled, delayed or reordered, the rows depend only on the set of updates that came (see merge.py).
A repeat costs one read. Of a feedback_request it says only that it changed. Never keeps a stranger's words, never logs
any.

A card without score and text makes no `result` row, except where outreach has not recorded the card's feedback id:
then the row is the evidence it waits for. So a request is answered when its row has a score or a text.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Row

from service.db import insert
from service.models import result, result_update, stray_feedback
from service.requests.changes import touch
from service.results.merge import Update, contradicts, digest, remainder, settle, update_of
from service.results.owner import Owner, owner_of
from service.settings import Account
from service.x_api.facts import Feedback
from service.x_api.questions import SCORE_RANGE

Channel = Literal["webhook", "events", "show"]
ID_LENGTH = 24
log = structlog.get_logger(__name__)
u = result_update.c
s = result.c


class Verdict(StrEnum):
    """What became of an update."""

    APPLIED = "applied"
    """It was new, and the row shows it."""

    OLDER = "older"
    """It was new and is kept; the row stays as it was."""

    REPEAT = "repeat"
    """We had exactly this. Nothing was written."""

    ANOMALY = "anomaly"
    """It contradicts another update of the same card. Both are kept; merge.py says which stands."""

    STRAY = "stray"
    """Nobody here asked for it. Its id is counted, nothing else is kept."""

    ERASED = "erased"
    """The person was erased: nothing more is kept about them."""


NEWS = frozenset({Verdict.APPLIED, Verdict.OLDER, Verdict.ANOMALY})


def ingest(connection: Connection, account: Account, feedback: Feedback, channel: Channel, now: datetime) -> Verdict:
    """Take in one card. Needs a writing transaction; the caller's commit makes it durable."""
    if len(feedback.id) > ID_LENGTH:
        # No id of X is this long, and our columns have no room for it.
        log.warning("x_id_too_long", account=account.name)
        return Verdict.STRAY
    if is_repeat(connection, feedback):
        return Verdict.REPEAT
    owner = owner_of(connection, account, feedback)
    if owner is None:
        return _stray(connection, account, feedback, channel, now)
    if owner.erased_at is not None:
        return Verdict.ERASED
    _one_at_a_time(connection, owner.id)
    row = connection.execute(sa.select(result).where(s.request_id == owner.id)).first()
    if row is not None and row.feedback_id != feedback.id:
        # A second card of one request: outreach forbids it, so it is nobody's.
        return _stray(connection, account, feedback, channel, now)
    return _Card(connection, owner, feedback.id, channel, now).add(update_of(feedback), row)


def ingest_all(
    connection: Connection, account: Account, feedbacks: Iterable[Feedback], channel: Channel, now: datetime
) -> list[tuple[Feedback, Verdict]]:
    """Take in many, always in the order of their ids: two transactions then never wait for each other in a circle."""
    ordered = sorted(feedbacks, key=lambda each: each.id)
    return [(each, ingest(connection, account, each, channel, now)) for each in ordered]


def is_repeat(connection: Connection, feedback: Feedback) -> bool:
    """Whether `ingest` would write nothing, for callers that have not opened a writing transaction yet."""
    found = sa.select(u.id).where(u.feedback_id == feedback.id, u.digest == digest(update_of(feedback)))
    return connection.execute(found).first() is not None


class _Card:
    """One card of one request, while one update of it is added. Alone with it: see _one_at_a_time."""

    def __init__(self, connection: Connection, owner: Owner, feedback_id: str, channel: Channel, now: datetime) -> None:
        self._connection, self._owner, self._feedback_id = connection, owner, feedback_id
        self._channel, self._now = channel, now

    def add(self, update: Update, row: Row[Any] | None) -> Verdict:
        known = self._connection.execute(sa.select(result_update).where(u.feedback_id == self._feedback_id)).all()
        key = digest(update)
        if any(each.digest == key for each in known):
            return Verdict.REPEAT  # another channel was quicker
        before = None if row is None else _update(row)
        updates = [*map(_update, known), update]
        if before is not None and _is_forgotten(before):
            # Its time is over: what X still has of it must not bring it back. The digest was of the whole update.
            update = _wordless(update)
            updates = [_wordless(each) for each in updates]
        rest = [] if before is None else [remainder(before, updates)]
        settled = settle([*updates, *rest], SCORE_RANGE.get(self._owner.type or "", SCORE_RANGE["nps"]))
        if before is not None and _is_forgotten(before):
            # Retention takes the words, not the fact that there were some.
            settled = replace(settled, text_at=before.text_at)
        contradicting = contradicts(update, settled)
        anomalies = self._judge_again(zip(known, updates, strict=False), settled) + contradicting
        shows = row is not None or settled.answers or self._owner.feedback_id is None
        if row is not None:
            self._change(settled, anomalies, row)
        elif shows:
            self._first(settled, anomalies, updates=len(updates))
        verdict = Verdict.APPLIED if shows and settled != before else Verdict.OLDER
        if contradicting:
            verdict = Verdict.ANOMALY
        self._keep(update, key, verdict)
        return verdict

    def _first(self, settled: Update, anomalies: int, *, updates: int) -> None:
        values = {
            "request_id": self._owner.id,
            "feedback_id": self._feedback_id,
            "first_seen_at": self._now,
            "first_channel": self._channel,
            "update_count": updates,
            "anomalies": anomalies,
            "updated_at": self._now,
            "text_seen_at": None if settled.text is None else self._now,
        }
        self._connection.execute(sa.insert(result).values(**values, **_values(settled)))
        touch(self._connection, [self._owner.id])
        # It may have come before outreach had recorded anything to know it by.
        self._connection.execute(sa.delete(stray_feedback).where(stray_feedback.c.feedback_id == self._feedback_id))

    def _change(self, settled: Update, anomalies: int, row: Row[Any]) -> None:
        before = _update(row)
        values: dict[str, Any] = {"update_count": row.update_count + 1, "anomalies": anomalies}
        if settled != before or anomalies != row.anomalies:
            values |= {"updated_at": self._now, **_values(settled)}
        if settled.text is not None and before.text is None:
            values |= {"text_seen_at": self._now}
        if settled.answers and not (before.answers or _is_forgotten(before)):
            # Until now the row was only evidence of the card.
            values |= {"first_seen_at": self._now, "first_channel": self._channel}
        self._connection.execute(sa.update(result).where(s.request_id == self._owner.id).values(values))
        touch(self._connection, [self._owner.id])

    def _judge_again(self, known: Iterable[tuple[Row[Any], Update]], settled: Update) -> int:
        """Mark what contradicts what stands now; return how many do. What has lost its words keeps its mark."""
        count = 0
        for each, held in known:
            marked = each.verdict == Verdict.ANOMALY
            contrary = contradicts(held, settled) or (marked and not held.answers)
            count += contrary
            if contrary != marked:
                verdict = Verdict.ANOMALY if contrary else Verdict.OLDER
                self._connection.execute(sa.update(result_update).where(u.id == each.id).values(verdict=verdict))
        return count

    def _keep(self, update: Update, key: str, verdict: Verdict) -> None:
        if verdict is Verdict.ANOMALY:
            log.warning("result_contradicts", feedback_id=self._feedback_id, request_id=self._owner.id)
        values = {
            "feedback_id": self._feedback_id,
            "request_id": self._owner.id,
            "digest": key,
            "channel": self._channel,
            "seen_at": self._now,
            "verdict": verdict,
        }
        self._connection.execute(sa.insert(result_update).values(**values, **_values(update)))


def _stray(connection: Connection, account: Account, feedback: Feedback, channel: Channel, now: datetime) -> Verdict:
    strays = stray_feedback.c
    if connection.execute(sa.select(strays.feedback_id).where(strays.feedback_id == feedback.id)).first() is None:
        values = {"feedback_id": feedback.id, "account": account.name, "first_seen_at": now, "channel": channel}
        connection.execute(insert(connection, stray_feedback).values(values).on_conflict_do_nothing())
    return Verdict.STRAY


def _one_at_a_time(connection: Connection, request_id: str) -> None:
    """Let two that bring news of one request at the same instant wait for each other; SQLite's write lock does.

    By the request, not the card: two cards may claim one request, and only the first is its own.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(request_id, 0))))


def _update(row: Row[Any]) -> Update:
    return Update(row.x_updated_at, row.score, row.score_at, row.text, row.text_at)


def _is_forgotten(row: Update) -> bool:
    """Whether the row's text was there and its retention is over: prune leaves the date of a text it takes."""
    return row.text is None and row.text_at is not None


def _wordless(update: Update) -> Update:
    return replace(update, text=None, text_at=None)


def _values(update: Update) -> dict[str, Any]:
    return {name: getattr(update, name) for name in Update.__slots__}
