"""Is this the message we meant to send? In, a message of X's list and the facts of the send; out, yes or no. Pure."""

from collections.abc import Callable
from datetime import datetime

from service.x_api.facts import DirectMessage


def went(message: DirectMessage, sender_id: str, recipient_id: str | None, not_before: datetime) -> bool:
    """Whether it went from us to this customer since we meant to write; one without a date proves nothing."""
    ours = (message.sender_id, message.recipient_id) == (sender_id, recipient_id)
    return ours and message.created_at is not None and message.created_at >= not_before


def reads(alike: Callable[[str, str], bool], text: str, message: DirectMessage) -> bool:
    """Whether it reads like our text, as X shows it or with its links and entities undone."""
    return alike(text, message.text) or alike(text, message.raw_text)
