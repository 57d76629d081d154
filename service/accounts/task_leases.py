"""Turns at a task of an account, such as "poll" or "refresh": a worker gets a token, or the task is taken.

A turn is a lease, so a dead worker loses it in time. Whoever records a result must still hold the token (`end`): a
worker that slept through its lease changes nothing. A lease longer than any we give was written before the clock was
set back, and counts as expired.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import insert, upsert
from service.db.leases import is_over
from service.ids import new_id
from service.models import account_task

LEASE = timedelta(minutes=2)
"""Outlasts the slowest call to X (40 s) and the two short transactions around it."""

tk = account_task.c


def may_begin(connection: Connection, account_name: str, task: str, now: datetime, every: timedelta) -> bool:
    """Whether `begin` would give a lease now. Only reads, so an idle worker writes nothing."""
    mine = sa.and_(tk.account == account_name, tk.task == task)
    row = connection.execute(sa.select(_open(now, every).label("open")).where(mine)).first()
    return row is None or bool(row.open)


def begin(connection: Connection, account_name: str, task: str, now: datetime, every: timedelta) -> str | None:
    """Take the lease if the task is due and free. `every` is the furthest ahead `end` ever sets the next one."""
    token = new_id("turn", now)
    taken = {"lease_token": token, "lease_until": now + LEASE}
    row = connection.execute(
        insert(connection, account_task)
        .values(account=account_name, task=task, next_at=now, **taken)
        .on_conflict_do_update(index_elements=[tk.account, tk.task], set_=taken, where=_open(now, every))
        .returning(tk.lease_token)
    ).first()
    return None if row is None else token


def extend(connection: Connection, account_name: str, task: str, token: str, now: datetime) -> bool:
    """Extend the lease. False: somebody else has it, and nothing may be recorded."""
    return _mine(connection, account_name, task, token, lease_until=now + LEASE)


def end(connection: Connection, account_name: str, task: str, token: str, next_at: datetime) -> bool:
    """Return the lease; the next one is not before `next_at`. False: somebody else has it, record nothing."""
    return _mine(connection, account_name, task, token, lease_token=None, lease_until=None, next_at=next_at)


def moment(connection: Connection, account_name: str, task: str) -> datetime | None:
    """The moment `set_moment` wrote last."""
    return connection.scalar(sa.select(tk.next_at).where(tk.account == account_name, tk.task == task))


def set_moment(connection: Connection, account_name: str, task: str, when: datetime, cursor: str | None = None) -> None:
    """Store a moment of an account under a name, such as how far it has been enrolled, and X's cursor."""
    key = {"account": account_name, "task": task}
    upsert(connection, account_task, key, {"next_at": when, "cursor": cursor})


def cursor(connection: Connection, account_name: str, task: str) -> tuple[datetime, str] | None:
    """The moment and cursor `set_moment` wrote last; None without a cursor."""
    kept = sa.select(tk.next_at, tk.cursor).where(tk.account == account_name, tk.task == task, tk.cursor.is_not(None))
    row = connection.execute(kept).one_or_none()
    return None if row is None else (row.next_at, str(row.cursor))


def _open(now: datetime, every: timedelta) -> sa.ColumnElement[bool]:
    free = is_over(tk.lease_until, now, LEASE)
    due = sa.or_(tk.next_at <= now, tk.next_at > now + every + LEASE)
    return sa.and_(free, due)


def _mine(connection: Connection, account_name: str, task: str, token: str, **values: object) -> bool:
    mine = sa.and_(tk.account == account_name, tk.task == task, tk.lease_token == token)
    return connection.execute(sa.update(account_task).where(mine).values(values)).rowcount == 1
