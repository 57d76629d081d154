"""Accounts that go to another database: in, names; out, who is gone from here, and who is not yet here as a whole.

Either keeps every worker of this database from writing for the account and from asking X about it, whatever settings
it has. No hold: nobody releases it by hand.
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
    """Return the accounts that are gone from here or on their way, and which of both."""
    query = sa.select(acct.account, acct.moved).where(acct.moved.is_not(None))
    return {name: str(how) for name, how in connection.execute(query)}


def known(connection: Connection, accounts: Collection[str]) -> frozenset[str]:
    """Return those of the accounts that have ever stood here."""
    return frozenset(connection.scalars(sa.select(acct.account).where(acct.account.in_(accounts))))


def say(connection: Connection, accounts: Collection[str], how: Moved | None, now: datetime) -> None:
    """Say that accounts are gone, arriving, or here (None). Waits for whoever has their rows locked."""
    enrol(connection, accounts, now)
    connection.execute(sa.update(account_state).where(acct.account.in_(accounts)).values(moved=how, updated_at=now))


def forget(connection: Connection, accounts: Collection[str]) -> None:
    """Forget how accounts stood here."""
    connection.execute(sa.delete(account_state).where(acct.account.in_(accounts)))
