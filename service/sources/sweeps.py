"""How far a CRM's list of ended conversations has been read: whose turn it is, and from where on. Reads no list itself.

One reader at a time across all workers. A reading begins where the last one began and stores its page, so a killed
worker, or a CRM that is away for a day, costs time and no conversation.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import Micros, insert_missing
from service.db.leases import is_over
from service.ids import new_id
from service.models import source_sweep

LEASE = timedelta(minutes=1)
"""Outlasts the slowest page: a token, ten seconds, and storing what it held."""

FIRST = 1
sw = source_sweep.c


@dataclass(frozen=True, slots=True)
class Sweeping:
    """A reading of a source's list, as far as it is."""

    source: str
    read_until: datetime
    began_at: datetime | None
    cursor: str | None
    page: int
    due_at: datetime
    attempts: int
    problem: str | None
    token: str = ""


SELECT = sa.select(sw.source, sw.read_until, sw.began_at, sw.cursor, sw.page, sw.due_at, sw.attempts, sw.problem)


def enrol(connection: Connection, sources: Iterable[str], now: datetime) -> None:
    """Start with what ends from now on: earlier conversations are none of our business."""
    begin = {"read_until": now, "page": FIRST, "due_at": now, "attempts": 0}
    insert_missing(connection, source_sweep, [{"source": each, **begin} for each in sources])


def standings(connection: Connection) -> Mapping[str, Sweeping]:
    """Return how far each source's list is read."""
    return {row.source: Sweeping(*row) for row in connection.execute(SELECT.order_by(sw.source))}


def is_due(connection: Connection, source: str, now: datetime, every: timedelta) -> bool:
    """Whether a page of this source's list is due and nobody is reading it."""
    return connection.scalar(sa.select(sw.source).where(*_due(source, now, every))) is not None


def take(connection: Connection, source: str, now: datetime, every: timedelta) -> Sweeping | None:
    """Take the next page; nobody else can while the lease lasts. Needs the source's lock."""
    token = new_id("sw", now)
    leased = {
        "lease_token": token,
        "lease_until": now + LEASE,
        "began_at": sa.case((sw.began_at.is_(None), sa.bindparam("began", now, Micros())), else_=sw.began_at),
    }
    if not connection.execute(sa.update(source_sweep).where(*_due(source, now, every)).values(leased)).rowcount:
        return None
    return Sweeping(*connection.execute(SELECT.where(sw.source == source)).one(), token=token)


def turn_page(connection: Connection, taken: Sweeping, cursor: str | None, due_at: datetime) -> None:
    """The page is read, and there is another. Nothing is written if somebody else has taken over meanwhile."""
    _write(connection, taken, cursor=cursor, page=taken.page + 1, due_at=due_at, attempts=0, problem=None)


def done(connection: Connection, taken: Sweeping, due_at: datetime) -> None:
    """The list is read to its end; the next reading starts where this one started."""
    begin = {"cursor": None, "page": FIRST, "began_at": None, "attempts": 0, "problem": None}
    _write(connection, taken, read_until=taken.began_at, due_at=due_at, **begin)


def put_off(connection: Connection, taken: Sweeping, problem: str, due_at: datetime, *, anew: bool) -> None:
    """The page was not read. `anew`: its cursor is no longer usable, so the reading starts again."""
    begin = {"cursor": None, "page": FIRST} if anew else {}
    _write(connection, taken, problem=problem, due_at=due_at, attempts=taken.attempts + 1, **begin)


def _write(connection: Connection, taken: Sweeping, **values: object) -> None:
    mine = sa.update(source_sweep).where(sw.source == taken.source, sw.lease_token == taken.token)
    connection.execute(mine.values(**values, lease_token=None, lease_until=None))


def _due(source: str, now: datetime, every: timedelta) -> tuple[sa.ColumnElement[bool], ...]:
    """Whether a page is due. One due later than we ever postpone was put off by a clock since set back."""
    due = sa.or_(sw.due_at <= now, sw.due_at > now + max(every, timedelta(days=1)))
    return sw.source == source, due, is_over(sw.lease_until, now, LEASE)
