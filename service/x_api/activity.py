"""What X pushes about an account's messages: whose push it is, and the messages in it.

Two products of X, told apart by their shape: Account Activity (`for_user_id`, `direct_message_events`) and X Activity
(`data.filter.user_id`, `data.payload`). Their other events (typing, reading, encrypted chat) yield no messages.
"""

from collections.abc import Mapping
from typing import Any

from service.x_api.facts import Activity, ParseProblem
from service.x_api.fields import plain
from service.x_api.parsing import mapping, parse_messages

MESSAGES = "direct_message_events"


def parse_activity(raw: Mapping[str, Any]) -> Activity:
    """One push. ParseProblem if it names no account, for then it is neither of the two products."""
    body = mapping(raw, "body")
    if "for_user_id" in body:
        return _activity(body.get("for_user_id"), body, "for_user_id")
    data = mapping(body.get("data"), "data")
    payload, whose = data.get("payload"), mapping(data.get("filter"), "data.filter").get("user_id")
    return _activity(whose, payload if isinstance(payload, Mapping) else {}, "data.filter.user_id")


def _activity(user_id: object, holder: Mapping[str, Any], place: str) -> Activity:
    whose = plain(user_id)
    if not whose:
        raise ParseProblem(place, "This is not an id.")
    if not isinstance(holder.get(MESSAGES), list):
        return Activity(whose, ())
    return Activity(whose, *parse_messages(holder[MESSAGES]))
