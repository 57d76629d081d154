"""People who must not be asked, as a list of keyed hashes. The X user id itself is never stored here.

`account` is a name, or '*' for every account. The list outlives erasure: it is how an erased person stays unasked.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import insert
from service.ids import person
from service.models import opt_out

EVERY_ACCOUNT = "*"
ERASED = "erased"  # the reason of whoever was erased: nobody else may give it, for what names them later is deleted
oo = opt_out.c


def add(
    connection: Connection,
    x_user_ids: Iterable[str],
    *,
    hash_key: str,
    account: str = EVERY_ACCOUNT,
    reason: str,
    by: str,
    now: datetime,
) -> int:
    """Put people on the list; return how many were not on it before."""
    added = 0
    for x_user_id in x_user_ids:
        row = {"person": person(hash_key, x_user_id), "account": account, "reason": reason, "created_at": now}
        statement = insert(connection, opt_out).values(created_by=by, **row).on_conflict_do_nothing()
        added += len(connection.execute(statement.returning(oo.person)).all())
    return added


def remove(connection: Connection, x_user_id: str, *, hash_key: str, account: str = EVERY_ACCOUNT) -> bool:
    """Take a person off the list; return whether they were on it."""
    whom = person(hash_key, x_user_id)
    return connection.execute(sa.delete(opt_out).where(oo.person == whom, oo.account == account)).rowcount == 1


def is_listed(whom: Any, account: Any) -> sa.Exists:
    """SQL condition: an account must not ask the person with this hash."""
    return sa.exists().where(oo.person == whom, oo.account.in_([account, EVERY_ACCOUNT]))


def of_person(x_user_id: str, *, hash_key: str) -> tuple[sa.Table, sa.ColumnElement[bool]]:
    """Say which entries belong to this person, whatever the account."""
    return opt_out, oo.person == person(hash_key, x_user_id)


def erased(connection: Connection) -> frozenset[str]:
    """Return the hashes of all who were erased, and have not been taken off the list since."""
    return frozenset(connection.scalars(sa.select(oo.person).where(oo.reason == ERASED, oo.account == EVERY_ACCOUNT)))


def count(connection: Connection) -> int:
    """Return how many entries the list has."""
    return connection.scalar(sa.select(sa.func.count()).select_from(opt_out)) or 0
