"""The vocabulary of look-ups, shared by those who make them and those who want the result. No rule."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class CrmCall:
    """One call: its path, status, duration and the facts it gave. The body only if asked for."""

    path: str
    step: str  # the path as its definition writes it, with gaps
    status: int | None
    took: timedelta
    found: tuple[str, ...] = ()
    note: str | None = None
    body: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class LookUpResult:
    """What the CRM said about a customer. `problem` None: it answered, even if it knows nobody."""

    x_user_id: str | None = None
    x_handle: str | None = None
    trust: str = "crm_entered"
    channel: str | None = None
    on_x: bool | None = None  # whether the CRM says that the conversation was on X; None: it does not say
    language: str | None = None
    agent_id: str | None = None
    team_id: str | None = None
    tags: tuple[str, ...] = ()
    asked: tuple[CrmCall, ...] = ()
    problem: str | None = None  # refused | limited | away
    again_in: timedelta | None = None
    notes: tuple[str, ...] = ()
