"""The shapes in which accepting, judging and replaying pass on what a delivery says and what became of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.intake.definition.tables import Definition
from service.intake.mapping.events import ConversationEnded, ConversationReopened, Reading
from service.models import ITEM_OUTCOMES

ACCEPTED, DUPLICATE, REOPENED, IGNORED, UNMAPPABLE = ITEM_OUTCOMES
SAME_CONVERSATION = "same_conversation"  # what a late reopening may turn into an end of its own
Key = tuple[str, str]  # a source and its name for a conversation


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one item of a delivery. `ended_at` if it reported an end."""

    position: int
    outcome: str
    reason: str | None = None
    detail: str | None = None
    conversation_id: str | None = None
    request_id: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A stored delivery and which reading of it this is: 0 on arrival."""

    id: str
    received_at: datetime
    reading: int = 0


@dataclass(frozen=True, slots=True)
class DeliveryReading:
    """One reading of a delivery, and when it was made."""

    definition: Definition
    delivery: Delivery
    readings: Sequence[Reading]
    now: datetime

    def key(self, conversation_id: str) -> Key:
        """A name for the conversation that is unique across sources."""
        return self.definition.name, conversation_id

    def conversations(self) -> set[Key]:
        """The conversations it mentions."""
        return {
            self.key(each.conversation_id)
            for each in self.readings
            if isinstance(each, ConversationEnded | ConversationReopened)
        }


def rounds(told: Sequence[DeliveryReading]) -> Iterator[list[DeliveryReading]]:
    """Split a group so that no conversation occurs twice in a round; per conversation the order stays."""
    waiting = [(each, each.conversations()) for each in told]
    while waiting:
        taken: set[Key] = set()
        first, later = [], []
        for each, conversations in waiting:
            if taken & conversations:
                later.append((each, conversations))
            else:
                first.append(each)
            taken |= conversations
        yield first
        waiting = later


def notes(given: Sequence[str]) -> str | None:
    """What was set aside, as one sentence for people."""
    return "; ".join(given) or None
