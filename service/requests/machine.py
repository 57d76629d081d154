"""The state machine: a request and an outcome in, the request as it is afterwards out. Pure.

The only place that gives a request a state. An impossible transition raises ValueError: it is a bug.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime

from service.requests.outcomes import (
    Advance,
    Applied,
    Attach,
    HandedOver,
    Learnt,
    Note,
    Outcome,
    Plan,
    Postpone,
    Resume,
    Retry,
    Stop,
    Switch,
    Unclear,
)
from service.requests.request import NAMED_BY_HAND, Request
from service.requests.retry import RetryPolicy, wait
from service.states import BY_HAND, END_STATES, FORWARD, OPENED_STATES, PROVEN, UNCLEAR, Failure, State


def apply(  # noqa: C901, PLR0911 - one a kind of outcome
    request: Request, outcome: Outcome, now: datetime, policy: RetryPolicy
) -> Applied:
    """Return what `outcome` makes of the request, which also ends its lease."""
    request = replace(request, lease_token=None, lease_until=None)
    # What was begun keeps its place in the queue: a customer who has read our opening gets the card first.
    at_once = min(request.scheduled_at, now)
    match outcome:
        case Advance(to, learnt):
            _demand_transition(FORWARD, request, to)
            return _moved(_informed(request, learnt), to, now, at_once)
        case Note(reason, learnt):
            known = _informed(request, learnt)
            noted = replace(known, reason=reason, detail=None, scheduled_at=at_once)
            return Applied(noted, "noted", reason)
        case Retry():
            return _retried(request, outcome, now, policy)
        case Postpone(until, reason, detail, plan):
            request, due = _planned(request, plan), max(until, now)
            waiting = replace(request, reason=reason, detail=detail, scheduled_at=due)
            return Applied(waiting, "postponed", reason, detail)
        case Unclear(until, detail):
            waiting = replace(request, reason=UNCLEAR, detail=detail, scheduled_at=until)
            return Applied(waiting, "unclear", UNCLEAR, detail)
        case Stop(end, reason, detail, plan, learnt):
            return _stopped(_informed(_planned(request, plan), learnt), end, reason, detail, now)
        case Switch(reason, detail):
            return _switched(request, reason, detail, at_once)
        case Resume():
            return _resumed(request, outcome, now)
        case HandedOver(way):
            return _handed_over(request, way, now)
        case Attach(feedback_id):
            return _attached(request, feedback_id)


def _demand_transition(allowed: Mapping[State, frozenset[State]], request: Request, to: State) -> None:
    if to not in allowed[request.state]:
        raise ValueError(f"Bug: no transition from {request.state} to {to}")


def _informed(request: Request, learnt: Learnt) -> Request:
    """The request with what was learnt of it. What the event said stands; a look-up fills what was missing."""
    return replace(
        request,
        x_user_id=learnt.x_user_id or request.x_user_id,
        x_handle=request.x_handle or learnt.x_handle,
        identity_trust=learnt.identity_trust or request.identity_trust,
        agent_id=request.agent_id or learnt.agent_id,
        team_id=request.team_id or learnt.team_id,
        tags=[*dict.fromkeys((*request.tags, *learnt.tags))],  # one may say that nobody is to be asked
        language=request.language or learnt.language,
        channel=request.channel or learnt.channel,
        can_dm=request.can_dm if learnt.can_dm is None else learnt.can_dm,
        can_dm_asked=request.can_dm_asked if learnt.can_dm_asked is None else learnt.can_dm_asked,
        dm_event_id=learnt.dm_event_id or request.dm_event_id,
        dm_sent_at=learnt.dm_sent_at or request.dm_sent_at,
        feedback_id=learnt.feedback_id or request.feedback_id,
        card_dm_id=learnt.card_dm_id or request.card_dm_id,
        card_sent_at=learnt.card_sent_at or request.card_sent_at,
    )


def _planned(request: Request, plan: Plan | None) -> Request:
    if plan is None:
        return request
    return replace(request, **{each.name: getattr(plan, each.name) for each in fields(plan)})


def _moved(request: Request, to: State, now: datetime, at_once: datetime) -> Applied:
    ended = now if to in END_STATES else None
    moved = replace(request, state=to, reason=None, detail=None, attempts=0, scheduled_at=at_once, outcome_at=ended)
    return Applied(moved, "advanced", None)


def _retried(request: Request, outcome: Retry, now: datetime, policy: RetryPolicy) -> Applied:
    failed = request.attempts + 1
    request, due = replace(request, attempts=failed), now + wait(failed, request.id)
    if failed >= policy.max_attempts:
        return _stopped(request, State.FAILED, Failure.ATTEMPTS_USED_UP, outcome.detail, now)
    if due > policy.over_at(request):
        return _stopped(request, State.FAILED, Failure.NOT_IN_TIME, outcome.detail, now)
    waiting = replace(request, reason=outcome.reason, detail=outcome.detail, scheduled_at=due)
    return Applied(waiting, "retried", outcome.reason, outcome.detail)


def _stopped(request: Request, end: State, reason: str, detail: str | None, now: datetime) -> Applied:
    if end not in END_STATES:
        raise ValueError(f"Bug: {end} is no end")
    stopped = replace(
        request, state=end, reason=reason, detail=detail, scheduled_at=now, outcome_at=now
    )  # fmt: skip
    return Applied(stopped, "stopped", reason, detail)


def _switched(request: Request, reason: str, detail: str | None, at_once: datetime) -> Applied:
    if not request.alternatives:
        raise ValueError("Bug: there is no other way")
    following, *rest = request.alternatives
    switched = replace(
        request,
        way=following.way,
        card_text=following.text,
        alternatives=tuple(rest),
        reason=reason,
        detail=detail,
        attempts=0,
        scheduled_at=at_once,
    )
    return Applied(switched, "switched", reason, detail)


def _resumed(request: Request, outcome: Resume, now: datetime) -> Applied:
    _demand_transition(BY_HAND, request, outcome.to)
    anew = outcome.to is State.RECEIVED  # X is asked again whether we may write
    resumed = replace(
        request,
        x_user_id=outcome.x_user_id or request.x_user_id,
        identity_trust=NAMED_BY_HAND if outcome.x_user_id else request.identity_trust,
        state=outcome.to,
        reason=None,
        detail=None,
        attempts=0,
        scheduled_at=now,
        outcome_at=None,
        stale_at=max(outcome.not_stale_before, request.stale_at or outcome.not_stale_before),
        # Where there are no texts to send, the campaign is chosen anew: X takes no card without a message.
        campaign=None if request.card_text is None else request.campaign,
        can_dm=None if anew else request.can_dm,
        can_dm_asked=0 if anew else request.can_dm_asked,
    )
    return Applied(resumed, "by_hand", outcome.told)


def _handed_over(request: Request, way: str, now: datetime) -> Applied:
    """Possible from every state in which we have sent the customer nothing."""
    if not request.is_open or request.state in OPENED_STATES:
        raise ValueError(f"Bug: nothing to hand over in {request.state}")
    ended = replace(
        request, way=way, alternatives=(), opening_text=None, state=State.CARD_SENT, reason=None,
        detail=None, attempts=0, scheduled_at=now, card_sent_at=now, outcome_at=now,
    )  # fmt: skip
    return Applied(ended, "handed_over", None)


def _attached(request: Request, feedback_id: str | None) -> Applied:
    _demand_transition(PROVEN, request, State.CARD_SENT)
    attached = replace(
        request,
        state=State.CARD_SENT,
        reason=None,
        detail=None,
        feedback_id=feedback_id or request.feedback_id,
        card_sent_at=request.card_sent_at or request.outcome_at,
    )
    return Applied(attached, "attached", "answer_came" if feedback_id is None else "feedback_appeared")
