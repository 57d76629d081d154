"""What a definition holds, as frozen shapes: one per table of the grammar. In: nothing; out: no rule, only names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from service.intake.expressions import Expression
from service.intake.verify import Verifier


@dataclass(frozen=True, slots=True)
class About:
    """What a preset is and how sure we are of it. `setup` says what to click and paste in the CRM."""

    title: str = ""
    certainty: str = ""
    setup: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a body may be. `max_bytes` narrows the service's own limit, never widens it."""

    body: tuple[str, ...]  # json, form
    max_bytes: int | None
    cloudevents: bool


@dataclass(frozen=True, slots=True)
class Echo:
    """A signed question that wants a header's value back, as JSON under `reply_key`."""

    when: Expression
    header: str
    reply_key: str


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a CRM asks before it sends events."""

    echo: Echo | None
    acknowledge: Expression | None
    cloudevents_origins: frozenset[str]
    cloudevents_rate: int


@dataclass(frozen=True, slots=True)
class Events:
    """Which items tell of an end and which of a reopening."""

    split: Expression | None
    ended: Expression
    reopened: Expression | None
    again_after: timedelta | None


@dataclass(frozen=True, slots=True)
class Times:
    """How the source writes its times; `zone` only for times without one."""

    zone: ZoneInfo | None
    ended_at: str
    reopened_at: str


@dataclass(frozen=True, slots=True)
class Channel:
    """Which channels are asked about. Empty: all."""

    allow: frozenset[str]  # case-folded
    missing: str  # accept | reject


@dataclass(frozen=True, slots=True)
class Identity:
    """How much a source's word about who somebody is on X is worth."""

    x_user_id: str
    x_handle: str
    x_profile_url: str


@dataclass(frozen=True, slots=True)
class Grammar:
    """A definition as the grammar reads it, before names and keys are put to it."""

    about: About
    accounts: tuple[str, ...]
    endpoint: Endpoint
    handshake: Handshake
    verify: Any = field(repr=False)
    events: Events
    map: Mapping[str, Expression]
    received: frozenset[str]  # the times that stand for "when it arrived": ended_at, reopened_at
    times: Times
    channel: Channel
    identity: Identity
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Definition:
    """Everything we know about one source. `accounts` are the X accounts its events may choose among."""

    name: str
    account: str
    accounts: frozenset[str]
    language: str | None
    verifiers: tuple[Verifier, ...] = field(repr=False)
    secret_headers: frozenset[str]
    secret_query: frozenset[str]
    grammar: Grammar
