"""Asking by X's Customer Feedback card: a DM with the card's text, below which X draws the question and the scores.

Needs X's Feedback API privilege. Our request's id travels as `external_id`, so the answer names its request. A send
with unknown outcome is found in the DM list by the card's text, or by the feedback object that appears.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from service.settings import Account
from service.states import Kind
from service.ways.way import Asking, Delivered, Way
from service.x_api import Card, Feedback, XClient
from service.x_api.limits import CARD_AGAIN_AFTER


@dataclass(frozen=True, slots=True)
class CardReference:
    """One thing by which a card names its request: X's id of the card, our own id, or the DM it is attached to."""

    by: Literal["feedback_id", "external_id", "dm_id"]
    value: str


def send(x: XClient, asking: Asking, signed_at: datetime) -> Delivered:
    """Send the card."""
    card = Card(
        type=asking.type,
        to_user_id=asking.to_user_id,
        message=asking.text,
        privacy_url=asking.privacy_url,
        external_id=asking.request_id,
        question_variant_id=asking.question_variant_id,
        display_name=asking.display_name,
        test=asking.test,
    )
    sent = x.create_feedback(card, signed_at=signed_at).value
    return Delivered(sent.id, sent.dm_id, sent.id, sent.created_at)


def recognise(feedback: Feedback, our_user_id: str) -> Sequence[CardReference]:
    """Return the clues by which a card names its request, strongest first; nothing if the card is not ours."""
    if feedback.from_user_id not in {None, our_user_id}:
        return ()
    clues = [CardReference("feedback_id", feedback.id)]
    if feedback.external_id is not None:
        clues.append(CardReference("external_id", feedback.external_id))
    if feedback.dm_id is not None:
        clues.append(CardReference("dm_id", feedback.dm_id))
    return clues


def per_day(account: Account) -> int:
    """Return how many cards X lets this account send in 24 hours."""
    return account.cards_per_day


WAY = Way("card", "create_feedback", CARD_AGAIN_AFTER, send, per_day, (Kind.ASKING,))
