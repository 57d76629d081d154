"""What the CRM sends and what should come of it: deliveries in order, for a crowd of a given size.

Pure: the end of a conversation is given as "this long before it is first reported", so a script can be played at any
time. crm.py signs and sends it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from service.demo import cast
from service.demo.cast import Customer
from service.states import Skip, State

SIGNED, TOKEN = "crm", "helpdesk"  # the two sources: Standard Webhooks, and a plain token
MOST_DAYS = 2 * 86_400
End = tuple[str, str, int]  # source, conversation id, its first end, its second …
Fate = tuple[State, str | None]


@dataclass(frozen=True, slots=True)
class ScriptedDelivery:
    """One POST of the CRM. `answers`: the expected status and, item by item, outcome."""

    note: str
    kind: str  # ended | reopened | look-alike | nonsense
    customer: Customer
    end: int
    message_id: str
    source: str = SIGNED
    ago_s: float = 0.2
    forged: str | None = None  # signature | time
    at_once: int = 1  # so many copies at the same instant
    answers: tuple[int, Mapping[str, int]] = (200, {"accepted": 1})

    @property
    def conversation_id(self) -> str:
        """The CRM's id of the conversation; customers with two conversations have a second one."""
        return f"c-{self.customer.number}" + ("-b" if self.note == SECOND else "")


SECOND = "a second conversation of the same customer"
DUPLICATE, IGNORED, UNMAPPABLE = {"duplicate": 1}, {"ignored": 1}, {"unmappable": 1}


@dataclass(frozen=True, slots=True)
class Script:
    """The whole play. `ends` are the ended conversations the ledger must hold, each with its outcome."""

    customers: Sequence[Customer]
    deliveries: Sequence[ScriptedDelivery]
    ends: Mapping[End, tuple[Customer, Fate]]

    @property
    def posts(self) -> int:
        """How many requests the CRM makes."""
        return sum(each.at_once for each in self.deliveries)


SENT: Fate = (State.CARD_SENT, None)


def write(crowd: int) -> Script:
    """Write the play for the cast and `crowd` more."""
    extras = tuple(cast.crowd(crowd))
    deliveries = _troubled() + _woven(_first_ends(extras), _oddities()) + _last()
    ends = {
        (each.source, each.conversation_id, each.end): (each.customer, _fate(each))
        for each in deliveries
        if each.kind == "ended" and "accepted" in each.answers[1]
    }
    return Script((*cast.CAST, *extras), deliveries, ends)


def body(delivery: ScriptedDelivery, ended_at: datetime, reopened_at: datetime | None = None) -> bytes:
    """The bytes to sign; the same delivery gives the same bytes."""
    told = TELL[delivery.kind](delivery, ended_at.isoformat(), (reopened_at or ended_at).isoformat())
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


def _fate(delivery: ScriptedDelivery) -> Fate:
    if delivery.note == SECOND:
        return State.SKIPPED, Skip.COOLDOWN
    if delivery.customer is cast.RETURNING and delivery.end == 1:
        return State.SKIPPED, Skip.REOPENED
    return NOT_ASKED.get(delivery.customer.number, SENT)


NOT_ASKED: Mapping[int, Fate] = {
    cast.CLOSED.number: (State.SKIPPED, Skip.CANNOT_DM),
    cast.SHUT.number: (State.SKIPPED, Skip.CANNOT_DM),
    cast.REFUSING.number: (State.SKIPPED, Skip.CANNOT_DM),
    cast.SUSPENDED.number: (State.SKIPPED, Skip.UNREACHABLE),
    cast.NAMELESS.number: (State.SKIPPED, Skip.NO_X_IDENTITY),
    cast.GHOST.number: (State.SKIPPED, Skip.NO_X_IDENTITY),
    cast.OPTED_OUT.number: (State.SKIPPED, Skip.OPTED_OUT),
    cast.STALE.number: (State.SKIPPED, Skip.STALE),
    cast.EXCLUDED.number: (State.SKIPPED, Skip.NO_CAMPAIGN),
}


def _ended(customer: Customer, note: str = "a conversation ended", **changes: Any) -> ScriptedDelivery:
    plain = ScriptedDelivery(note, "ended", customer, 1, f"msg_{customer.number}_1")
    return replace(plain, **changes)


def _troubled() -> list[ScriptedDelivery]:
    """Those who take longest come first, so that the play does not wait for them at its end."""
    slowest = (
        cast.CUT_BEFORE,
        cast.CUT_AFTER,
        cast.HALF_SENT,
        cast.HALF_CARD,
        cast.UNWELL,
        cast.TWICE,
        cast.PROMPT_CUT,
    )
    return [_ended(each) for each in slowest]


def _first_ends(extras: Sequence[Customer]) -> list[ScriptedDelivery]:
    told = {each.customer.number for each in (*_troubled(), *_last())} | {cast.STALE.number}
    plain = [_ended(each) for each in (*cast.CAST, *extras) if each.number not in told]
    from_helpdesk = {each.number for each in (cast.LOOKED_UP, *extras[5::7])}
    plain = [replace(each, source=TOKEN) if each.customer.number in from_helpdesk else each for each in plain]
    return [*plain, _ended(cast.STALE, ago_s=MOST_DAYS)]


def _oddities() -> list[ScriptedDelivery]:
    """What CRMs send besides the end of a conversation, each with the delivery it follows."""
    x, twice, ignored, no = cast, (200, DUPLICATE), (200, IGNORED), (401, dict[str, int]())
    told_again, came_again = "the same end, reported again with a different message id", "the same delivery again"
    like = "an event that resembles the end of a conversation"
    return [
        _ended(x.CLOSED, told_again, message_id="msg_1_again", answers=twice),
        _ended(x.GERMAN, told_again, message_id="msg_25_again", answers=twice),
        _ended(x.UNSAID, came_again, answers=twice),
        _ended(x.WORDY, came_again, answers=twice),
        _ended(x.BY_HANDLE, "ended again, never reopened", message_id="msg_22_later", end=2, answers=twice),
        _ended(x.RETURNING, "reopened before anything was sent", kind="reopened", message_id="msg_21_reopened"),
        _ended(x.RETURNING, "ended for the second time", end=2, message_id="msg_21_2", ago_s=0),
        _ended(x.FEW, like, kind="look-alike", message_id="msg_28_x", answers=ignored),
        _ended(x.FEW_TOO, like, kind="look-alike", message_id="msg_29_x", answers=ignored),
        _ended(
            x.SLOW,
            "an end without the conversation's id",
            kind="nonsense",
            message_id="msg_46_x",
            answers=(200, UNMAPPABLE),
        ),
        _ended(x.LIMITED, "a forged signature", message_id="msg_40_forged", forged="signature", answers=no),
        _ended(x.BY_URL, "a delivery, replayed an hour later", message_id="msg_23_old", forged="time", answers=no),
    ]


def _woven(ends: Sequence[ScriptedDelivery], oddities: Sequence[ScriptedDelivery]) -> list[ScriptedDelivery]:
    """Put each oddity behind its own conversation's end, if possible three deliveries later."""
    woven = list(ends)
    for odd in oddities:
        after = max(n for n, each in enumerate(woven) if each.customer is odd.customer)
        woven.insert(after + (1 if odd.customer is cast.RETURNING else 3), odd)
    return woven


def _last() -> list[ScriptedDelivery]:
    twice = _ended(cast.TWICE, SECOND, message_id="msg_20_b")
    both = _ended(cast.HURRIED, "the same delivery, twice at the same moment", at_once=2)
    return [twice, both]


def _event(delivery: ScriptedDelivery, ended_at: str, _: str) -> dict[str, Any]:
    data = {"conversation_id": delivery.conversation_id, "ended_at": ended_at, **_who(delivery.customer)}
    if delivery.source == TOKEN:
        return {"event": "conversation.ended", "event_id": delivery.message_id, **data}
    return {"type": "conversation.ended", "timestamp": ended_at, "data": data}


def _reopened(delivery: ScriptedDelivery, _: str, reopened_at: str) -> dict[str, Any]:
    data = {"conversation_id": delivery.conversation_id, "reopened_at": reopened_at}
    return {"type": "conversation.reopened", "timestamp": reopened_at, "data": data}


def _look_alike(delivery: ScriptedDelivery, ended_at: str, reopened_at: str) -> dict[str, Any]:
    return {**_event(delivery, ended_at, reopened_at), "type": "conversation.updated"}


def _nonsense(delivery: ScriptedDelivery, ended_at: str, _: str) -> dict[str, Any]:
    return {"type": "conversation.ended", "timestamp": ended_at, "data": _who(delivery.customer)}


TELL = {"ended": _event, "reopened": _reopened, "look-alike": _look_alike, "nonsense": _nonsense}


def _who(customer: Customer) -> dict[str, Any]:
    known: dict[str, dict[str, Any]] = {
        "id": {"x_user_id": customer.user_id, "x_handle": customer.handle},
        "handle": {"x_handle": f"@{customer.handle}"},
        "url": {"x_profile_url": f"https://x.com/{customer.handle}"},
        "crm": {"customer_ref": customer.crm_id},
        "nothing": {},
    }
    return {
        "account": customer.account, "agent_id": customer.agent.id, "team_id": customer.agent.team,
        "tags": list(customer.tags), "language": customer.language, "channel": "x-dm", **known[customer.known_by],
    }  # fmt: skip
