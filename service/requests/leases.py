"""Who works on what, and until when: leases due requests of an account to one worker.

Every write of a worker carries its lease token, so one that was paused past its lease cannot record over its successor.
An expired lease is taken over by whoever comes next. Decides nothing about a request.
"""

from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import Micros
from service.db.leases import beyond, is_over_at
from service.models import IS_BEGUN, IS_OPEN, account_state, feedback_request
from service.requests.request import Request
from service.requests.rows import REQUEST, request_of
from service.requests.writer import CHANGE

fr = feedback_request.c
acct = account_state.c
NOW, FAR = (sa.bindparam(name, type_=Micros) for name in ("now", "far"))
# built once: building these costs as much as running them
DUE = sa.select(acct.account).where(
    acct.account.in_(sa.bindparam("among", expanding=True)),
    sa.exists().where(
        fr.account == acct.account, IS_OPEN, fr.scheduled_at <= NOW, is_over_at(fr.lease_until, NOW, FAR)
    ),
)
MOST: sa.BindParameter[int] = sa.bindparam("most")


def _first(*which: sa.ColumnElement[bool]) -> sa.Select[str, datetime]:
    """What is due of these, longest first; each kind is found by its own index."""
    mine = (fr.account == sa.bindparam("this"), fr.scheduled_at <= NOW, is_over_at(fr.lease_until, NOW, FAR))
    due = sa.select(fr.id, fr.scheduled_at).where(*mine, *which).order_by(fr.scheduled_at)
    return due.limit(MOST).with_for_update(skip_locked=True)


BEGUN = _first(IS_BEGUN).cte("begun")
OTHERS = _first(IS_OPEN, fr.id.not_in(sa.select(BEGUN.c.id))).cte("others")
PICK = sa.union_all(
    *(sa.select(each.c.id, each.c.scheduled_at, sa.literal_column(turn).label("turn"))
      for each, turn in ((BEGUN, "0"), (OTHERS, "1")))
).subquery("pick")  # fmt: skip
TAKE = (
    sa.update(feedback_request)
    .where(fr.id.in_(sa.select(PICK.c.id).order_by(PICK.c.turn, PICK.c.scheduled_at).limit(MOST)))
    .values(lease_token=sa.bindparam("token"), lease_until=sa.bindparam("until", type_=Micros))
    .returning(*REQUEST, IS_BEGUN.label("is_begun"))
)


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's hold on a request, from a moment on."""

    token: str
    until: datetime


def take_due(connection: Connection, account: str, limit: int, lease: Lease, now: datetime) -> list[Request]:
    """Lease up to `limit` due requests: first those begun, whose customer is waiting; then the longest waiting."""
    lent = {"token": lease.token, "until": lease.until, "far": beyond(now, lease.until - now)}
    leased = connection.execute(TAKE, {"this": account, "now": now, "most": limit, **lent}).all()
    return [request_of(row) for row in sorted(leased, key=lambda row: (not row.is_begun, row.scheduled_at))]


def taken(request: Request, lease: Lease) -> Request:
    """The request, leased to whoever is about to make a call to X for it."""
    return replace(request, lease_token=lease.token, lease_until=lease.until)


def grant(connection: Connection, request_id: str, lease: Lease) -> None:
    """Lease a request that nobody else knows of yet."""
    connection.execute(CHANGE, {"this": request_id, "lease_token": lease.token, "lease_until": lease.until})


def release(connection: Connection, request_id: str) -> None:
    """Give the request back as it is."""
    connection.execute(CHANGE, {"this": request_id, "lease_token": None, "lease_until": None})
