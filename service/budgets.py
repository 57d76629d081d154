"""What is left of X's daily limits: in, the accounts of the settings; out, a gauge by account and what X counts.

X counts DMs and cards: a question that goes out as a DM, by quick replies or a page, is one of the DMs. One statement
for all accounts, each entered by its index. Never decides who may send: `accounts/slots.py` does.
"""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy.engine import Connection

from service.accounts import slots
from service.models import account_state, feedback_request, send_attempt
from service.settings import Account
from service.states import Kind
from service.ways import WAYS

acct, fr, snd = account_state.c, feedback_request.c, send_attempt.c
DMS = [name for name, way in WAYS.items() if Kind.OPENING in way.shares]
AS_CARD = sa.and_(snd.kind == Kind.ASKING, sa.func.coalesce(fr.way, "").not_in(DMS))
COUNTED_AS = sa.case((AS_CARD, "card"), else_="dm").label("counted_as")


def left(connection: Connection, accounts: Mapping[str, Account], now: datetime) -> GaugeMetricFamily:
    """Return how many DMs and cards each account may still send in X's rolling 24 hours."""
    sent = taken(connection, now)
    gauge = GaugeMetricFamily(
        "dm_feedback_sends_left", "Sends that X's limits of the rolling 24 hours leave.", labels=["account", "kind"]
    )
    for name, account in accounts.items():
        for kind, limit in (("dm", account.dms_per_day), ("card", account.cards_per_day)):
            gauge.add_metric([name, kind], float(max(0, limit - sent.get((name, kind), 0))))
    return gauge


def taken(connection: Connection, now: datetime) -> dict[tuple[str, str], int]:
    """Return how many sends count, by account and `dm` or `card`.

    It begins with the few accounts, whose names lead the index.
    """
    mine = sa.and_(snd.account == acct.account, snd.kind.in_(Kind), snd.intended_at > now - slots.DAY)
    found = (
        sa.select(acct.account, COUNTED_AS, sa.func.count())
        .select_from(account_state)
        .outerjoin(send_attempt, sa.and_(mine, slots.COUNTS))
        .outerjoin(feedback_request, fr.id == snd.request_id)
        .group_by(acct.account, COUNTED_AS)
        .having(sa.func.count(snd.account) > 0)
    )
    return {(account, counted_as): count for account, counted_as, count in connection.execute(found)}
