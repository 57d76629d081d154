"""A refusal that is good news: in, a repeated send that X calls a duplicate; out, that the first one arrived.

X's list lags and may forget, so a send we took for unsent may be there. "You already said that", said of the repeat,
proves it: the first attempt counts as sent, and the request goes on. Without such an attempt nothing changes.
"""

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import send_attempt
from service.outreach.answers import Found
from service.outreach.machine import Advance
from service.states import State

PLAINLY_UNSENT = ("refused", "never_begun")
a = send_attempt.c
this = send_attempt.alias("this")
DOUBTFUL = (
    sa.select(a.id, a.kind, a.intended_at)
    .join(this, sa.and_(this.c.request_id == a.request_id, this.c.kind == a.kind, this.c.id != a.id))
    .where(this.c.id == sa.bindparam("attempt"), sa.or_(a.evidence.is_(None), a.evidence.not_in(PLAINLY_UNSENT)))
    .order_by(a.intended_at.desc())
    .limit(1)
)


def arrived_before(connection: Connection, attempt_id: str | None, found: Found, now: datetime) -> Found:
    """What was found, or where it proves that an earlier attempt of the same request arrived, the step it had done."""
    earlier = connection.execute(DOUBTFUL, {"attempt": attempt_id}).one_or_none() if found.had_before else None
    if earlier is None:
        return found
    proven = {"outcome": "sent", "evidence": "duplicate", "settled_at": now}
    connection.execute(sa.update(send_attempt).where(a.id == earlier.id).values(proven))
    return replace(found, outcome=_done(earlier.kind, earlier.intended_at))


def _done(kind: str, at: datetime) -> Advance:
    """X does not say which message it means: its id stays unknown, and a feedback object that appears is attached."""
    if kind == "dm":
        return Advance(State.DM_SENT, {"dm_sent_at": at})
    return Advance(State.CARD_SENT, {"card_sent_at": at})
