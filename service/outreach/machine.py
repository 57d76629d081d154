"""The machine: in, where a request stands and what a step found; out, the change to write. Pure: it reads nothing.

A step returns one of the outcomes below; `apply` is the only place that turns one into a new state. A limit is a
Postpone and not a failed attempt; a send whose result is not known is Unclear and never simply retried.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from service.outreach.retry import RetryPolicy, wait
from service.states import END_STATES, Failure, State

UNCLEAR = "unclear"
UNTOLD = "X could not tell in time whether the message arrived."
FORWARD: Mapping[State, frozenset[State]] = {
    State.RECEIVED: frozenset({State.IDENTIFIED}),
    State.IDENTIFIED: frozenset({State.DM_ALLOWED}),
    State.DM_ALLOWED: frozenset({State.DM_SENT, State.CARD_SENT}),
    State.DM_SENT: frozenset({State.CARD_SENT}),
}


@dataclass(frozen=True, slots=True)
class Advance:
    """The step is done; `facts` are the columns that say what is now true."""

    to: State
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Note:
    """Something was learnt and the request stays where it is, due at once."""

    reason: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Retry:
    """The step failed and may succeed later. Nothing was sent."""

    reason: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Postpone:
    """It is not the time: a delay, a limit, quiet hours, a pause of the account. Not a failed attempt."""

    until: datetime
    reason: str
    detail: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unclear:
    """A send that may or may not have reached the customer. It is looked up at X until `until`."""

    until: datetime
    answered: bool  # X answered and was done with the call; else it may still be on its way
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """The end, with its reason."""

    end: State
    reason: str
    detail: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


Outcome = Advance | Note | Retry | Postpone | Unclear | Stop


@dataclass(frozen=True, slots=True)
class Standing:
    """What the machine needs to know of a request."""

    request_id: str
    state: State
    attempts: int
    ended_at: datetime
    scheduled_at: datetime
    stale_at: datetime | None = None  # where somebody has retried it by hand, later than its end alone would allow


@dataclass(frozen=True, slots=True)
class Change:
    """The columns to write and the line of history that goes with them."""

    state: State
    event: str
    reason: str | None
    detail: str | None
    attempts: int
    scheduled_at: datetime
    facts: Mapping[str, Any]

    @property
    def ended(self) -> bool:
        """Whether this is the end of the request."""
        return self.state in END_STATES


def apply(standing: Standing, outcome: Outcome, now: datetime, policy: RetryPolicy) -> Change:
    """Return what `outcome` makes of the request. Raises ValueError where no road leads: that is a bug, said loudly."""
    # What was begun keeps its place before what came later: a customer who has read our opening gets the card first.
    at_once = min(standing.scheduled_at, now)
    match outcome:
        case Advance(to, facts):
            if to not in FORWARD.get(standing.state, ()):
                raise ValueError(f"Bug: no road from {standing.state} to {to}")
            return Change(to, "advanced", None, None, 0, at_once, facts)
        case Note(reason, facts):
            return Change(standing.state, "noted", reason, None, standing.attempts, at_once, facts)
        case Retry():
            return _retried(standing, outcome, now, policy)
        case Postpone(until, reason, detail, facts):
            return Change(standing.state, "postponed", reason, detail, standing.attempts, max(until, now), facts)
        case Unclear(until, _, detail):
            return Change(standing.state, "unclear", UNCLEAR, detail, standing.attempts, until, {})
        case Stop(end, reason, detail, facts):
            if end not in END_STATES:
                raise ValueError(f"Bug: {end} is no end")
            return Change(end, "stopped", reason, detail, standing.attempts, now, facts)


def _retried(standing: Standing, outcome: Retry, now: datetime, policy: RetryPolicy) -> Change:
    failed = standing.attempts + 1
    due = now + wait(failed, standing.request_id)
    if failed >= policy.max_attempts:
        return Change(State.FAILED, "stopped", Failure.ATTEMPTS_USED_UP, outcome.detail, failed, now, {})
    if due > max(standing.ended_at + policy.give_up_after, standing.stale_at or standing.ended_at):
        return Change(State.FAILED, "stopped", Failure.NOT_IN_TIME, outcome.detail, failed, now, {})
    return Change(standing.state, "retried", outcome.reason, outcome.detail, failed, due, {})
