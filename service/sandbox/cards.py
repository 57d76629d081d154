"""What happens to a card once it exists: it is answered or dismissed, and every change is recorded and pushed.

Score and text are immutable once submitted. Used by the endpoints, by scripts and by /_control alike.
"""

from bisect import insort

from service.sandbox import pushes
from service.sandbox.state import StoredCard, World
from service.sandbox.writing import refusal

SCORES: dict[str, range] = {"csat": range(1, 6), "nps": range(11)}


def answer(world: World, card: StoredCard, score: int | None, text: str | None, at_ms: int) -> None:
    """The customer submits; XRefusal by the switches when that part is in already, dismissed or expired."""
    rules = world.assumptions
    if score is None and not text:
        raise refusal(rules.missing_param, "score or text parameter is missing.")
    if card.expires_ms is not None and at_ms >= card.expires_ms:
        raise refusal(rules.submit_expired, "The card has expired.")
    if card.dismissed_ms is not None:
        raise refusal(rules.submit_after_dismiss, "The card was dismissed.")
    if (score is not None and card.score is not None) or (text and card.text is not None):
        raise refusal(rules.submit_twice, "Already submitted.")
    if score is not None and score not in SCORES[card.type]:
        raise refusal(rules.invalid_param, "score: out of range.")
    if score is not None:
        card.score, card.score_ms = score, at_ms
    if text:
        card.text, card.text_ms = text, at_ms
    emit(world, card, "feedback.updated", at_ms)


def dismiss(world: World, card: StoredCard, at_ms: int) -> None:
    """The customer closes the card without an answer; doing so again changes nothing."""
    if card.dismissed_ms is None:
        card.dismissed_ms = at_ms
        if world.assumptions.dismiss_visible:
            emit(world, card, "feedback.updated", at_ms)


def emit(world: World, card: StoredCard, event_type: str, at_ms: int) -> None:
    """Something happened to a card: feedback/events will tell, and the webhook is pushed."""
    card.updates.append((event_type, at_ms))
    insort(world.events[card.sender], (at_ms, world.next_number(), card.id, event_type))
    pushes.push(world, card, event_type, at_ms)
