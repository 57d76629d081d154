"""One request's answer, read and written as frozen facts, for `ingest` alone.

The only file that reads and writes `result` and `result_update` for it. Decides nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from service.at_rest.columns import encrypting
from service.at_rest.unreadable import is_unreadable
from service.models import feedback_request, result, result_update
from service.results.answer import Answer
from service.results.merge import NOTHING, Claim, SettledAnswer, Update, digest

fr = feedback_request.c
res = result.c
upd = result_update.c
ASKED = (
    sa.select(fr.id, fr.account, fr.type, fr.feedback_id, fr.ended_at, fr.outcome_at, fr.erased_at)
    .where(fr.id == sa.bindparam("this"))
    .with_for_update(key_share=True)
)
"""Locked against change: an erasure waits for us, or we for it; else an answer could be kept just after it. And two
that bring news of one request follow each other."""

OF_REQUEST = res.request_id == sa.bindparam("this")
HELD, CHANGE, FIRST = sa.select(result).where(OF_REQUEST), sa.update(result).where(OF_REQUEST), sa.insert(result)
KNOWN = sa.select(result_update).where(upd.request_id == sa.bindparam("this")).order_by(upd.id)
KEEP = sa.insert(result_update)
JUDGE = sa.update(result_update).where(upd.id == sa.bindparam("this")).values(verdict=sa.bindparam("thought"))


@dataclass(frozen=True, slots=True)
class AskedRequest:
    """The request an answer belongs to."""

    id: str
    account: str
    type: str | None
    feedback_id: str | None
    ended_at: datetime
    outcome_at: datetime | None
    erased_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredResult:
    """The row readers see. `feedback_id` None: nobody has reported a card."""

    feedback_id: str | None
    shown: SettledAnswer
    update_count: int
    anomalies: int


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A stored report and its verdict."""

    id: int
    way: str
    digest: str
    told: Update
    verdict: str


def lock(connection: Connection, request_id: str) -> AskedRequest | None:
    """The request, alone with it until our commit."""
    row = connection.execute(ASKED, {"this": request_id}).one_or_none()
    return None if row is None else AskedRequest(*row)


def held(connection: Connection, request_id: str, known: Sequence[StoredReport]) -> StoredResult | None:
    """The row readers see, if there is one. A text that was tampered with is taken from a report that still has it."""
    row = connection.execute(HELD, {"this": request_id}).one_or_none()
    if row is None:
        return None
    shown = _shown(row)
    if is_unreadable(shown.text.value) and any(each.told.text is not None for each in known):
        shown = replace(shown, text=NOTHING)
    return StoredResult(row.feedback_id, shown, row.update_count, row.anomalies)


def known(connection: Connection, request_id: str) -> Sequence[StoredReport]:
    """Every stored report; without the text if it was changed in the database."""
    rows = connection.execute(KNOWN, {"this": request_id})
    return [StoredReport(row.id, row.way, row.digest, _told(row), row.verdict) for row in rows]


def how_many_by_page(connection: Connection, request_id: str) -> int:
    """How many reports from our own page are stored, counted without reading them."""
    kept = sa.select(sa.func.count()).where(upd.request_id == request_id, upd.way == "page")
    return connection.execute(kept).scalar_one()


def keep(connection: Connection, told: Sequence[tuple[Answer, Update, str]], now: datetime) -> None:
    """Store reports: the answer, what of it may be kept, and the verdict."""
    connection.execute(KEEP, [_kept(answer, update, verdict, now) for answer, update, verdict in told])


def judge(connection: Connection, verdicts: Sequence[tuple[StoredReport, str]]) -> None:
    """Change the verdict on stored reports."""
    if verdicts:
        connection.execute(JUDGE, [{"this": each.id, "thought": verdict} for each, verdict in verdicts])


def first(connection: Connection, request_id: str, shown: SettledAnswer, values: dict[str, Any]) -> None:
    """Write the row."""
    row = {"request_id": request_id, **values, **shown_columns(shown)}
    connection.execute(FIRST, encrypting(result, row, request_id))


def change(connection: Connection, request_id: str, values: dict[str, Any]) -> None:
    """Change the row; an unreadable text stays as stored."""
    values = {name: value for name, value in values.items() if not is_unreadable(value)}
    connection.execute(CHANGE, {"this": request_id, **encrypting(result, values, request_id)})


def shown_columns(shown: SettledAnswer) -> dict[str, Any]:
    """What stands, as columns."""
    return {
        "x_updated_at": shown.told_at,
        "score": shown.score.value, "score_at": shown.score.at, "score_way": shown.score.way,
        "text": shown.text.value, "text_at": shown.text.at, "text_way": shown.text.way,
    }  # fmt: skip


def _kept(answer: Answer, update: Update, verdict: str, now: datetime) -> dict[str, Any]:
    row = {
        "request_id": answer.request_id, "way": answer.way, "channel": answer.channel, "verdict": verdict,
        "feedback_id": answer.feedback_id, "digest": digest(answer.told), "seen_at": now,
        "unread": ",".join(answer.unread) or None, "x_updated_at": update.told_at,
        "score": update.score, "score_at": update.score_at, "text": update.text, "text_at": update.text_at,
    }  # fmt: skip
    return encrypting(result_update, row, answer.request_id, answer.way, update.told_at)


def _told(row: Row[Any]) -> Update:
    told = Update(row.x_updated_at, row.score, row.score_at, row.text, row.text_at)
    return told.wordless() if is_unreadable(row.text) else told


def _shown(row: Row[Any]) -> SettledAnswer:
    told_at = row.x_updated_at
    score = Claim(row.score, row.score_at, row.score_way, told_at)
    return SettledAnswer(told_at, score, Claim(row.text, row.text_at, row.text_way, told_at))
