"""Fair shares for accounts that write through one X app: an account about to send may go ahead, or comes back later.

X also counts an app's messages per day. Each account may use its share, and more only as long as the others are not
about to need it: a busy account uses what would lie idle and keeps nobody from asking. Never calls X.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.accounts import slots, standing
from service.models import IS_OPEN, feedback_request
from service.settings import Account
from service.states import Kind

KINDS = (Kind.OPENING, Kind.ASKING)
LATER = timedelta(minutes=15)
fr = feedback_request.c


def free_at(connection: Connection, mine: Account, accounts: Sequence[Account], now: datetime) -> datetime | None:
    """Return None if `mine` may send one more, else when to ask again.

    `accounts`: all accounts of the app, including `mine`. Locks the first of them by name, so that they take turns.
    """
    standing.lock(connection, min(each.name for each in accounts), now)
    used = {each.name: slots.used(connection, each, KINDS, now) for each in accounts}
    left, part = mine.app_dms_per_day - sum(used.values()), mine.app_dms_per_day // len(accounts)
    if used[mine.name] >= part:
        others = [each for each in accounts if each is not mine]
        left -= sum(_needed(connection, each, part - used[each.name]) for each in others)
    return None if left > 0 else now + LATER


def _needed(connection: Connection, account: Account, part_left: int) -> int:
    """How many messages of its own share an account is about to send."""
    if part_left <= 0:
        return 0
    waiting = sa.select(sa.func.count()).select_from(feedback_request).where(IS_OPEN, fr.account == account.name)
    return min(part_left, len(KINDS) * (connection.scalar(waiting) or 0))
