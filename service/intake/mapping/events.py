"""The four things an item of a delivery can say, as frozen classes.

Every item becomes exactly one of them; nothing is dropped without a reason.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ConversationEnded:
    """A conversation ended. Times are aware UTC; ids are the CRM's own words; `notes` say what was set aside."""

    conversation_id: str
    ended_at: datetime
    account: str
    event_id: str | None = None
    agent_id: str | None = None
    team_id: str | None = None
    tags: tuple[str, ...] = ()
    language: str | None = None
    channel: str | None = None
    customer_ref: str | None = None
    tenant: str | None = None
    x_user_id: str | None = None
    x_handle: str | None = None
    handled_by: str | None = None  # human | ai | both | nobody; None where the source does not say
    identity_trust: str = "crm_entered"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConversationReopened:
    """A conversation that had ended goes on."""

    conversation_id: str
    reopened_at: datetime
    event_id: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ignored:
    """Understood, but not for us. `conversation_id` is kept if it could be read, so that erasure finds it."""

    reason: str  # other_event | other_channel | no_channel
    conversation_id: str | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Unmappable:
    """Not understood. `reason` is a stable code, `detail` a sentence for people; never a customer's words."""

    reason: str
    detail: str
    conversation_id: str | None = None
    event_id: str | None = None


Reading = ConversationEnded | ConversationReopened | Ignored | Unmappable
