"""How many ended conversations a day to expect of an account, from the settings or learnt from the ledger.

The random draw for a daily budget relies on it. Learnt from the last day and week, and cached for some minutes.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import account_state, feedback_request
from service.settings import Account
from service.states import Skip

LEARNT_EVERY = timedelta(minutes=10)
WEEK = timedelta(days=7)
DAY = timedelta(days=1)
acct = account_state.c
fr = feedback_request.c
KEPT = sa.select(acct.expected_per_day, acct.expected_at).where(acct.account == sa.bindparam("this"))


def expected_per_day(connection: Connection, account: Account, now: datetime) -> int:
    """Return how many to expect: as configured, or the larger of yesterday's number and last week's average."""
    if account.expected_per_day is not None:
        return account.expected_per_day
    kept = connection.execute(KEPT, {"this": account.name}).one()
    if kept.expected_per_day is not None and now - LEARNT_EVERY < kept.expected_at <= now:
        return int(kept.expected_per_day)
    learnt = max(_received(connection, account.name, now - DAY), _received(connection, account.name, now - WEEK) // 7)
    mine = sa.update(account_state).where(acct.account == account.name)
    connection.execute(mine.values(expected_per_day=learnt, expected_at=now))
    return learnt


def _received(connection: Connection, account: str, since: datetime) -> int:
    # What no campaign takes asks for no budget. What the sample left out stays counted: the share reckons with it.
    taken = fr.reason.is_(None) | (fr.reason != Skip.NO_CAMPAIGN)
    counted = sa.select(sa.func.count()).select_from(feedback_request)
    return connection.scalar(counted.where(fr.account == account, fr.received_at > since, taken)) or 0
