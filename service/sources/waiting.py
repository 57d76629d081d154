"""Whose customers are to be looked up: hands requests without an identity, one at a time, to whoever asks the CRM.

A customer is looked up once at a time; others who wait for the same one find the answer remembered. A lease ends if its
worker dies. The request itself is written by `requests`; this only keeps that, and when, to ask about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import upsert
from service.db.leases import beyond, is_held, is_over
from service.ids import new_id
from service.models import feedback_request, look_up
from service.states import END_STATES

LEASE = timedelta(minutes=1)
"""Outlasts the slowest look-up: a token and three calls of ten seconds each."""

LONGEST = timedelta(minutes=30)  # a CRM that was away for hours is asked again soon after

lu, fr = look_up.c, feedback_request.c
THIS = lu.request_id == sa.bindparam("request")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request waiting for a look-up, how often one failed, and the token of whoever has taken it."""

    request_id: str
    attempts: int
    token: str = ""


def want(connection: Connection, request_id: str, source: str, customer: str | None, now: datetime) -> None:
    """Request a look-up. `customer` is the keyed hash by which others waiting for the same one are recognised."""
    due = {
        "source": source,
        "customer": customer,
        "due_at": now,
        "attempts": 0,
        "lease_token": None,
        "lease_until": None,
    }
    upsert(connection, look_up, {"request_id": request_id}, due)


def anything_due(connection: Connection, source: str, now: datetime) -> bool:
    """Whether any request of this source waits and is not being looked up."""
    return connection.scalar(sa.select(lu.request_id).where(*_due(source, now)).limit(1)) is not None


def flying(connection: Connection, source: str, now: datetime) -> int:
    """How many look-ups of this source are under way, in all workers."""
    taken = (
        sa.select(sa.func.count()).select_from(look_up).where(lu.source == source, is_held(lu.lease_until, now, LEASE))
    )
    return connection.scalar(taken) or 0


def next_due(connection: Connection, source: str, now: datetime, limit: int) -> Sequence[Waiting]:
    """Return those who have waited longest and whose customer nobody is asking about."""
    other = look_up.alias("other").c
    asked = is_held(other.lease_until, now, LEASE)
    same = sa.exists().where(other.source == lu.source, other.customer == lu.customer, asked)
    due = sa.select(lu.request_id, lu.attempts).where(*_due(source, now), ~same).order_by(lu.due_at).limit(limit)
    return [Waiting(row.request_id, row.attempts) for row in connection.execute(due)]


def take(connection: Connection, waiting: Waiting, now: datetime) -> Waiting:
    """Take it: nobody else asks about it while the lease lasts. Needs the source's lock."""
    token = new_id("lu", now)
    leased = sa.update(look_up).where(THIS).values(lease_token=token, lease_until=now + LEASE)
    connection.execute(leased, {"request": waiting.request_id})
    return Waiting(waiting.request_id, waiting.attempts, token)


def is_mine(connection: Connection, waiting: Waiting) -> bool:
    """Whether the lease is still ours."""
    held = connection.scalar(sa.select(lu.lease_token).where(THIS), {"request": waiting.request_id})
    return held == waiting.token


def put_back(connection: Connection, waiting: Waiting, due_at: datetime, attempts: int) -> None:
    """Nothing came of it: try again then."""
    again = {"due_at": due_at, "attempts": attempts, "lease_token": None, "lease_until": None}
    connection.execute(sa.update(look_up).where(THIS).values(again), {"request": waiting.request_id})


def tried_in_vain(connection: Connection, source: str) -> int:
    """How many of this source wait although they have been asked about."""
    tried = sa.select(sa.func.count()).select_from(look_up).where(lu.source == source, lu.attempts > 0)
    return connection.scalar(tried) or 0


def done(connection: Connection, request_id: str) -> None:
    """Nothing more is to be looked up for this request."""
    connection.execute(sa.delete(look_up).where(THIS), {"request": request_id})


def forget_ended(connection: Connection) -> None:
    """Delete look-ups for requests that have ended otherwise, of any source."""
    over = sa.exists().where(fr.id == lu.request_id, fr.state.in_([state.value for state in END_STATES]))
    connection.execute(sa.delete(look_up).where(over))


def counts(connection: Connection) -> dict[str, int]:
    """Return how many wait, by source."""
    each = sa.select(lu.source, sa.func.count().label("n")).group_by(lu.source)
    return {row.source: row.n for row in connection.execute(each)}


def _due(source: str, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Whether a look-up is due. One due later than we ever postpone was put off by a clock since set back."""
    due = sa.or_(lu.due_at <= now, lu.due_at > beyond(now, LONGEST))
    return lu.source == source, due, is_over(lu.lease_until, now, LEASE)
