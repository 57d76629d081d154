"""One reader of an account's DM list at a time: a worker that wants to look gets a token, or has to wait.

The list allows few calls per window, and one reading clears up all of an account's unclear sends.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db.leases import is_over
from service.ids import new_id
from service.models import account_state

acct = account_state.c


def looked_at(connection: Connection, account: str) -> datetime | None:
    """Return when the list was last read far enough."""
    return connection.scalar(sa.select(acct.looked_at).where(acct.account == account))


def begin(
    connection: Connection, account: str, lease: timedelta, now: datetime, rest: timedelta = timedelta()
) -> str | None:
    """Take the lease if it is free; a dead worker's expires. `rest` is the furthest ahead `end_short` ever sets it.

    Nobody here reads the list of an account that lives in another database.
    """
    token = new_id("lk", now)
    free = is_over(acct.lookup_lease_until, now, max(lease, rest)) & acct.moved.is_(None)
    mine = sa.update(account_state).where(acct.account == account, free)
    taken = connection.execute(mine.values(lookup_lease_token=token, lookup_lease_until=now + lease))
    return token if taken.rowcount == 1 else None


def extend(connection: Connection, account: str, token: str, lease: timedelta, now: datetime) -> bool:
    """Extend the lease. False: somebody else has it."""
    mine = sa.update(account_state).where(acct.account == account, acct.lookup_lease_token == token)
    return connection.execute(mine.values(lookup_lease_until=now + lease)).rowcount == 1


def end_whole(connection: Connection, account: str, token: str, read_at: datetime) -> None:
    """Return the lease and note when the list was read: far enough back."""
    _end(connection, account, token, looked_at=read_at, lookup_lease_until=None)


def end_short(connection: Connection, account: str, token: str, again_at: datetime) -> None:
    """Return the lease; X ended the reading early, so the next one is soon, but not at once."""
    _end(connection, account, token, lookup_lease_until=again_at)


def _end(connection: Connection, account: str, token: str, **values: datetime | None) -> None:
    mine = sa.update(account_state).where(acct.account == account, acct.lookup_lease_token == token)
    connection.execute(mine.values(lookup_lease_token=None, **values))
