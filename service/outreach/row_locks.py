"""Locks an account and one of its requests in one statement, and returns how both stand.

Done for every answer of X. The account is locked first, as everywhere, so two lockers never wait for each other.
Whoever had to wait sees both rows as they are afterwards.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.accounts.standing import LOCKED_ROW, Locked, at, locked_of
from service.models import account_state, feedback_request
from service.requests import sends
from service.requests.request import Request
from service.requests.rows import REQUEST, request_of

acct, fr = account_state.c, feedback_request.c
BOTH = (
    sa.select(*LOCKED_ROW, *REQUEST)
    .join_from(account_state, feedback_request, fr.account == acct.account)
    .where(fr.id == sa.bindparam("request"))
    .with_for_update(of=(account_state, feedback_request))
)
MINE = BOTH.where(fr.lease_token == sa.bindparam("token"))


@dataclass(frozen=True, slots=True)
class LeasedRequest:
    """A request whose lease holds, and its account."""

    account: Locked
    request: Request


def still_mine(connection: Connection, request_id: str, token: str, now: datetime) -> LeasedRequest | None:
    """Lock both and return them, if the lease with this token is still valid."""
    return _mine(connection.execute(MINE, {"request": request_id, "token": token, **at(now)}).one_or_none())


def still_unsettled(
    connection: Connection, request_id: str, attempt_id: str | None, now: datetime
) -> LeasedRequest | None:
    """Lock both and return them, if the outcome of our send is still unknown, whoever has the lease by now.

    While it is unknown nobody sends anything for this request, and everybody waits for what we know.
    """
    if attempt_id is None:
        return None
    found = _mine(connection.execute(BOTH, {"request": request_id, **at(now)}).one_or_none())
    return found if sends.is_unsettled(connection, attempt_id) else None


def _mine(row: sa.Row[Any] | None) -> LeasedRequest | None:
    return None if row is None else LeasedRequest(locked_of(row), request_of(row[len(LOCKED_ROW) :]))
