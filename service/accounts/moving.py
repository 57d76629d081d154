"""Accounts on their way to another database: which have left this one, and which have not fully arrived.

Either way no worker of this database writes for the account or asks X about it, whatever its settings say. This is not
a hold: nobody can release it by hand.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.accounts.standing import enrol
from service.models import account_state

acct = account_state.c
Moved = Literal["arriving", "gone"]
ARRIVING: Moved = "arriving"
GONE: Moved = "gone"


def moved(connection: Connection) -> Mapping[str, str]:
    """Return the accounts that have left or are arriving, and which of the two."""
    query = sa.select(acct.account, acct.moved).where(acct.moved.is_not(None))
    return {name: str(how) for name, how in connection.execute(query)}


def known(connection: Connection, accounts: Collection[str]) -> frozenset[str]:
    """Return which of the accounts were ever in this database."""
    return frozenset(connection.scalars(sa.select(acct.account).where(acct.account.in_(accounts))))


def say(connection: Connection, accounts: Collection[str], how: Moved | None, now: datetime) -> None:
    """Mark accounts as gone, arriving, or here (None). Waits for whoever has locked their rows."""
    enrol(connection, accounts, now)
    connection.execute(sa.update(account_state).where(acct.account.in_(accounts)).values(moved=how, updated_at=now))


def forget(connection: Connection, accounts: Collection[str]) -> None:
    """Remove these marks."""
    connection.execute(sa.delete(account_state).where(acct.account.in_(accounts)))
