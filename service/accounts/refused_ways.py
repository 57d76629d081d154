"""Ways of asking that X has refused to an account, to be left out for now.

A refused way is tried again after a day, because privileges get granted; `accounts release` lifts it at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from service.db import upsert
from service.models import barred_way

TRIED_AGAIN = timedelta(days=1)
log = structlog.get_logger(__name__)
bw = barred_way.c


@dataclass(frozen=True, slots=True)
class Bar:
    """X refused this way to the account, by this code."""

    way: str
    code: int | None


@dataclass(frozen=True, slots=True)
class Barred:
    """A way that is left out, for people to see."""

    account: str
    way: str
    code: int | None
    barred_at: datetime


def bar(connection: Connection, account: str, way: str, code: int | None, now: datetime) -> None:
    """Leave the way out from now on."""
    upsert(connection, barred_way, {"account": account, "way": way}, {"code": code, "barred_at": now})
    log.error("way_barred", account=account, way=way, x_code=code)


def lately(now: datetime) -> sa.ColumnElement[bool]:
    """SQL condition for ways that are left out now; a clock that was set back leaves none out."""
    return sa.and_(bw.barred_at > now - TRIED_AGAIN, bw.barred_at <= now)


def is_barred(connection: Connection, account: str, way: str, now: datetime) -> bool:
    """Whether the way is to be left out."""
    this = sa.exists().where(bw.account == account, bw.way == way, lately(now))
    return bool(connection.scalar(sa.select(this)))


def listed(connection: Connection, now: datetime) -> Sequence[Barred]:
    """Return every way that is left out now."""
    found = sa.select(bw.account, bw.way, bw.code, bw.barred_at).where(lately(now))
    return [Barred(*row) for row in connection.execute(found.order_by(bw.account, bw.way))]


def lift(connection: Connection, account: str) -> bool:
    """Let every way of the account be tried again. Return whether any was barred."""
    return connection.execute(sa.delete(barred_way).where(bw.account == account)).rowcount > 0
