"""The JSON X sends about users and messages becomes frozen facts; cards are in `cards`.

Returns facts, or a `ParseProblem` that names the field and never quotes the value. Only `id` is required; of a message
an odd date or text counts as absent, for it must cost neither a tap nor a *stop*. Texts come out without NUL and with
lone surrogates replaced by U+FFFD, so both databases accept them. One unreadable event never hides the others on its
page: it is listed in `problems`.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, pre_load

from service.x_api.facts import (
    DirectMessage,
    DmPage,
    Friendship,
    OwnAccount,
    ParseProblem,
    User,
)
from service.x_api.fields import Identifier, Label, Tristate, date_or_none, plain
from service.x_api.texts import clean, readable

T = TypeVar("T")
ASKED_OTHERWISE = "This is not whom we asked for."
METADATA_LIMIT = 1000
"""X's own."""


def parse_message(raw: Mapping[str, Any]) -> DirectMessage:
    """The `{"event": ...}` of direct_messages/events/new, or a bare event."""
    body = mapping(raw, "body")
    told = load(_EVENT, {"event": body} if "id" in body and "event" not in body else body)
    return cast("Mapping[str, DirectMessage]", told)["event"]


def parse_dm_page(raw: Mapping[str, Any]) -> DmPage:
    """A page of direct_messages/events/list. Events without a message are left out; messages of any type are not."""
    events, problems = each(raw, _parse_listed, holding="message_create")
    return DmPage(events, next_cursor(raw), problems)


def parse_messages(raw: list[Any]) -> tuple[tuple[DirectMessage, ...], tuple[ParseProblem, ...]]:
    """The messages in a list; what carries none is left out."""
    return each({"events": raw}, _parse_dm, holding="message_create")


def parse_sent_message(raw: Mapping[str, Any]) -> DirectMessage:
    """The answer to a sent message; as above, the id is enough."""
    try:
        return parse_message(raw)
    except ParseProblem:
        body = mapping(raw, "body")
        event = mapping(body.get("event", body), "event")
        return parse_message({"event": {"id": event.get("id")}})


def parse_user(raw: Mapping[str, Any]) -> User:
    """A v1.1 user object."""
    return cast("User", load(_USER, raw))


def parse_identity(raw: Mapping[str, Any], access_level: str | None) -> OwnAccount:
    """Our own user object, and the access level X wrote in a header beside it."""
    user = parse_user(raw)
    return OwnAccount(user.id, user.screen_name, clean(access_level).strip() if access_level else None)


def parse_friendship(raw: Mapping[str, Any]) -> Friendship:
    """`relationship.source.can_dm` of friendships/show."""
    return cast("Friendship", load(_FRIENDSHIP, raw))


def demand_same(told: T, field: str, asked: str | None) -> T:
    """Return what X told, unless it is about somebody else.

    Something on the way may hand out the answer to another question: a cache, or a connection that is one answer off.
    """
    said = getattr(told, field)
    if asked and said and said.casefold() != asked.casefold():
        raise ParseProblem(field, ASKED_OTHERWISE)
    return told


class Lenient(Schema):
    """X adds fields without notice: unknown ones are ignored."""

    class Meta:  # noqa: D106 - marshmallow's own form
        unknown = EXCLUDE


class _PersonSchema(Lenient):
    id = Identifier(load_default=None)

    @pre_load
    def prefer_the_id_as_text(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {**data, "id": next(filter(plain, (data.get("id_str"), data.get("id"))), None)}


class _UserSchema(_PersonSchema):
    id = Identifier(required=True)
    screen_name = Label(load_default=None)
    can_dm = Tristate(load_default=None)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> User:
        return User(**data)


class _SourceSchema(Lenient):
    can_dm = Tristate(load_default=None)


class _RelationshipSchema(Lenient):
    source = fields.Nested(_SourceSchema, load_default=None)
    target = fields.Nested(_PersonSchema, load_default=None)


class _FriendshipSchema(Lenient):
    relationship = fields.Nested(_RelationshipSchema, load_default=None)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Friendship:
        both = data["relationship"] or {}
        source, target = both.get("source") or {}, both.get("target") or {}
        return Friendship(source.get("can_dm"), target.get("id"))


class _MessageDataSchema(Lenient):
    text = fields.Raw(load_default=None)
    entities = fields.Raw(load_default=None)
    quick_reply_response = fields.Raw(load_default=None)


class _TargetSchema(Lenient):
    recipient_id = Identifier(load_default=None)


class _MessageCreateSchema(Lenient):
    target = fields.Nested(_TargetSchema, load_default=None)
    sender_id = Identifier(load_default=None)
    message_data = fields.Nested(_MessageDataSchema, load_default=None)


class _DirectMessageSchema(Lenient):
    id = Identifier(required=True)
    created_timestamp = fields.Raw(load_default=None)
    message_create = fields.Nested(_MessageCreateSchema, load_default=None)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> DirectMessage:
        message = data["message_create"] or {}
        content = message.get("message_data") or {}
        text, raw_text = written(content.get("text"), content.get("entities"))
        return DirectMessage(
            id=data["id"],
            sender_id=message.get("sender_id"),
            recipient_id=(message.get("target") or {}).get("recipient_id"),
            text=text,
            raw_text=raw_text,
            created_at=date_or_none(data["created_timestamp"]),
            tapped=_tapped(content.get("quick_reply_response")),
        )


class _EventSchema(Lenient):
    event = fields.Nested(_DirectMessageSchema, required=True)


_USER = _UserSchema()
_FRIENDSHIP = _FriendshipSchema()
_DM = _DirectMessageSchema()
_EVENT = _EventSchema()


def written(text: object, entities: object) -> tuple[str, str]:
    """A message's text as it was typed and as X shows it; one that cannot be read is none, and costs no tap."""
    shown = clean(text) if isinstance(text, str) else ""
    return readable(shown, entities.get("urls") if isinstance(entities, Mapping) else None), shown


def _tapped(response: object) -> str | None:
    metadata = response.get("metadata") if isinstance(response, Mapping) else None
    return metadata if isinstance(metadata, str) and 0 < len(metadata) <= METADATA_LIMIT else None


def _parse_dm(raw: Mapping[str, Any]) -> DirectMessage:
    return cast("DirectMessage", load(_DM, raw))


def _parse_listed(raw: Mapping[str, Any]) -> DirectMessage:
    """One of the list. Without sender or recipient it may be any message, even ours: a problem, not an absence."""
    message = _parse_dm(raw)
    if message.sender_id is None or message.recipient_id is None:
        raise ParseProblem("message_create", "Nobody can tell from whom to whom this went.")
    return message


def load(schema: Schema, raw: Mapping[str, Any]) -> object:
    """What the schema builds from it, or the first error as a problem."""
    try:
        return schema.load(raw)
    except ValidationError as error:
        field, sentence = _first(error.messages)
        raise ParseProblem(field or "body", sentence) from None


def _first(messages: Any) -> tuple[str, str]:
    """The first error as (`response.score.value`, sentence)."""
    if isinstance(messages, list):
        return "", str(messages[0])
    key, inner = next(iter(messages.items()))
    field, sentence = _first(inner)
    return ".".join(part for part in (str(key), field) if part and part != "_schema"), sentence


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
