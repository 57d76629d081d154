"""The whole truth, for reconciliation: what X really holds, whatever its answers said.

Copies references under the lock, builds nothing deep.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from service.sandbox.state import Exchange, Message, Push, StoredCard, World
from service.sandbox.writing import x_date

SECTIONS = ("messages", "cards", "requests", "pushes", "visits")


def truth(world: World, wanted: Mapping[str, str]) -> dict[str, Any]:
    """Everything, or without the sections given as "0", or only about one `recipient` or since `since_ms`."""
    with world.lock:
        messages, cards = list(world.messages.values()), list(world.cards.values())
        requests, pushes, visits = list(world.requests), list(world.pushes), list(world.visits)
        body: dict[str, Any] = {
            "now_ms": world.clock.now_ms(),
            "counts": _counts(messages, cards, requests, pushes),
            "pending": {
                "agenda": len(world.agenda),
                "pushes": sum(one.outcome == "queued" for one in pushes),
                "requests": sum(one.status is None and one.fault is None for one in requests),
            },
            "script_errors": list(world.script_errors),
        }
    recipient, since_ms = wanted.get("recipient"), int(wanted.get("since_ms", "0"))
    rows: dict[str, Any] = {
        "messages": (message_row(one) for one in messages if _told(one.recipient, one.at_ms, recipient, since_ms)),
        "cards": (card_row(one) for one in cards if _told(one.recipient, one.at_ms, recipient, since_ms)),
        "requests": (request_row(one) for one in requests if _told(one.recipient, one.at_ms, recipient, since_ms)),
        "visits": (asdict(one) for one in visits if _told(one.user_id, one.at_ms, recipient, since_ms)),
        "pushes": (push_row(one) for one in pushes if one.at_ms >= since_ms),
    }
    return body | {name: list(rows[name]) for name in SECTIONS if wanted.get(name, "1") != "0"}


def message_row(one: Message) -> dict[str, Any]:
    """A DM that exists. `via`: dm (events/new), card (feedback/create), customer (inbound)."""
    return {
        "id": str(one.id),
        "sender": one.sender,
        "recipient": one.recipient,
        "text": one.text,
        "at_ms": one.at_ms,
        "via": one.via,
        "visible_ms": one.visible_ms,
    }


def card_row(one: StoredCard) -> dict[str, Any]:
    """A card that exists, and what became of it."""
    return {
        "id": str(one.id),
        "external_id": one.external_id,
        "from": one.sender,
        "to": one.recipient,
        "dm_id": str(one.dm_id),
        "type": one.type,
        "test": one.test,
        "created_at": x_date(one.at_ms, "spaced"),
        "at_ms": one.at_ms,
        "question_variant_id": one.question_variant_id,
        "display_name": one.display_name,
        "privacy_url": one.privacy_url,
        "score": None if one.score is None else {"value": one.score, "at_ms": one.score_ms},
        "text": None if one.text is None else {"value": one.text, "at_ms": one.text_ms},
        "dismissed_ms": one.dismissed_ms,
        "expires_ms": one.expires_ms,
        "updates": [{"event_type": event_type, "at_ms": at_ms} for event_type, at_ms in one.updates],
    }


def request_row(one: Exchange) -> dict[str, Any]:
    """A request and its answer; status null: none was sent. `committed`: id of the DM or card it made."""
    return {each.name: getattr(one, each.name) for each in fields(one)}


def push_row(one: Push) -> dict[str, Any]:
    """A webhook push and what the receiver said."""
    return {
        "id": one.id,
        "at_ms": one.at_ms,
        "account": one.account,
        "card_id": str(one.card_id),
        "event_type": one.event_type,
        "fault": one.fault,
        "outcome": one.outcome,
        "status": one.status,
        "attempts": one.attempts,
    }


def _told(whom: str | None, at_ms: int, recipient: str | None, since_ms: int) -> bool:
    return recipient in {None, whom} and at_ms >= since_ms


def _counts(
    messages: list[Message], cards: list[StoredCard], requests: list[Exchange], pushes: list[Push]
) -> dict[str, Any]:
    by_endpoint: dict[str, Counter[str]] = {}
    for one in requests:
        outcome = "none" if one.status is None else str(one.status)
        by_endpoint.setdefault(one.endpoint, Counter())[f"{outcome}/{one.fault}" if one.fault else outcome] += 1
    return {
        "messages": len(messages),
        "messages_via": dict(Counter(one.via for one in messages)),
        "cards": len(cards),
        "answered": sum(one.score is not None or one.text is not None for one in cards),
        "dismissed": sum(one.dismissed_ms is not None for one in cards),
        "pushes": dict(Counter(one.outcome for one in pushes)),
        "requests": {name: dict(counts) for name, counts in by_endpoint.items()},
    }
