"""X's daily limits: an account asks for a slot to send a message, and gets one or the time when one is free.

The send attempt is the slot: it is written in the same transaction as the intent, with the account's row locked
(`standing.lock`), so any number of workers share one count. An attempt proven unsent returns its slot, an unclear one
does not.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import send_attempt
from service.settings import Account

DAY = timedelta(hours=24)  # as X counts it: from the arrival, up to the life of a signature after the intent
snd = send_attempt.c
COUNTS = sa.or_(snd.outcome.is_(None), snd.outcome != "not_sent")
"""Whether an attempt may be with the customer, and so takes its slot."""

IN_WINDOW = (
    snd.account == sa.bindparam("account"), snd.kind.in_(sa.bindparam("kinds", expanding=True)),
    snd.intended_at > sa.bindparam("since"), COUNTS,
)  # fmt: skip
USED = sa.select(sa.func.count()).select_from(send_attempt).where(*IN_WINDOW)
OLDEST = sa.select(snd.intended_at).where(*IN_WINDOW).order_by(snd.intended_at)


def free_at(
    connection: Connection, account: Account, kinds: Sequence[str], limit: int, now: datetime
) -> datetime | None:
    """Return None while one of `limit` slots is free, else when the oldest in the rolling 24 hours ends.

    `kinds` of message share the slots.
    """
    taken = used(connection, account, kinds, now)
    if taken < limit:
        return None
    this = {"account": account.name, "kinds": list(kinds), "since": now - window(account)}
    oldest = connection.scalar(OLDEST.offset(taken - limit).limit(1), this)
    assert oldest is not None
    return oldest + window(account)


def used(connection: Connection, account: Account, kinds: Sequence[str], now: datetime) -> int:
    """Return how many slots of the rolling 24 hours are taken."""
    this = {"account": account.name, "kinds": list(kinds), "since": now - window(account)}
    return connection.scalar(USED, this) or 0


def window(account: Account) -> timedelta:
    """Return for how long after its intent a send counts: X counts from its arrival, while its signature lives."""
    return DAY + account.signature_tolerance
