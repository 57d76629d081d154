"""Who works on what, and until when: in, an account and a moment; out, requests leased to one worker.

Every write of a worker carries its lease's token, so one that was paused past its lease cannot record over its
successor. An expired lease is taken over by whoever comes next. Decides nothing about a request.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import Micros
from service.leases import beyond, is_over_at
from service.models import IS_BEGUN, IS_OPEN, account_state, feedback_request
from service.requests.request import Request
from service.requests.rows import REQUEST, SELECT, request_of
from service.requests.writer import CHANGE, THIS

fr = feedback_request.c
acct = account_state.c
NOW, FAR = (sa.bindparam(name, type_=Micros) for name in ("now", "far"))
# built once: to build these costs as much as to run them
DUE = sa.select(acct.account).where(
    acct.account.in_(sa.bindparam("among", expanding=True)),
    sa.exists().where(
        fr.account == acct.account, IS_OPEN, fr.scheduled_at <= NOW, is_over_at(fr.lease_until, NOW, FAR)
    ),
)
MINE = SELECT.where(THIS, fr.lease_token == sa.bindparam("token")).with_for_update()


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's hold on a request, from a moment on."""

    token: str
    until: datetime


def due_accounts(connection: Connection, among: Sequence[str], lease: timedelta, now: datetime) -> Sequence[str]:
    """Return those of the accounts that have something due."""
    return connection.scalars(DUE, {"among": among, "now": now, "far": beyond(now, lease)}).all()


def take_due(connection: Connection, account: str, limit: int, lease: Lease, now: datetime) -> list[Request]:
    """Lease up to `limit` due requests: first what was begun, whose customer waits; then what has waited longest."""
    begun = _take(connection, IS_BEGUN, account, limit, lease, now)
    rest = limit - len(begun)
    return begun + (_take(connection, IS_OPEN, account, rest, lease, now) if rest else [])


def _take(
    connection: Connection,
    which: sa.ColumnElement[bool],
    account: str,
    limit: int,
    lease: Lease,
    now: datetime,
) -> list[Request]:
    this = {"token": lease.token, "until": lease.until, "far": beyond(now, lease.until - now)}
    leased = connection.execute(_taking(which), {"this": account, "now": now, "most": limit, **this})
    return sorted(map(request_of, leased), key=lambda each: each.scheduled_at)


@cache
def _taking(which: sa.ColumnElement[bool]) -> sa.Executable:
    pick = (
        sa.select(fr.id)
        .where(fr.account == sa.bindparam("this"), which, fr.scheduled_at <= NOW, is_over_at(fr.lease_until, NOW, FAR))
        .order_by(fr.scheduled_at)
        .limit(sa.bindparam("most"))
        .with_for_update(skip_locked=True)
        .cte("pick")
    )
    return (
        sa.update(feedback_request)
        .where(fr.id.in_(sa.select(pick.c.id)))
        .values(lease_token=sa.bindparam("token"), lease_until=sa.bindparam("until", type_=Micros))
        .returning(*REQUEST)
    )


def still_mine(connection: Connection, request_id: str, token: str) -> Request | None:
    """Lock a request and return it, if the lease with this token still holds."""
    row = connection.execute(MINE, {"this": request_id, "token": token}).one_or_none()
    return None if row is None else request_of(row)


def taken(request: Request, lease: Lease) -> Request:
    """The request in the hands of who is about to make a call to X for it."""
    return replace(request, lease_token=lease.token, lease_until=lease.until)


def put_up(connection: Connection, request_id: str, lease: Lease) -> None:
    """Take a request that nobody else knows of yet."""
    connection.execute(CHANGE, {"this": request_id, "lease_token": lease.token, "lease_until": lease.until})


def put_down(connection: Connection, request_id: str) -> None:
    """Give the request back as it is."""
    connection.execute(CHANGE, {"this": request_id, "lease_token": None, "lease_until": None})
