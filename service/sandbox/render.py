"""A card as X's feedback object, as it was at a given moment. Changes only the toggle of "alternate"."""

from typing import Any

from service.sandbox.state import StoredCard, World
from service.sandbox.writing import x_date


def feedback_json(world: World, card: StoredCard, as_of_ms: int, variant_form: str) -> dict[str, Any]:
    """The feedback object with everything submitted up to `as_of_ms`."""
    style = world.assumptions.dates
    updated_ms = max((at for _, at in card.updates if at <= as_of_ms), default=card.at_ms)
    body: dict[str, Any] = {
        "created_at": x_date(card.at_ms, style),
        "updated_at": x_date(updated_ms, style),
        "id": str(card.id),
        "type": card.type,
        "test": card.test,
        "dm_id": str(card.dm_id),
        "from_user_id": card.sender,
        "to_user_id": card.recipient,
        "privacy_url": card.privacy_url,
        "question_variant_id": _variant(world, card.question_variant_id, variant_form),
    }
    if card.external_id is not None:
        body["external_id"] = card.external_id
    if card.display_name is not None:
        body["display_name"] = card.display_name
    if world.assumptions.dismiss_visible:
        body["dismissed"] = card.dismissed_ms is not None and card.dismissed_ms <= as_of_ms
    response = _response(card, as_of_ms, style)
    if response:
        body["response"] = response
    return body


def event_json(world: World, card: StoredCard, event_type: str, at_ms: int, variant_form: str) -> dict[str, Any]:
    """The envelope of feedback/events and of a push."""
    return {
        "event_type": event_type,
        "created_at": x_date(at_ms, world.assumptions.dates),
        "feedback": feedback_json(world, card, at_ms, variant_form),
    }


def _response(card: StoredCard, as_of_ms: int, style: str) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    if card.score is not None and card.score_ms <= as_of_ms:
        parts["score"] = {"created_at": x_date(card.score_ms, style), "value": card.score}
    if card.text is not None and card.text_ms <= as_of_ms:
        parts["text"] = {"created_at": x_date(card.text_ms, style), "value": card.text}
    return parts


def _variant(world: World, value: int, form: str) -> str | int:
    as_string = form == "string"
    if form == "alternate":
        world.alternation = not world.alternation
        as_string = world.alternation
    return str(value) if as_string else value
