"""X's v2 as far as messages go: users with `receives_your_dm`, DMs to one person, the conversation with them.

The same memory as v1.1; refusals become v2's problem JSON in `gate`.
"""

from datetime import UTC, datetime
from typing import Any

from service.sandbox import limits, messages, users, visits
from service.sandbox.call import Call
from service.sandbox.render_dm import message_json
from service.sandbox.state import Message, Person
from service.sandbox.writing import XRefusal

EVENTS_DEFAULT, EVENTS_MOST = 100, 100
NOT_FOUND = "https://api.twitter.com/2/problems/resource-not-found"


def me(call: Call) -> dict[str, Any]:
    """users/me."""
    return {"data": _user(call, call.world.people[call.caller])}


def user(call: Call) -> dict[str, Any]:
    """users/:id; whom nobody knows is no error of the call, v2 says so with 200."""
    return _shown(call, users.find(call.world, call.path_id or ""), call.path_id or "")


def user_by_name(call: Call) -> dict[str, Any]:
    """users/by/username/:name."""
    name = call.path_id or ""
    return _shown(call, users.find_named(call.world, name), name)


def send(call: Call) -> tuple[int, dict[str, Any]]:
    """dm_conversations/with/:id/messages: 201 and two ids."""
    world, recipient = call.world, call.long("participant_id", call.path_id)
    if not isinstance(call.json, dict) or set(call.json) - {"text", "attachments"}:
        raise call.invalid("body", "must be an object with text or attachments")
    text = messages.checked_text(call, "text", call.json.get("text"))
    users.check_messageable(world, recipient)
    messages.check_duplicate(world, call.caller, recipient, text)
    limits.check_dms(world, call.caller, recipient, call.now_ms, v2=True)
    limits.count_dm(world, call.caller, recipient, call.now_ms, v2=True)
    message = messages.commit(world, call.caller, recipient, text, via="dm", at_ms=call.now_ms)
    call.committed.append(str(message.id))
    visits.plan(world, message)
    return 201, {"data": {"dm_conversation_id": _between(call.caller, recipient), "dm_event_id": str(message.id)}}


def list_with(call: Call) -> dict[str, Any]:
    """dm_conversations/with/:id/dm_events: newest first, late by a switch of its own, no bound of 30 days."""
    world, other = call.world, call.long("participant_id", call.path_id)
    box = [world.messages[one] for one in reversed(world.mailbox[call.caller])]
    lag_ms = int(world.assumptions.conversation_lag_s * 1000)
    mine = [one for one in box if other in {one.sender, one.recipient} and one.at_ms + lag_ms <= call.now_ms]
    if not world.assumptions.card_dm_in_list:
        mine = [one for one in mine if one.via != "card"]
    size = int(call.long("max_results", call.query.get("max_results", EVENTS_DEFAULT)))
    start = int(call.long("pagination_token", call.query.get("pagination_token", 0)))
    if not 1 <= size <= EVENTS_MOST:
        raise call.invalid("max_results", f"must be between 1 and {EVENTS_MOST}")
    page = mine[start : start + size]
    meta: dict[str, Any] = {"result_count": len(page)}
    if start + size < len(mine):
        meta["next_token"] = str(start + size)
    return {**({"data": [_event(call, one) for one in page]} if page else {}), "meta": meta}


def _shown(call: Call, person: Person | None, asked: str) -> dict[str, Any]:
    if person is None or person.suspended:
        said = {"value": asked, "detail": f"Could not find user: [{asked}].", "title": "Not Found Error"}
        return {"errors": [{**said, "resource_type": "user", "type": NOT_FOUND}]}
    return {"data": _user(call, person)}


def _user(call: Call, person: Person) -> dict[str, Any]:
    body: dict[str, Any] = {"id": person.user_id, "name": person.name, "username": person.screen_name}
    wanted = call.query.get("user.fields", "").split(",")
    if "receives_your_dm" in wanted and call.world.assumptions.users_can_dm == "present" and person.can_dm is not None:
        body["receives_your_dm"] = person.can_dm
    return body


def _between(one: str, other: str) -> str:
    return "-".join(sorted((one, other), key=int))


def _event(call: Call, message: Message) -> dict[str, Any]:
    data = message_json(call.world, message, listed=True)["message_create"]["message_data"]
    at = datetime.fromtimestamp(message.at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "id": str(message.id), "event_type": "MessageCreate", "text": data["text"], "sender_id": message.sender,
        "created_at": at, "entities": {"urls": data["entities"]["urls"]},
        "dm_conversation_id": _between(message.sender, message.recipient),
    }  # fmt: skip


def problem(error: XRefusal) -> dict[str, Any]:
    """A refusal as v2 words it: it names kinds of problem, and a customer who takes no DM only in prose."""
    if error.status == 403 and error.code in {50, 63, 150, 349}:  # noqa: PLR2004 - X's codes and statuses
        title, kind, detail = "Forbidden", "about:blank", "You do not have permission to DM one or more participants."
    else:
        title, kind, detail = _PROBLEMS.get(error.status, ("Error", "about:blank", error.message))
    return {"title": title, "detail": detail or error.message, "type": kind, "status": error.status}


_PROBLEMS = {
    400: ("Invalid Request", "https://api.twitter.com/2/problems/invalid-request", ""),
    401: ("Unauthorized", "about:blank", "Unauthorized"),
    403: ("Client Forbidden", "https://api.twitter.com/2/problems/client-forbidden", ""),
    404: ("Not Found Error", NOT_FOUND, ""),
    429: ("Too Many Requests", "about:blank", "Too Many Requests"),
    503: ("Service Unavailable", "about:blank", "Service Unavailable"),
}
