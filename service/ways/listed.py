"""Finds a message in X's DM list: is it the one that was sent? Pure.

Every message of the sequence is a DM, so every way is looked up alike. Mistaking another message for ours leaves one
customer without a second; failing to recognise ours would send it twice.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from service.x_api.facts import DirectMessage
from service.x_api.texts import nearly_same_text, same_text


@dataclass(frozen=True, slots=True)
class ExpectedMessage:
    """A message the customer may have. `known` are the ids of this request's other messages."""

    sender_id: str
    recipient_id: str
    text: str
    not_before: datetime
    known: Collection[str | None]


def is_it(wanted: ExpectedMessage, message: DirectMessage) -> bool:
    """Whether the list's message is the one we look for."""
    return _went(wanted, message) and _reads(same_text, wanted, message)


def is_nearly_it(wanted: ExpectedMessage, message: DirectMessage) -> bool:
    """Whether it may be the one we look for, shown in a way we do not know."""
    return _went(wanted, message) and _reads(nearly_same_text, wanted, message)


def _went(wanted: ExpectedMessage, message: DirectMessage) -> bool:
    """Whether it was sent by us to this customer since our intent; one without a date proves nothing."""
    ours = (message.sender_id, message.recipient_id) == (wanted.sender_id, wanted.recipient_id)
    dated = message.created_at is not None and message.created_at >= wanted.not_before
    return ours and dated and message.id not in wanted.known


def _reads(alike: Callable[[str, str], bool], wanted: ExpectedMessage, message: DirectMessage) -> bool:
    """Whether it reads like our text, as X shows it or with links and entities resolved."""
    return alike(wanted.text, message.text) or alike(wanted.text, message.raw_text)
