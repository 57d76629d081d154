"""What can happen to a request: by a step, by a person, or by evidence that came late. Pure; every field is typed.

Only `machine.apply` turns one of these into a new state. A rate limit is a Postpone and not a failed attempt; a send
whose result is unknown is Unclear and never simply retried.
"""

from dataclasses import dataclass
from datetime import datetime

from service.requests.request import Alternative, Draws, Request
from service.states import State

# The opposite of "nothing learnt" is a value: what X did not say leaves its column as it is.


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What was learnt, under the names of its columns; None if nothing was."""

    x_user_id: str | None = None
    x_handle: str | None = None
    identity_trust: str | None = None
    agent_id: str | None = None
    team_id: str | None = None
    tags: tuple[str, ...] = ()
    language: str | None = None
    channel: str | None = None
    can_dm: bool | None = None
    can_dm_asked: int | None = None
    dm_event_id: str | None = None
    dm_sent_at: datetime | None = None
    feedback_id: str | None = None
    card_dm_id: str | None = None
    card_sent_at: datetime | None = None


NOTHING = Learnt()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be sent, under the names of its columns, chosen once and frozen: campaign, draws, ways, all texts."""

    campaign: str
    type: str
    question_variant_id: int
    display_name: str | None
    privacy_url: str
    test: bool
    way: str
    opening_text: str | None
    card_text: str
    alternatives: tuple[Alternative, ...]
    page_hash: str
    decision: Draws
    stale_at: datetime


@dataclass(frozen=True, slots=True)
class Advance:
    """The step is done, and this is now true."""

    to: State
    learnt: Learnt = NOTHING


@dataclass(frozen=True, slots=True)
class Note:
    """Something was learnt; the request stays where it is, due at once."""

    reason: str
    learnt: Learnt


@dataclass(frozen=True, slots=True)
class Retry:
    """The step failed and may succeed later. Nothing was sent."""

    reason: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Postpone:
    """Not now: a delay, a limit, quiet hours, a pause of the account. Not a failed attempt."""

    until: datetime
    reason: str
    detail: str | None = None
    plan: Plan | None = None


@dataclass(frozen=True, slots=True)
class Unclear:
    """A send that may or may not have reached the customer. It is looked up at X until `until`."""

    until: datetime
    detail: str | None = None
    answered: bool = False  # X answered just now, and was done with the call; else it may still be on its way


@dataclass(frozen=True, slots=True)
class Stop:
    """The end, with its reason."""

    end: State
    reason: str
    detail: str | None = None
    plan: Plan | None = None
    learnt: Learnt = NOTHING


@dataclass(frozen=True, slots=True)
class Resume:
    """A person resumes an ended request, perhaps with the customer's id that was missing."""

    to: State
    told: str  # what the history says happened
    not_stale_before: datetime
    x_user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Switch:
    """X does not let the account ask in this way, and nothing was sent: take the next of the frozen ways."""

    reason: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Somebody else has the link and asks: for us the request ends as asked."""

    way: str


@dataclass(frozen=True, slots=True)
class Attach:
    """A feedback object appeared after the end, or (None) an answer: so the customer has the message that asks."""

    feedback_id: str | None


Outcome = Advance | Note | Retry | Postpone | Unclear | Stop | Switch | Resume | HandedOver | Attach


@dataclass(frozen=True, slots=True)
class Applied:
    """The request as it is now, and its line of history."""

    request: Request
    event: str
    reason: str | None
    detail: str | None = None
