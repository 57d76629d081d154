"""What accounts share that write by one app of X: in, an account about to send; out, go ahead, or come back later.

X counts a day's messages of the app too. Each account may use its part of them, and beyond it only what no other is
about to need: so a busy account takes what lies idle and keeps nobody from asking. Never calls X.
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
    """Return None where `mine` may send one more, else when to ask again. `accounts`: all of the app, ours among them.

    Their transactions follow each other by the lock of the first: whoever is here has his own already.
    """
    standing.lock(connection, min(each.name for each in accounts), now)
    used = {each.name: slots.used(connection, each, KINDS, now) for each in accounts}
    left, part = mine.app_dms_per_day - sum(used.values()), mine.app_dms_per_day // len(accounts)
    if used[mine.name] >= part:
        others = [each for each in accounts if each is not mine]
        left -= sum(_needed(connection, each, part - used[each.name]) for each in others)
    return None if left > 0 else now + LATER


def _needed(connection: Connection, account: Account, part_left: int) -> int:
    """How many messages of its part an account is about to send."""
    if part_left <= 0:
        return 0
    waiting = sa.select(sa.func.count()).select_from(feedback_request).where(IS_OPEN, fr.account == account.name)
    return min(part_left, len(KINDS) * (connection.scalar(waiting) or 0))
