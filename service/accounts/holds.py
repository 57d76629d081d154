"""Holds and pauses: what X or a person said about an account, kept as the row that stops every worker from sending.

A hold lasts until a person releases it; a pause ends by itself. Also knows what the right key looks like to X.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from service.accounts import refused_ways, unexplained_refusals
from service.accounts.standing import LONGEST_PAUSE
from service.db.leases import is_over
from service.models import account_state
from service.settings import Account
from service.x_api import STOPS_AT_ONCE, STOPS_READING, XError
from service.x_api.facts import OwnAccount

log = structlog.get_logger(__name__)
acct = account_state.c
NOT_OURS = "user_id_is_not_the_tokens"
MAY_NOT_WRITE = "app_may_not_write_dms"
WRITES = "read-write-directmessages"
ABOUT_THE_KEYS = frozenset({NOT_OURS, MAY_NOT_WRITE, *STOPS_READING})
"""What a call that X has just accepted disproves."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing more for this account until a person releases it."""

    code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing more for this account, or for one of its endpoints, until then.

    `first`: until when at first, while it may concern this one customer only.
    """

    until: datetime
    endpoint: str | None = None
    first: datetime | None = None


@dataclass(frozen=True, slots=True)
class UnexplainedRefusal:
    """A refusal that may be about us: it is if several customers in a row meet one at this endpoint."""

    endpoint: str
    code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Away:
    """X did not answer, or only with an error of its own."""


def for_token(account: Account) -> Hold | None:
    """Return the hold for a token that tells by itself that it is somebody else's: X may be away."""
    signs = account.client_id is None
    return Hold(None, NOT_OURS) if signs and account.token_of not in {None, account.user_id} else None


def for_access(account: Account, who: OwnAccount) -> Hold | None:
    """Return the hold for somebody else's token or for an app that may not write; None if all is well."""
    if who.id != account.user_id:
        return Hold(None, NOT_OURS)
    if who.access_level is not None and who.access_level != WRITES:
        return Hold(None, MAY_NOT_WRITE)
    return None


def is_refused(connection: Connection, account: str) -> bool:
    """Whether X refuses every call of this account, or the account lives in another database.

    An account that may not write may still read its answers.
    """
    elsewhere = acct.moved.is_not(None)
    refused = sa.select(sa.or_(elsewhere, acct.hold_reason.in_({NOT_OURS, *STOPS_READING})))
    return bool(connection.scalar(refused.where(acct.account == account)))


def hold(connection: Connection, account: str, why: Hold, now: datetime) -> bool:
    """Hold the account until a person releases it. Return whether it was free before."""
    changed = connection.execute(
        sa.update(account_state)
        .where(acct.account == account, acct.hold_reason.is_(None))
        .values(hold_code=why.code, hold_reason=why.reason, held_at=now, updated_at=now)
    )
    if changed.rowcount == 1:
        log.error("account_held", account=account, reason=why.reason, x_code=why.code)
    return changed.rowcount == 1


def hold_if_refused(connection: Connection, account: str, error: XError, now: datetime) -> None:
    """Hold the account if the refusal of a read applies to every call."""
    if error.reason in STOPS_AT_ONCE:
        hold(connection, account, Hold(error.code, error.reason), now)


def release(connection: Connection, account: str, now: datetime) -> bool:
    """Let the account go on. Return whether it was held, paused, or barred from a way of asking."""
    unexplained_refusals.forget(connection, account)
    lifted = refused_ways.lift(connection, account)
    # also a pause too far away to count: it would, once its time comes near
    changed = connection.execute(
        sa.update(account_state)
        .where(acct.account == account, acct.hold_reason.is_not(None) | (acct.paused_until > now))
        .values(hold_code=None, hold_reason=None, held_at=None, paused_until=None, updated_at=now)
    )
    return lifted or changed.rowcount == 1


def signed_in(connection: Connection, account: str, now: datetime) -> str | None:
    """Lift a hold for keys or a sign-in that X did not accept. Return the reason of any other: a person lifts it."""
    ours = acct.account == account
    changed = connection.execute(
        sa.update(account_state)
        .where(ours, acct.hold_reason.in_(ABOUT_THE_KEYS))
        .values(hold_code=None, hold_reason=None, held_at=None, updated_at=now)
    )
    if changed.rowcount == 1:
        unexplained_refusals.forget(connection, account)
    return connection.scalar(sa.select(acct.hold_reason).where(ours))


def pause(connection: Connection, account: str, until: datetime, now: datetime) -> None:
    """Pause the account until then; a longer pause stands."""
    shorter = is_over(acct.paused_until, now, LONGEST_PAUSE) | (acct.paused_until < until)
    mine = sa.update(account_state).where(acct.account == account, shorter)
    if connection.execute(mine.values(paused_until=until, updated_at=now)).rowcount == 1:
        log.warning("account_paused", account=account, until=until.isoformat())
