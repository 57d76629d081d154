"""Feedback cards: create and show for the business, submit and dismiss for the customer, checked as strictly as X does.

cards.py says what happens to a card afterwards, scripts.py how scripted customers react.
"""

from typing import Any
from urllib.parse import urlsplit

from service.sandbox import cards, limits, messages, scripts, users
from service.sandbox.call import Call, is_long
from service.sandbox.clock import DAY_MS
from service.sandbox.render import feedback_json
from service.sandbox.state import StoredCard
from service.sandbox.writing import refusal

MAX_EXTERNAL_ID, MAX_DISPLAY_NAME = 256, 20
#: type -> highest question_variant_id
VARIANTS: dict[str, int] = {"csat": 37, "nps": 9}


def create(call: Call) -> tuple[int, dict[str, Any]]:
    """feedback/create: checks, commits its own DM and the card, answers the feedback object."""
    world, rules = call.world, call.world.assumptions
    if not rules.feedback_privilege:
        raise refusal(rules.no_privilege)
    wanted = _read_create(call)
    users.check_messageable(world, wanted["recipient"])
    messages.check_duplicate(world, call.caller, wanted["recipient"], wanted["message"])
    _check_pair(call, wanted["recipient"])
    limits.check_cards(world, call.caller, call.now_ms)
    if rules.card_uses_dm_budget:
        limits.check_dms(world, call.caller, wanted["recipient"], call.now_ms)
        limits.count_dm(world, call.caller, wanted["recipient"], call.now_ms)
    limits.count_card(world, call.caller, call.now_ms)
    card = _commit(call, wanted)
    call.committed.append(str(card.id))
    return rules.create_status, feedback_json(world, card, card.at_ms, rules.question_variant_id)


def show(call: Call) -> dict[str, Any]:
    """feedback/show/:id of a card the caller sent."""
    rules = call.world.assumptions
    card = _card(call)
    if card.sender != call.caller:
        raise refusal(rules.feedback_not_found)
    body = feedback_json(call.world, card, call.now_ms, rules.question_variant_id)
    if not rules.show_full_object:
        del body["type"], body["dm_id"]
    return body


def submit(call: Call) -> dict[str, Any]:
    """feedback/submit/:id as the recipient: `score`, `text`, or both."""
    card = _received(call)
    raw, text = call.form.get("score"), call.form.get("text")
    score = None if raw is None else int(call.long("score", raw))
    cards.answer(call.world, card, score, text, call.now_ms)
    return feedback_json(call.world, card, call.now_ms, call.world.assumptions.question_variant_id)


def dismiss(call: Call) -> dict[str, Any]:
    """feedback/dismiss/:id as the recipient."""
    card = _received(call)
    cards.dismiss(call.world, card, call.now_ms)
    return feedback_json(call.world, card, call.now_ms, call.world.assumptions.question_variant_id)


def _commit(call: Call, wanted: dict[str, Any]) -> StoredCard:
    world, now_ms = call.world, call.now_ms
    text, life_s = wanted.pop("message"), world.assumptions.card_expires_after_s
    dm = messages.commit(world, call.caller, wanted["recipient"], text, via="card", at_ms=now_ms)
    card = StoredCard(
        id=world.ids.mint(now_ms),
        at_ms=now_ms,
        sender=call.caller,
        dm_id=dm.id,
        expires_ms=None if life_s is None else now_ms + int(life_s * 1000),
        **wanted,
    )
    world.cards[card.id] = card
    world.cards_to[card.recipient].append(card)
    cards.emit(world, card, "feedback.created", now_ms)
    scripts.play(world, card)
    return card


def _read_create(call: Call) -> dict[str, Any]:
    given = call.params if call.world.assumptions.create_accepts_query else dict(call.form)
    for name in ("type", "to_user_id", "message", "privacy_url"):
        if not given.get(name):
            raise call.missing(name)
    if given["type"] not in VARIANTS:
        raise call.invalid("type", "must be nps or csat")
    if given.get("test", "false") not in {"true", "false"}:
        raise call.invalid("test", "must be true or false")
    return {
        "type": given["type"],
        "recipient": call.long("to_user_id", given["to_user_id"]),
        "message": messages.checked_text(call, "message", given["message"]),
        "privacy_url": _url(call, given["privacy_url"]),
        "external_id": _short(call, "external_id", given.get("external_id"), MAX_EXTERNAL_ID),
        "question_variant_id": _variant(call, given["type"], given.get("question_variant_id", "0")),
        "display_name": _short(call, "display_name", given.get("display_name"), MAX_DISPLAY_NAME),
        "test": given.get("test") == "true",
    }


def _url(call: Call, raw: str) -> str:
    try:
        parts = urlsplit(raw)
    except ValueError:
        raise call.invalid("privacy_url", "must be a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise call.invalid("privacy_url", "must be a URL")
    return raw


def _short(call: Call, name: str, raw: str | None, most: int) -> str | None:
    if raw is not None and not 0 < len(raw) <= most:
        raise call.invalid(name, f"must have 1 to {most} characters")
    return raw


def _variant(call: Call, kind: str, raw: str) -> int:
    value = int(call.long("question_variant_id", raw))
    if value > VARIANTS[kind]:
        raise call.invalid("question_variant_id", f"must be 0 to {VARIANTS[kind]} for {kind}")
    return value


def _check_pair(call: Call, recipient: str) -> None:
    rules = call.world.assumptions
    if rules.pair_scope == "off":
        return
    for card in reversed(call.world.cards_to[recipient]):
        if card.at_ms <= call.now_ms - DAY_MS:
            return
        freed = (card.test and not rules.test_cards_count) or (
            card.dismissed_ms is not None and rules.dismiss_frees_slot
        )
        if not freed and (rules.pair_scope == "recipient" or card.sender == call.caller):
            raise refusal(rules.pair_limit)


def _card(call: Call) -> StoredCard:
    raw = call.path_id or ""
    card = call.world.cards.get(int(raw)) if is_long(raw) else None
    if card is None:
        raise refusal(call.world.assumptions.feedback_not_found)
    return card


def _received(call: Call) -> StoredCard:
    card = _card(call)
    if card.recipient != call.caller:
        raise refusal(call.world.assumptions.feedback_not_found)
    return card
