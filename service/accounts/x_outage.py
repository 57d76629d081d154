"""Whether X answers at all, and since when it does not. For people to see; nothing waits for it.

Each request retries on its own schedule. That X is down altogether only shows when all calls of an account are seen
together.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from service.models import account_state

log = structlog.get_logger(__name__)
acct = account_state.c
SAID_AFTER = timedelta(minutes=1)
"""One call in vain is no outage: the first request that fails is tried again within this time."""


def began(connection: Connection, account: str, now: datetime) -> None:
    """X did not answer a call of this account; the first such moment stands."""
    first = sa.update(account_state).where(acct.account == account, acct.x_away_since.is_(None))
    connection.execute(first.values(x_away_since=now))


def ended(connection: Connection, account: str) -> None:
    """X answered, to whatever call."""
    was_away = sa.update(account_state).where(acct.account == account, acct.x_away_since.is_not(None))
    if connection.execute(was_away.values(x_away_since=None)).rowcount:
        log.info("x_answers_again", account=account)


def since(x_away_since: datetime | None, now: datetime) -> datetime | None:
    """Return since when X counts as away."""
    return x_away_since if x_away_since is not None and x_away_since <= now - SAID_AFTER else None
