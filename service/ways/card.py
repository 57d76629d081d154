"""Asking by X's Customer Feedback card: a DM of the card's own, and the question and scores that X draws under it.

Needs X's Feedback API privilege. Our request's id travels as `external_id`, so the answer names its request; a send
whose outcome is unknown shows in the DM list by the card's own text, or by the feedback object that appears.
"""

from collections.abc import Mapping
from datetime import datetime

from service.settings import Account, Texts
from service.states import Kind
from service.ways.way import Asking, Delivered, Way
from service.x_api import Card, XClient
from service.x_api.limits import CARDS_PER_RECIPIENT


def freeze(texts: Texts, values: Mapping[str, str]) -> str:
    """Return the message the card hangs on."""
    return texts.card.format_map(values)


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


def per_day(account: Account) -> int:
    """Return how many cards X lets this account send in 24 hours."""
    return account.cards_per_day


WAY = Way("card", "create_feedback", CARDS_PER_RECIPIENT.window, freeze, send, per_day, (Kind.ASKING,))
