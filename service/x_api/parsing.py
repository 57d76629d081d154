"""The JSON X sends about users and messages becomes frozen facts; cards are in `cards`.

Returns facts, or a `ParseProblem` that names the field and never quotes the value. Only `id` is required; of a message
an odd date or text counts as absent, for it must cost neither a tap nor a *stop*. Texts come out without NUL and with
lone surrogates replaced by U+FFFD, so both databases accept them. One unreadable event never hides the others on its
page: it is listed in `problems`.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from service.x_api.facts import DirectMessage, DmPage, Friendship, OwnAccount, ParseProblem, User
from service.x_api.fields import date_or_none, id_or_none, identifier, plain, word, yes_or_no
from service.x_api.texts import clean, readable

T = TypeVar("T")
ASKED_OTHERWISE = "This is not whom we asked for."
METADATA_LIMIT = 1000
"""X's own."""


def parse_dm_page(raw: Mapping[str, Any]) -> DmPage:
    """A page of direct_messages/events/list. Events without a message are left out; messages of any type are not."""
    events, problems = each(raw, _parse_listed, holding="message_create")
    return DmPage(events, next_cursor(raw), problems)


def parse_messages(raw: list[Any]) -> tuple[tuple[DirectMessage, ...], tuple[ParseProblem, ...]]:
    """The messages in a list; what carries none is left out."""
    return each({"events": raw}, _parse_dm, holding="message_create")


def parse_sent_message(raw: Mapping[str, Any]) -> DirectMessage:
    """The answer to a sent message, `{"event": ...}` or the bare event. X accepted it: the id is enough."""
    body = mapping(raw, "body")
    event = mapping(body.get("event", body), "event")
    try:
        return _parse_dm(event)
    except ParseProblem:
        return _parse_dm({"id": event.get("id")})


def parse_user(raw: Mapping[str, Any]) -> User:
    """A v1.1 user object."""
    user = mapping(raw, "body")
    return User(identifier(_id_of(user), "id"), word(user.get("screen_name")), yes_or_no(user.get("can_dm")))


def parse_identity(raw: Mapping[str, Any], access_level: str | None) -> OwnAccount:
    """Our own user object, and the access level X wrote in a header beside it."""
    user = parse_user(raw)
    return OwnAccount(user.id, user.screen_name, clean(access_level).strip() if access_level else None)


def parse_friendship(raw: Mapping[str, Any]) -> Friendship:
    """`relationship.source.can_dm` of friendships/show."""
    both = _part(mapping(raw, "body"), "relationship")
    source, target = _part(both, "relationship.source"), _part(both, "relationship.target")
    return Friendship(yes_or_no(source.get("can_dm")), id_or_none(_id_of(target), "relationship.target.id"))


def demand_same(told: T, field: str, asked: str | None) -> T:
    """Return what X told, unless it is about somebody else.

    Something on the way may hand out the answer to another question: a cache, or a connection that is one answer off.
    """
    said = getattr(told, field)
    if asked and said and said.casefold() != asked.casefold():
        raise ParseProblem(field, ASKED_OTHERWISE)
    return told


def written(text: object, entities: object) -> tuple[str, str]:
    """A message's text as it was typed and as X shows it; one that cannot be read is none, and costs no tap."""
    shown = clean(text) if isinstance(text, str) else ""
    return readable(shown, entities.get("urls") if isinstance(entities, Mapping) else None), shown


def _tapped(response: object) -> str | None:
    metadata = response.get("metadata") if isinstance(response, Mapping) else None
    return metadata if isinstance(metadata, str) and 0 < len(metadata) <= METADATA_LIMIT else None


def _parse_dm(raw: Mapping[str, Any]) -> DirectMessage:
    event = mapping(raw, "body")
    message_id, message = identifier(event.get("id"), "id"), _part(event, "message_create")
    target, content = _part(message, "message_create.target"), _part(message, "message_create.message_data")
    text, raw_text = written(content.get("text"), content.get("entities"))
    return DirectMessage(
        id=message_id,
        sender_id=id_or_none(message.get("sender_id"), "message_create.sender_id"),
        recipient_id=id_or_none(target.get("recipient_id"), "message_create.target.recipient_id"),
        text=text,
        raw_text=raw_text,
        created_at=date_or_none(event.get("created_timestamp")),
        tapped=_tapped(content.get("quick_reply_response")),
    )


def _parse_listed(raw: Mapping[str, Any]) -> DirectMessage:
    """One of the list. Without sender or recipient it may be any message, even ours: a problem, not an absence."""
    message = _parse_dm(raw)
    if message.sender_id is None or message.recipient_id is None:
        raise ParseProblem("message_create", "Nobody can tell from whom to whom this went.")
    return message


def each(
    raw: Mapping[str, Any], parse: Callable[[Mapping[str, Any]], T], *, holding: str | None = None
) -> tuple[tuple[T, ...], tuple[ParseProblem, ...]]:
    """Parse each event of a page by itself; `holding` skips those without that part, unless their type names it.

    X may answer 200 with `errors` beside the list: then something is missing from it, and an empty one is no list.
    """
    body = mapping(raw, "body")
    listed, left_out = body.get("events"), body.get("errors")
    no_list = listed is None and not left_out and "next_cursor" in body
    if no_list:
        listed = []  # some servers leave out an empty list: one reads on, but it proves nothing
    if not isinstance(listed, list) or (left_out and not listed):
        raise ParseProblem("events", "This is not a list.")
    events: list[T] = []
    problems = [ParseProblem("errors", "X has left something out.")] if left_out else []
    problems += [ParseProblem("events", "There is none.")] if no_list else []
    for number, entry in enumerate(listed):
        if holding and isinstance(entry, Mapping) and holding not in entry and entry.get("type") != holding:
            continue
        try:
            events.append(parse(entry))
        except ParseProblem as problem:
            problems.append(problem.within(f"events[{number}]"))
    return tuple(events), tuple(problems)


def next_cursor(raw: Mapping[str, Any]) -> str | None:
    """Missing, null and "" are X's three ways to end a list, and 0 is that of its older lists."""
    cursor = plain(raw.get("next_cursor"))
    return None if cursor in {None, "", "0"} else cursor


def mapping(value: object, place: str) -> Mapping[str, Any]:
    """The same, known to be an object."""
    if not isinstance(value, Mapping):
        raise ParseProblem(place, "This is not an object.")
    return value


def _part(holder: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    """An object within another, empty where there is none."""
    inner = holder.get(place.rpartition(".")[2])
    return {} if inner is None else mapping(inner, place)


def _id_of(person: Mapping[str, Any]) -> object:
    """X writes an id as a number, which some readers of JSON round, and as text beside it."""
    return next(filter(plain, (person.get("id_str"), person.get("id"))), None)
