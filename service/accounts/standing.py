"""Whether an X account may send now, and what an operator should see of it.

Sends of one account lock its row, so that they share its limits. Of the row, this file writes only its creation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.accounts import x_outage
from service.db import insert_missing
from service.db.leases import beyond
from service.models import account_state, strange_refusal

LONGEST_PAUSE = timedelta(days=1)
Status = Literal["held", "paused", "x_away", "free"]
acct = account_state.c
# A pause further away than any X announces was written before the clock was set back: it does not count.
PAUSED = sa.and_(acct.paused_until > sa.bindparam("now"), acct.paused_until <= sa.bindparam("believable"))
RESTS = sa.or_(acct.hold_reason.is_not(None), PAUSED, acct.moved.is_not(None))
UNEXPLAINED = sa.exists().where(strange_refusal.c.account == acct.account)
LOCKED_ROW = (RESTS.label("rests"), acct.x_away_since, UNEXPLAINED.label("met_unexplained"))
LOCKED = sa.select(*LOCKED_ROW).where(acct.account == sa.bindparam("this"))

# built once, as they are asked for every call to X
LOCK, LOCK_IF_FREE = LOCKED.with_for_update(), LOCKED.with_for_update(skip_locked=True)


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """One account as an operator sees it."""

    account: str
    hold_code: int | None = None
    hold_reason: str | None = None
    held_at: datetime | None = None
    paused_until: datetime | None = None
    x_away_since: datetime | None = None

    def status(self, now: datetime) -> tuple[Status, datetime | None]:
        """Return how it stands: held or x_away since a moment, paused until one (by the workers' own rule), or free."""
        if self.hold_reason is not None:
            return "held", self.held_at
        if self.paused_until is not None and now < self.paused_until <= beyond(now, LONGEST_PAUSE):
            return "paused", self.paused_until
        away_since = x_outage.since(self.x_away_since, now)
        return ("free", None) if away_since is None else ("x_away", away_since)


@dataclass(frozen=True, slots=True)
class Locked:
    """One account as seen by the transaction that has locked it."""

    rests: bool
    x_was_away: bool
    met_unexplained: bool  # refusals nobody can explain, counted until the next success


def enrol(connection: Connection, accounts: Iterable[str], now: datetime) -> None:
    """Make sure every account in the settings has a row."""
    insert_missing(connection, account_state, [{"account": each, "updated_at": now} for each in accounts])


def standings(connection: Connection) -> list[AccountStanding]:
    """Return how every account stands that was ever in the settings."""
    columns = (acct.account, acct.hold_code, acct.hold_reason, acct.held_at, acct.paused_until, acct.x_away_since)
    return [AccountStanding(*row) for row in connection.execute(sa.select(*columns).order_by(acct.account))]


def rests(connection: Connection, account: str, now: datetime) -> bool:
    """Whether the account may not send now, without locking it."""
    return bool(connection.scalar(LOCKED, {"this": account, **at(now)}))


def lock(connection: Connection, account: str, now: datetime) -> Locked:
    """Lock the account, so that transactions about its slots take turns, and return how it stands.

    SQLite has locked the whole database already.
    """
    row = connection.execute(LOCK, {"this": account, **at(now)}).one_or_none()
    return Locked(rests=False, x_was_away=False, met_unexplained=False) if row is None else locked_of(row)


def locked_of(row: Sequence[Any]) -> Locked:
    """Make it from a row that begins with `LOCKED_ROW`."""
    rests, x_away_since, met_unexplained = row[: len(LOCKED_ROW)]
    return Locked(bool(rests), x_away_since is not None, bool(met_unexplained))


def lock_if_free(connection: Connection, account: str, now: datetime) -> bool:
    """Lock the account if nobody has, and say whether it may send now: claims can turn to others."""
    locked = connection.execute(LOCK_IF_FREE, {"this": account, **at(now)}).one_or_none()
    return locked is not None and not locked.rests


def at(now: datetime) -> dict[str, datetime]:
    """The parameters of `RESTS`."""
    return {"now": now, "believable": beyond(now, LONGEST_PAUSE)}
