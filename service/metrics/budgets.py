"""X's daily limits per account: used and left, as gauges and as numbers.

X counts DMs and cards; a question asked as a DM (quick replies, page) counts as a DM. One statement for all accounts,
each by its index. Does not decide who may send: `accounts/slots.py` does.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy.engine import Connection

from service.accounts import slots
from service.db import Micros
from service.metrics.gauge import family
from service.models import account_state, feedback_request, send_attempt
from service.settings import Account
from service.states import Kind
from service.ways import WAYS

acct, fr, snd = account_state.c, feedback_request.c, send_attempt.c
DMS = [name for name, way in WAYS.items() if Kind.OPENING in way.shares]
AS_CARD = sa.and_(snd.kind == Kind.ASKING, sa.func.coalesce(fr.way, "").not_in(DMS))
COUNTED_AS = sa.case((AS_CARD, "card"), else_="dm").label("counted_as")
LABELS = ["account", "kind"]
Sends = Mapping[tuple[str, str], int]
"""By account and `dm` or `card`."""


def families(connection: Connection, accounts: Mapping[str, Account], now: datetime) -> Iterator[GaugeMetricFamily]:
    """Yield how many sends count in X's rolling 24 hours, and how many are left."""
    sent = taken(connection, accounts, now)
    for name, text, sends in (
        ("sends_day", "Sends that count towards X's limits for the rolling 24 hours, as X counts them.", sent),
        ("sends_left", "Sends left under X's limits for the rolling 24 hours.", left(accounts, sent)),
    ):
        yield family(name, text, LABELS, ((*labels, n) for labels, n in sends.items()))


def left(accounts: Mapping[str, Account], sent: Sends) -> Sends:
    """Return how many DMs and cards each account may still send."""
    return {
        (name, kind): max(0, limit - sent.get((name, kind), 0))
        for name, account in accounts.items()
        for kind, limit in (("dm", account.dms_per_day), ("card", account.cards_per_day))
    }


def taken(connection: Connection, accounts: Mapping[str, Account], now: datetime) -> Sends:
    """Return how many sends count, for as long as each account's slots are held.

    Starts from the few accounts, whose names lead the index.
    """
    mine = sa.and_(snd.account == acct.account, snd.kind.in_(Kind), snd.intended_at > _since(accounts, now))
    found = (
        sa.select(acct.account, COUNTED_AS, sa.func.count())
        .select_from(account_state)
        .outerjoin(send_attempt, sa.and_(mine, slots.COUNTS))
        .outerjoin(feedback_request, fr.id == snd.request_id)
        .group_by(acct.account, COUNTED_AS)
        .having(sa.func.count(snd.account) > 0)
    )
    return {(account, counted_as): count for account, counted_as, count in connection.execute(found)}


def _since(accounts: Mapping[str, Account], now: datetime) -> sa.ColumnElement[Any]:
    """Since when sends count; for an account that has left the settings, X's 24 hours."""
    own = {name: sa.literal(now - slots.window(each), Micros()) for name, each in accounts.items()}
    day = sa.literal(now - slots.DAY, Micros())
    return sa.case(own, value=acct.account, else_=day) if own else day
