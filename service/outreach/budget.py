"""X's daily limits: in, an account and a kind of message; out, a slot or the time when one is free.

The send attempt is the slot: it is written in the transaction that commits the intent, while the account's row is
locked, so any number of workers share one count. An attempt proven unsent gives its slot back; an unclear one does not.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import account_state, send_attempt
from service.settings import Account

DAY = timedelta(hours=24)
a = send_attempt.c
COUNTS = sa.or_(a.outcome.is_(None), a.outcome != "not_sent")


def lock(connection: Connection, account: str) -> None:
    """Let transactions about one account's slots follow each other (SQLite's write lock does it there)."""
    connection.execute(sa.select(account_state.c.account).where(account_state.c.account == account).with_for_update())


def free_at(connection: Connection, account: Account, kind: str, now: datetime) -> datetime | None:
    """Return None while a slot is free, else when the oldest one in the rolling 24 hours ends."""
    # every opening DM is followed by a card: no more openings than cards can follow
    limit = account.cards_per_day if kind == "card" else min(account.dms_per_day, account.cards_per_day)
    in_window = (a.account == account.name, a.kind == kind, a.intended_at > now - DAY, COUNTS)
    used = connection.scalar(sa.select(sa.func.count()).select_from(send_attempt).where(*in_window)) or 0
    if used < limit:
        return None
    oldest = connection.scalar(
        sa.select(a.intended_at).where(*in_window).order_by(a.intended_at).offset(used - limit).limit(1)
    )
    assert oldest is not None
    return oldest + DAY


def last_sent_to(
    connection: Connection, account: str, x_user_id: str, since: datetime, *, except_request: str
) -> datetime | None:
    """Return when another request of the account last wrote to this customer after `since`."""
    return connection.scalar(
        sa.select(sa.func.max(a.intended_at)).where(
            a.account == account,
            a.x_user_id == x_user_id,
            a.intended_at > since,
            a.request_id != except_request,
            COUNTS,
        )
    )


def used(connection: Connection, account: str, kind: str, now: datetime) -> int:
    """Return how many slots of the rolling 24 hours are taken."""
    counted = sa.select(sa.func.count()).select_from(send_attempt)
    return (
        connection.scalar(counted.where(a.account == account, a.kind == kind, a.intended_at > now - DAY, COUNTS)) or 0
    )
