"""A refusal that is good news: X calls a repeated send a duplicate, so the first one arrived.

X's list lags and may forget, so a send we took for unsent may be there after all. "You already said that", said of the
repeat, proves it: the first attempt counts as sent and the request goes on. Without an earlier attempt nothing changes.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.engine import Connection

from service.outreach.answers import StepResult
from service.requests import sends
from service.requests.outcomes import Advance, Learnt
from service.requests.request import Attempt
from service.states import Kind, State


def arrived_before(connection: Connection, attempt_id: str | None, found: StepResult, now: datetime) -> StepResult:
    """Return `found`, or if it proves that an earlier attempt of the same request arrived, that attempt's success."""
    if attempt_id is None or not found.had_before:
        return found
    earlier = sends.doubtful_before(connection, attempt_id)
    if earlier is None:
        return found
    sends.arrived_after_all(connection, earlier.id, now)
    return replace(found, outcome=_done(earlier), effect=None)


def _done(earlier: Attempt) -> Advance:
    """X does not say which message it means, so its id stays unknown; a feedback object that appears is attached."""
    if earlier.kind is Kind.OPENING:
        return Advance(State.DM_SENT, Learnt(dm_sent_at=earlier.intended_at))
    return Advance(State.CARD_SENT, Learnt(card_sent_at=earlier.intended_at))
