"""What is left of X's daily limits: in, the accounts of the settings; out, a gauge by account and kind of message.

One statement for all accounts, each entered by its index. Never decides who may send: `accounts/slots.py` does.
"""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy.engine import Connection

from service.accounts import slots
from service.models import account_state, send_attempt
from service.settings import Account

acct, snd = account_state.c, send_attempt.c


def left(connection: Connection, accounts: Mapping[str, Account], now: datetime) -> GaugeMetricFamily:
    """Return how many DMs and cards each account may still send in X's rolling 24 hours."""
    taken = _taken(connection, now)
    gauge = GaugeMetricFamily(
        "dm_feedback_sends_left", "Sends that X's limits of the rolling 24 hours leave.", labels=["account", "kind"]
    )
    for name, account in accounts.items():
        for kind, limit in (("dm", account.dms_per_day), ("card", account.cards_per_day)):
            gauge.add_metric([name, kind], float(max(0, limit - taken.get((name, kind), 0))))
    return gauge


def _taken(connection: Connection, now: datetime) -> dict[tuple[str, str], int]:
    """How many sends count, by account and kind. It begins with the few accounts, whose names lead the index."""
    mine = sa.and_(snd.account == acct.account, snd.kind.in_(("dm", "card")), snd.intended_at > now - slots.DAY)
    found = (
        sa.select(acct.account, snd.kind, sa.func.count())
        .select_from(account_state)
        .outerjoin(send_attempt, sa.and_(mine, slots.COUNTS))
        .group_by(acct.account, snd.kind)
        .having(sa.func.count(snd.account) > 0)
    )
    return {(account, kind): count for account, kind, count in connection.execute(found)}
