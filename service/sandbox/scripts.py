"""What scripted customers do after a card arrived: score, write, dismiss, or send a DM of their own.

Actions go on the agenda and are done when due. An action X refuses is kept as a script error. Never acts on a card that
does not render.
"""

from functools import partial

from service.sandbox import cards, messages, schedule
from service.sandbox.state import Action, StoredCard, World
from service.sandbox.writing import XRefusal


def play(world: World, card: StoredCard) -> None:
    """Plan the recipient's script for this card."""
    if card.type == "nps" and world.assumptions.nps_unrendered:
        return
    for action in world.people[card.recipient].script:
        schedule.at(world, card.at_ms + int(action.after_s * 1000), partial(_act, world, card, action))


def _act(world: World, card: StoredCard, action: Action, at_ms: int) -> None:
    try:
        if action.dm is not None:
            messages.commit(world, card.recipient, card.sender, action.dm, via="customer", at_ms=at_ms)
        if not action.page and (action.score is not None or action.text):
            cards.answer(world, card, _score(world, card, action), action.text, at_ms)
        if action.dismiss:
            cards.dismiss(world, card, at_ms)
    except XRefusal as error:
        world.script_errors.append(
            {"card_id": str(card.id), "at_ms": at_ms, "status": error.status, "message": error.message}
        )


def _score(world: World, card: StoredCard, action: Action) -> int | None:
    if isinstance(action.score, str):
        return world.rng.choice(cards.SCORES[card.type])
    return action.score
