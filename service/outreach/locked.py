"""An account and a leased request of it, locked by one statement: in, their names and the lease; out, how both stand.

Asked for every answer of X. The account comes first, as wherever both are locked, so that nobody who has the one waits
for who has the other. Whoever waited for the lock sees both rows as they are then, and not as they were before.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.accounts.standing import LOCKED_ROW, Locked, at, locked_of
from service.models import account_state, feedback_request
from service.requests.request import Request
from service.requests.rows import REQUEST, request_of

acct, fr = account_state.c, feedback_request.c
BOTH = (
    sa.select(*LOCKED_ROW, *REQUEST)
    .join_from(account_state, feedback_request, fr.account == acct.account)
    .where(fr.id == sa.bindparam("request"), fr.lease_token == sa.bindparam("token"))
    .with_for_update(of=(account_state, feedback_request))
)


@dataclass(frozen=True, slots=True)
class Mine:
    """A request whose lease holds, and its account."""

    account: Locked
    request: Request


def still_mine(connection: Connection, request_id: str, token: str, now: datetime) -> Mine | None:
    """Lock both and return them, if the lease with this token still holds."""
    row = connection.execute(BOTH, {"request": request_id, "token": token, **at(now)}).one_or_none()
    return None if row is None else Mine(locked_of(row), request_of(row[len(LOCKED_ROW) :]))
