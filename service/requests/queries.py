"""Finds requests, typed. Locks where it says so, and writes nothing."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.at_rest.unreadable import is_unreadable
from service.db.leases import is_over
from service.models import IS_OPEN, IS_UNPROVEN, feedback_request, result
from service.requests.request import Request
from service.requests.rows import CARD, REQUEST, SELECT, request_of
from service.requests.writer import THIS
from service.states import Kind, State

fr = feedback_request.c
res = result.c
USED = sa.or_(res.score_way != CARD, res.text_way != CARD)
"""An answer by a link or a tap; it may have been the link of the opening (`_has_link`), which no SQL looks into."""

PROOF = sa.or_(res.feedback_id.is_not(None), sa.and_(fr.state == State.UNKNOWN, USED))
UNPROVEN = (
    sa.select(*REQUEST, res.feedback_id)
    .join(result, res.request_id == fr.id)
    .where(IS_UNPROVEN, PROOF, fr.account.in_(sa.bindparam("among", expanding=True)))
    .limit(sa.bindparam("most", type_=sa.Integer()))
)


def locked(connection: Connection, request_id: str) -> Request | None:
    """Return a request, locked against every change until the transaction ends."""
    return _one(connection, SELECT.where(THIS).with_for_update(), request_id)


def unlocked(connection: Connection, request_id: str) -> Request | None:
    """Return a request as it stands, without waiting for a writer."""
    return _one(connection, SELECT.where(THIS), request_id)


def appeared(connection: Connection, request_ids: Sequence[str]) -> dict[str, str]:
    """Return the feedback ids of those requests whose card X has reported."""
    told = sa.select(res.request_id, res.feedback_id).where(res.request_id.in_(request_ids))
    return {row.request_id: row.feedback_id for row in connection.execute(told) if row.feedback_id is not None}


def answered(connection: Connection, request_ids: Sequence[str]) -> set[str]:
    """Return those requests whose customer used something only the message that asks contains: so they have it."""
    used = sa.select(fr.id, fr.opening_text).join(result, res.request_id == fr.id).where(USED, fr.id.in_(request_ids))
    return {row.id for row in connection.execute(used) if not _has_link(row.opening_text)}


def unproven(connection: Connection, accounts: Sequence[str], limit: int) -> Sequence[tuple[Request, str | None]]:
    """Return requests that ended unknown, or without their feedback id, and what has appeared since.

    That is a feedback object of X, or None if the customer has answered: either shows that we asked.
    """
    rows = connection.execute(UNPROVEN, {"among": list(accounts), "most": limit})
    return [(request_of(row), row[-1]) for row in rows]


def waits_since(connection: Connection, account: str, reason: str) -> datetime | None:
    """When the oldest conversation ended of which a request of this account waits for this reason, if any does."""
    waiting = sa.select(sa.func.min(fr.ended_at)).where(IS_OPEN, fr.account == account, fr.reason == reason)
    return connection.scalar(waiting)


def open_names(connection: Connection, but_of: Collection[str]) -> Sequence[tuple[str, str, int]]:
    """Return the accounts, sources and campaigns of open requests with their number, except of accounts `but_of`."""
    columns: dict[str, sa.ColumnElement[Any]] = {"accounts": fr.account, "sources": fr.source, "campaigns": fr.campaign}
    return [
        (kind, name, n) for kind, column in columns.items() for name, n in connection.execute(_named(column, but_of))
    ]


def overdue_elsewhere(
    connection: Connection, accounts: Sequence[str], before: datetime, now: datetime, lease: timedelta, limit: int
) -> Sequence[str]:
    """Return open requests of other accounts whose time is over: stale, or if that is unknown, ended `before`."""
    over = sa.func.coalesce(fr.stale_at <= now, fr.ended_at <= before)
    free = is_over(fr.lease_until, now, lease)
    return connection.scalars(
        sa.select(fr.id).where(IS_OPEN, fr.account.not_in(accounts), over, free).order_by(fr.scheduled_at).limit(limit)
    ).all()


def _one(connection: Connection, wanted: sa.Select[Any], request_id: str) -> Request | None:
    row = connection.execute(wanted, {"this": request_id}).one_or_none()
    return None if row is None else request_of(row)


def proven_by(request: Request, feedback_id: str | None) -> Kind | None:
    """Which message X's report, or an answer (None), shows to have arrived: of an opening with the link, that one.

    Nothing if we knew that before.
    """
    if feedback_id or not _has_link(request.opening_text):
        return Kind.ASKING
    return Kind.OPENING if request.next_message is Kind.OPENING else None


def _has_link(opening: str | None) -> bool:
    """Whether it had a link, or is unreadable and may have had one: then an answer proves no message after it."""
    return opening is not None and ("{page}" in opening or is_unreadable(opening))


def _named(column: sa.ColumnElement[Any], but_of: Collection[str]) -> sa.Select[Any, int]:
    ours = (IS_OPEN, column.is_not(None), fr.account.not_in(but_of))
    return sa.select(column, sa.func.count()).where(*ours).group_by(column).order_by(column)
