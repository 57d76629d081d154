"""Direct messages: events/new, events/list, events/show, shaped as live recordings show them.

`commit` is the only place where a DM comes to exist, whether sent, made by a card, or written by a customer.
"""

import random
from base64 import b64encode
from bisect import bisect_left, insort
from functools import partial
from typing import Any

from service.sandbox import activity, limits, schedule, users, visits
from service.sandbox.call import Call
from service.sandbox.clock import DAY_MS
from service.sandbox.render_dm import URL, message_json
from service.sandbox.state import Action, Message, World
from service.sandbox.writing import XRefusal, refusal

MAX_TEXT = 10_000
MAX_OPTIONS, MAX_LABEL, MAX_METADATA = 20, 36, 1000
Options = tuple[tuple[str, str], ...]
LIST_DEFAULT, LIST_MOST = 20, 50
KEPT_MS = 30 * DAY_MS


def new(call: Call) -> dict[str, Any]:
    """direct_messages/events/new: checks, commits, answers the event."""
    recipient, text, options = _read_new(call)
    users.check_messageable(call.world, recipient)
    check_duplicate(call.world, call.caller, recipient, text)
    limits.check_dms(call.world, call.caller, recipient, call.now_ms)
    limits.count_dm(call.world, call.caller, recipient, call.now_ms)
    message = commit(call.world, call.caller, recipient, text, via="dm", at_ms=call.now_ms, options=options)
    call.committed.append(str(message.id))
    visits.plan(call.world, message)
    return {"event": message_json(call.world, message)}


def list_events(call: Call) -> dict[str, Any]:
    """direct_messages/events/list: newest first, late by the switch, paged by opaque base64 snowflakes."""
    world, rules = call.world, call.world.assumptions
    size = call.count(LIST_DEFAULT, LIST_MOST)
    before, page = _read_cursor(call)
    if page in rules.list_empty_pages:
        return {"events": [], "next_cursor": _mint_cursor(call, before, page + 1)}
    if rules.list_short_pages:
        size = max(1, size // 3)
    box = world.mailbox[call.caller]
    shown: list[Message] = []
    index = bisect_left(box, before)
    while index > 0 and len(shown) < size:
        index -= 1
        if _listed(call, world.messages[box[index]]):
            shown.append(world.messages[box[index]])
    body: dict[str, Any] = {"events": [message_json(world, one, listed=True) for one in shown]}
    if any(_listed(call, world.messages[one]) for one in reversed(box[:index])) or page + 1 in rules.list_empty_pages:
        body["next_cursor"] = _mint_cursor(call, box[index] if shown else before, page + 1)
    return body


def show(call: Call) -> dict[str, Any]:
    """direct_messages/events/show: one event the caller sent or received in the last 30 days; else 404/34."""
    if "id" not in call.query:
        raise call.missing("id")
    message = call.world.messages.get(int(call.long("id", call.query["id"])))
    if message is None or call.caller not in {message.sender, message.recipient}:
        raise XRefusal(404, 34)
    if message.at_ms <= call.now_ms - KEPT_MS:
        raise XRefusal(404, 34)
    return {"event": message_json(call.world, message)}


def commit(
    world: World,
    sender: str,
    recipient: str,
    text: str,
    *,
    via: str,
    at_ms: int,
    options: Options = (),
    tapped: str | None = None,
) -> Message:
    """The DM exists from here on, whatever becomes of the answer."""
    message = Message(
        id=world.ids.mint(at_ms),
        at_ms=at_ms,
        sender=sender,
        recipient=recipient,
        text=text,
        via=via,
        visible_ms=at_ms + _lag_ms(world.assumptions.list_lag_s, world.rng),
        options=options,
        tapped=tapped,
    )
    world.messages[message.id] = message
    for owner in {sender, recipient} & set(world.accounts):
        insort(world.mailbox[owner], message.id)
    if recipient in world.accounts and sender not in world.accounts:
        limits.open_replies(world, recipient, sender, at_ms)
    activity.push(world, message)
    if options and recipient in world.people:
        _play(world, message)
    return message


def newest_prompt(world: World, account: str, customer: str) -> Message | None:
    """The last message with quick replies that this customer got from this account."""
    box = (world.messages[one] for one in reversed(world.mailbox[account]))
    return next((one for one in box if one.recipient == customer and one.options), None)


def tap(world: World, prompt: Message, option: int, at_ms: int) -> Message:
    """The customer taps: a message of the option's label, with its metadata."""
    label, metadata = prompt.options[option]
    return commit(world, prompt.recipient, prompt.sender, label, via="customer", at_ms=at_ms, tapped=metadata)


def _play(world: World, prompt: Message) -> None:
    """Plan what the customer's script does with quick replies: tap one, or type."""
    for action in world.people[prompt.recipient].script:
        if action.tap is not None or action.dm is not None:
            schedule.at(world, prompt.at_ms + int(action.after_s * 1000), partial(_act, world, prompt, action))


def _act(world: World, prompt: Message, action: Action, at_ms: int) -> None:
    if action.dm is not None:
        commit(world, prompt.recipient, prompt.sender, action.dm, via="customer", at_ms=at_ms)
    if action.tap is not None:
        last = len(prompt.options) - 1
        tap(world, prompt, world.rng.randint(0, last) if isinstance(action.tap, str) else min(action.tap, last), at_ms)


def check_duplicate(world: World, sender: str, recipient: str, text: str) -> None:
    """Refuse what the same sender has said to the same customer before, where the switch says so."""
    rule = world.assumptions.duplicate_dm
    box = (world.messages[one] for one in world.mailbox[sender])
    if rule != "sent" and any((one.recipient, one.text) == (recipient, text) for one in box):
        raise refusal(rule)


def _read_new(call: Call) -> tuple[str, str, Options]:
    if not isinstance(call.json, dict):
        raise XRefusal(404, 34)  # X's misleading answer to a form body on this route
    event = call.json.get("event")
    if not isinstance(event, dict):
        raise call.missing("event")
    if event.get("type") != "message_create":
        raise call.invalid("event.type", "must be message_create")
    create = _inner(call, event, "message_create")
    target = _inner(call, create, "target")
    if target.get("recipient_id") in (None, ""):
        raise call.missing("recipient_id")
    recipient = call.long("recipient_id", target["recipient_id"])
    content = _inner(call, create, "message_data")
    return recipient, checked_text(call, "text", content.get("text")), _read_options(call, content.get("quick_reply"))


def _read_options(call: Call, given: object) -> Options:
    """X's limits: 20 options, labels of 36 characters and no address, metadata of 1,000."""
    if given is None:
        return ()
    listed = given.get("options") if isinstance(given, dict) and given.get("type") == "options" else None
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_OPTIONS:
        raise call.invalid("quick_reply.options", f"1 to {MAX_OPTIONS} are allowed")
    return tuple(_read_option(call, one) for one in listed)


def _read_option(call: Call, given: object) -> tuple[str, str]:
    one = given if isinstance(given, dict) else {}
    label, metadata = one.get("label"), one.get("metadata", "")
    if not isinstance(label, str) or not 1 <= len(label) <= MAX_LABEL or URL.search(label):
        raise call.invalid("quick_reply.options.label", f"1 to {MAX_LABEL} characters, no URL")
    if not isinstance(metadata, str) or len(metadata) > MAX_METADATA:
        raise call.invalid("quick_reply.options.metadata", f"at most {MAX_METADATA} characters")
    return label, metadata


def checked_text(call: Call, name: str, text: object) -> str:
    """A DM's text: there, a string, at most 10,000 characters."""
    if text is None or text == "":
        raise call.missing(name)
    if not isinstance(text, str):
        raise call.invalid(name, "must be a string")
    if len(text) > MAX_TEXT:
        raise XRefusal(403, 354)
    return text


def _inner(call: Call, outer: dict[str, Any], name: str) -> dict[str, Any]:
    value = outer.get(name)
    if not isinstance(value, dict):
        raise call.missing(name)
    return value


def _listed(call: Call, message: Message) -> bool:
    if message.via == "card" and not call.world.assumptions.card_dm_in_list:
        return False
    return message.visible_ms <= call.now_ms and message.at_ms > call.now_ms - KEPT_MS


def _read_cursor(call: Call) -> tuple[int, int]:
    cursor = call.query.get("cursor")
    if not cursor:
        return 2**64, 1
    owner, before, page = call.world.list_cursors.get(cursor, ("", 0, 0))
    if owner != call.caller:
        raise call.invalid("cursor")
    return before, page


def _mint_cursor(call: Call, before: int, page: int) -> str:
    # A fresh snowflake each time, kept here: an empty page must not hand back the cursor it was asked with.
    snowflake = str(call.world.ids.mint(call.now_ms)).encode()
    cursor = b64encode(snowflake).decode().rstrip("=")
    call.world.list_cursors[cursor] = (call.caller, before, page)
    return cursor


def _lag_ms(lag: Any, dice: random.Random) -> int:
    least, most = lag if isinstance(lag, list | tuple) else (lag, lag)
    return int(dice.uniform(least, most) * 1000)
