"""X's daily limits: in, an account and a kind of message; out, a slot or the time when one is free.

The send attempt is the slot: it is written in the transaction that commits the intent, while the account's row is
locked (`accounts.lock`), so any number of workers share one count. An attempt proven unsent gives its slot back; an
unclear one does not.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import send_attempt
from service.settings import Account

DAY = timedelta(
    hours=24
)  # as X counts it: from the arrival, which may be as late after the intent as its signature lives
a = send_attempt.c
COUNTS = sa.or_(a.outcome.is_(None), a.outcome != "not_sent")
IN_WINDOW = (
    a.account == sa.bindparam("account"), a.kind == sa.bindparam("kind"), a.intended_at > sa.bindparam("since"), COUNTS,
)  # fmt: skip
USED = sa.select(sa.func.count()).select_from(send_attempt).where(*IN_WINDOW)
OLDEST = sa.select(a.intended_at).where(*IN_WINDOW).order_by(a.intended_at)


def free_at(connection: Connection, account: Account, kind: str, now: datetime) -> datetime | None:
    """Return None while a slot is free, else when the oldest one in the rolling 24 hours ends."""
    # every opening DM is followed by a card: no more openings than cards can follow
    limit = account.cards_per_day if kind == "card" else min(account.dms_per_day, account.cards_per_day)
    taken = used(connection, account, kind, now)
    if taken < limit:
        return None
    this = {"account": account.name, "kind": kind, "since": now - window(account)}
    oldest = connection.scalar(OLDEST.offset(taken - limit).limit(1), this)
    assert oldest is not None
    return oldest + window(account)


def used(connection: Connection, account: Account, kind: str, now: datetime) -> int:
    """Return how many slots of the rolling 24 hours are taken."""
    return connection.scalar(USED, {"account": account.name, "kind": kind, "since": now - window(account)}) or 0


def window(account: Account) -> timedelta:
    """Return for how long after its intent a send counts: X counts from its arrival, while its signature lives."""
    return DAY + account.signature_tolerance
