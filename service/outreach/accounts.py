"""What all workers must know of an X account: in, an account and what X said; out, holds, pauses and the volume.

A hold lasts until a person releases it; a pause ends by itself. One account's trouble never touches another's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from service.db import insert
from service.models import account_state, feedback_request
from service.outreach import strange
from service.outreach.answers import Hold
from service.settings import Account
from service.states import Skip
from service.x_api import STOPS_READING

log = structlog.get_logger(__name__)
VOLUME_EVERY = timedelta(minutes=10)
WEEK = timedelta(days=7)
DAY = timedelta(days=1)
NOT_OURS = "user_id_is_not_the_tokens"
LONGEST_PAUSE = timedelta(days=1)
s = account_state.c
r = feedback_request.c
# A pause further away than any X announces was written before the clock was set back: it does not count.
PAUSED = sa.and_(s.paused_until > sa.bindparam("now"), s.paused_until <= sa.bindparam("believable"))
RESTS = sa.or_(s.hold_reason.is_not(None), PAUSED)
LOCKED = sa.select(RESTS.label("rests")).where(s.account == sa.bindparam("this"))


@dataclass(frozen=True, slots=True)
class Standing:
    """One account as an operator sees it."""

    account: str
    hold_code: int | None
    hold_reason: str | None
    held_at: datetime | None
    paused_until: datetime | None


def enrol(connection: Connection, accounts: Iterable[str], now: datetime) -> None:
    """Make sure every account of the settings has its row."""
    for account in accounts:
        row = {"account": account, "updated_at": now}
        connection.execute(insert(connection, account_state).values(row).on_conflict_do_nothing())


def standings(connection: Connection) -> list[Standing]:
    """Return how every account stands."""
    columns = (s.account, s.hold_code, s.hold_reason, s.held_at, s.paused_until)
    return [Standing(*row) for row in connection.execute(sa.select(*columns).order_by(s.account))]


def at_rest(connection: Connection, now: datetime) -> set[str]:
    """Return the accounts for which nothing may be sent now."""
    return set(connection.scalars(sa.select(s.account).where(RESTS), _at(now)))


def lock(connection: Connection, account: str, now: datetime) -> bool:
    """Let transactions about one account's slots follow each other, and say whether it is at rest.

    On SQLite it is the write lock, taken already, that makes them follow each other.
    """
    locked = connection.execute(LOCKED.with_for_update(), {"this": account, **_at(now)}).one_or_none()
    return locked is not None and bool(locked.rests)


def lock_if_free(connection: Connection, account: str, now: datetime) -> bool:
    """Take the lock if nobody has it, and say whether the account may send now: who claims has other accounts too."""
    locked = connection.execute(LOCKED.with_for_update(skip_locked=True), {"this": account, **_at(now)}).one_or_none()
    return locked is not None and not locked.rests


def is_refused(connection: Connection, account: str) -> bool:
    """Whether X takes no call of this account at all; one that may not write may still read its answers."""
    return connection.scalar(sa.select(s.hold_reason).where(s.account == account)) in {NOT_OURS, *STOPS_READING}


def _at(now: datetime) -> dict[str, datetime]:
    return {"now": now, "believable": now + LONGEST_PAUSE}


def hold(connection: Connection, account: str, why: Hold, now: datetime) -> bool:
    """Hold the account until a person releases it. Return whether it was free before."""
    changed = connection.execute(
        sa.update(account_state)
        .where(s.account == account, s.hold_reason.is_(None))
        .values(hold_code=why.code, hold_reason=why.reason, held_at=now, updated_at=now)
    )
    return changed.rowcount == 1


def hold_if_refused(connection: Connection, account: str, reason: str | None, code: int | None, now: datetime) -> None:
    """Hold the account where reading met a refusal that every call would meet."""
    if reason in STOPS_READING and hold(connection, account, Hold(code, str(reason)), now):
        log.error("account_held", account=account, reason=reason, x_code=code)


def release(connection: Connection, account: str, now: datetime) -> bool:
    """Let the account go on. Return whether it was held or paused."""
    strange.forget(connection, account)
    changed = connection.execute(
        sa.update(account_state)
        .where(s.account == account, s.hold_reason.is_not(None) | s.paused_until.is_not(None))
        .values(hold_code=None, hold_reason=None, held_at=None, paused_until=None, updated_at=now)
    )
    return changed.rowcount == 1


def pause(connection: Connection, account: str, until: datetime, now: datetime) -> None:
    """Pause the account until then; a longer pause stands."""
    connection.execute(
        sa.update(account_state)
        .where(
            s.account == account,
            s.paused_until.is_(None) | (s.paused_until < until) | (s.paused_until > now + LONGEST_PAUSE),
        )
        .values(paused_until=until, updated_at=now)
    )


def expected_per_day(connection: Connection, account: Account, now: datetime) -> int:
    """Return how many ended conversations a day to expect: as configured, else learnt from the last day and week."""
    if account.expected_per_day is not None:
        return account.expected_per_day
    row = connection.execute(sa.select(s.expected_per_day, s.expected_at).where(s.account == account.name)).one()
    if row.expected_per_day is not None and now - VOLUME_EVERY < row.expected_at <= now:
        return int(row.expected_per_day)
    learnt = max(_received(connection, account.name, now - DAY), _received(connection, account.name, now - WEEK) // 7)
    connection.execute(
        sa.update(account_state).where(s.account == account.name).values(expected_per_day=learnt, expected_at=now)
    )
    return learnt


def _received(connection: Connection, account: str, since: datetime) -> int:
    # What no campaign takes asks for no budget. What the sample left out stays counted: the share reckons with it.
    taken = r.reason.is_(None) | (r.reason != Skip.NO_CAMPAIGN)
    counted = sa.select(sa.func.count()).select_from(feedback_request)
    return connection.scalar(counted.where(r.account == account, r.received_at > since, taken)) or 0
