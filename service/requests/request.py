"""A feedback request and an intent to send, as frozen classes that every chapter passes around. Pure.

Readers of the ledger get these and never a database row, so the type checker finds a misspelt name before a customer
does. The only rules here are what a request itself can answer: is it open, which message comes next?
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.at_rest.unreadable import is_unreadable
from service.states import OPENED_STATES, Kind, State

Draws = Mapping[str, Mapping[str, float]]
"""A lot's name to its inputs and its outcome, as the ledger keeps them."""

NAMED_BY_HAND = "by_hand"  # the trust of an identity that a person handed in
MAY_BE_DAMAGED = ("conversation_id", "x_user_id", "x_handle", "customer_ref", "opening_text", "card_text")


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another way of asking and its text, frozen like the first: used if X proves that nothing was sent."""

    way: str
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """Our one attempt to ask about one ended conversation: the columns of `feedback_request`, by name."""

    id: str
    source: str
    account: str
    conversation_id: str
    ended_at: datetime
    received_at: datetime
    x_user_id: str | None
    x_handle: str | None
    person: str | None
    identity_trust: str
    agent_id: str | None
    team_id: str | None
    tags: Sequence[str]
    language: str | None
    channel: str | None
    customer_ref: str | None
    tenant: str | None
    campaign: str | None
    type: str | None
    question_variant_id: int | None
    display_name: str | None
    privacy_url: str | None
    test: bool
    opening_text: str | None
    card_text: str | None
    way: str
    alternatives: tuple[Alternative, ...]
    page_hash: str | None
    decision: Draws | None
    stale_at: datetime | None
    state: State
    reason: str | None
    detail: str | None
    attempts: int
    scheduled_at: datetime
    lease_token: str | None
    lease_until: datetime | None
    can_dm: bool | None
    can_dm_asked: int
    dm_event_id: str | None
    dm_sent_at: datetime | None
    feedback_id: str | None
    card_dm_id: str | None
    card_sent_at: datetime | None
    outcome_at: datetime | None
    erased_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether the request still has somewhere to go."""
        return bool(self.state.forward)

    @property
    def unreadable(self) -> Sequence[str]:
        """What of it does not decrypt, because it was tampered with. It can be used neither to send nor to search."""
        said = [name for name in MAY_BE_DAMAGED if is_unreadable(getattr(self, name))]
        return said + ["alternatives"] * any(is_unreadable(each.text) for each in self.alternatives)

    @property
    def next_message(self) -> Kind:
        """The message that would be sent next."""
        opened = self.state in OPENED_STATES or self.dm_sent_at is not None
        return Kind.ASKING if opened or self.opening_text is None else Kind.OPENING

    def text_of(self, kind: Kind) -> str:
        """What the customer gets, or would have got."""
        return str(self.opening_text if kind is Kind.OPENING else self.card_text)


@dataclass(frozen=True, slots=True)
class Attempt:
    """The intent to send one message, and what X said: the columns of `send_attempt`."""

    id: str
    request_id: str
    account: str
    x_user_id: str
    kind: Kind
    intended_at: datetime
    answered_at: datetime | None
