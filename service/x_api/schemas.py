"""Wire to facts: the JSON X sends (answers and feedback webhooks) becomes frozen dataclasses.

In: parsed JSON from a stranger. Out: facts, or a `ParseProblem` that names the field and never quotes the value. Only
`id` is required. Texts come out free of NUL and with lone surrogates replaced by U+FFFD, so both databases take them.
One unreadable event never hides the others of its page: it stands in `problems`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, pre_load

from service.x_api.facts import (
    DirectMessage,
    DmPage,
    Feedback,
    FeedbackEvent,
    FeedbackPage,
    Friendship,
    Identity,
    ParseProblem,
    User,
)
from service.x_api.fields import Flag, Identifier, Known, Label, Score, Variant, When, Words, plain
from service.x_api.rate import RateLimit, window
from service.x_api.texts import clean, readable, same_text

__all__ = [
    "DirectMessage",
    "DmPage",
    "Feedback",
    "FeedbackEvent",
    "FeedbackPage",
    "Friendship",
    "Identity",
    "ParseProblem",
    "User",
    "parse_dm_page",
    "parse_feedback",
    "parse_feedback_event",
    "parse_feedback_page",
    "parse_friendship",
    "parse_identity",
    "parse_message",
    "parse_rate_status",
    "parse_sent_feedback",
    "parse_sent_message",
    "parse_user",
    "same_text",
]

T = TypeVar("T")


def parse_feedback(raw: Mapping[str, Any]) -> Feedback:
    """A card from create, show, an event or a webhook."""
    return cast("Feedback", _load(_FEEDBACK, raw))


def parse_feedback_event(raw: Mapping[str, Any]) -> FeedbackEvent:
    """One event of feedback/events, or the whole body of a feedback webhook."""
    return cast("FeedbackEvent", _load(_FEEDBACK_EVENT, raw))


def parse_feedback_page(raw: Mapping[str, Any]) -> FeedbackPage:
    """A page of feedback/events."""
    events, problems = _each(raw, parse_feedback_event)
    return FeedbackPage(events, _next_cursor(raw), problems)


def parse_message(raw: Mapping[str, Any]) -> DirectMessage:
    """The `{"event": ...}` of direct_messages/events/new and show."""
    return cast("_Event", _load(_EVENT, raw)).event


def parse_dm_page(raw: Mapping[str, Any]) -> DmPage:
    """A page of direct_messages/events/list. What carries no message is left out; a message of whatever type is not."""
    events, problems = _each(raw, _parse_dm, holding="message_create")
    return DmPage(events, _next_cursor(raw), problems)


def parse_sent_feedback(raw: Mapping[str, Any]) -> Feedback:
    """The answer to a created card. X said yes and gave an id: a date we cannot read must not make that unknown."""
    try:
        return parse_feedback(raw)
    except ParseProblem:
        return parse_feedback({name: raw[name] for name in ("id", "dm_id") if name in _mapping(raw, "body")})


def parse_sent_message(raw: Mapping[str, Any]) -> DirectMessage:
    """The answer to a sent message; as above, the id is enough."""
    try:
        return parse_message(raw)
    except ParseProblem:
        event = _mapping(_mapping(raw, "body").get("event"), "event")
        return parse_message({"event": {"id": event.get("id")}})


def parse_user(raw: Mapping[str, Any]) -> User:
    """A v1.1 user object."""
    return cast("User", _load(_USER, raw))


def parse_identity(raw: Mapping[str, Any], access_level: str | None) -> Identity:
    """Our own user object, and the access level X wrote in a header beside it."""
    user = parse_user(raw)
    return Identity(user.id, user.screen_name, clean(access_level).strip() if access_level else None)


def parse_friendship(raw: Mapping[str, Any]) -> Friendship:
    """`relationship.source.can_dm` of friendships/show."""
    return cast("Friendship", _load(_FRIENDSHIP, raw))


def parse_rate_status(raw: Mapping[str, Any], now: datetime) -> dict[str, RateLimit]:
    """Route (`/feedback/show/:id`) to window, from rate_limit_status. What is not a window is left out."""
    families = _mapping(_mapping(raw, "body").get("resources"), "resources").values()
    routes = [item for family in families if isinstance(family, Mapping) for item in family.items()]
    return {
        str(route): window(values.get("limit"), values.get("remaining"), values.get("reset"), now)
        for route, values in routes
        if isinstance(values, Mapping)
    }


class _Lenient(Schema):
    class Meta:
        unknown = EXCLUDE


class _UserSchema(_Lenient):
    id = Identifier(required=True)
    screen_name = Label(load_default=None)
    can_dm = Known(load_default=None)

    @pre_load
    def prefer_the_id_as_text(self, data: Any, **_: Any) -> Any:
        return {**data, "id": data.get("id_str") or data.get("id")} if isinstance(data, Mapping) else data

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> User:
        return User(**data)


class _SourceSchema(_Lenient):
    can_dm = Known(load_default=None)


class _RelationshipSchema(_Lenient):
    source = fields.Nested(_SourceSchema, load_default=None)


class _FriendshipSchema(_Lenient):
    relationship = fields.Nested(_RelationshipSchema, load_default=None)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Friendship:
        source = (data["relationship"] or {}).get("source") or {}
        return Friendship(source.get("can_dm"))


class _MessageDataSchema(_Lenient):
    text = Words(load_default=None)
    entities = fields.Raw(load_default=None)


class _TargetSchema(_Lenient):
    recipient_id = Identifier(load_default=None)


class _MessageCreateSchema(_Lenient):
    target = fields.Nested(_TargetSchema, load_default=None)
    sender_id = Identifier(load_default=None)
    message_data = fields.Nested(_MessageDataSchema, load_default=None)


class _DirectMessageSchema(_Lenient):
    id = Identifier(required=True)
    created_timestamp = When(load_default=None)
    message_create = fields.Nested(_MessageCreateSchema, load_default=None)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> DirectMessage:
        message = data["message_create"] or {}
        content = message.get("message_data") or {}
        raw_text, entities = content.get("text") or "", content.get("entities")
        urls = entities.get("urls") if isinstance(entities, Mapping) else None
        return DirectMessage(
            id=data["id"],
            sender_id=message.get("sender_id"),
            recipient_id=(message.get("target") or {}).get("recipient_id"),
            text=readable(raw_text, urls),
            raw_text=raw_text,
            created_at=data["created_timestamp"],
        )


@dataclass(frozen=True, slots=True)
class _Event:
    event: DirectMessage


class _EventSchema(_Lenient):
    event = fields.Nested(_DirectMessageSchema, required=True)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> _Event:
        return _Event(**data)


class _ScoreSchema(_Lenient):
    value = Score(load_default=None)
    created_at = When(load_default=None)


class _TextSchema(_Lenient):
    value = Words(load_default=None)
    created_at = When(load_default=None)


class _ResponseSchema(_Lenient):
    score = fields.Nested(_ScoreSchema, load_default=None)
    text = fields.Nested(_TextSchema, load_default=None)


class _FeedbackSchema(_Lenient):
    id = Identifier(required=True)
    type = Label(load_default=None)
    test = Flag(load_default=False, allow_none=True)
    dm_id = Identifier(load_default=None)
    from_user_id = Identifier(load_default=None)
    to_user_id = Identifier(load_default=None)
    external_id = Label(load_default=None)
    question_variant_id = Variant(load_default=None)
    display_name = Label(load_default=None)
    privacy_url = Label(load_default=None)
    created_at = When(load_default=None)
    updated_at = When(load_default=None)
    response = fields.Nested(_ResponseSchema, load_default=None)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Feedback:
        response = data.pop("response") or {}
        score, score_at = _answer(response.get("score"))
        text, text_at = _answer(response.get("text"))
        test = bool(data.pop("test"))
        return Feedback(**data, test=test, score=score, score_at=score_at, text=text, text_at=text_at)


class _FeedbackEventSchema(_Lenient):
    event_type = Label(load_default=None)
    created_at = When(load_default=None)
    feedback = fields.Nested(_FeedbackSchema, required=True)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> FeedbackEvent:
        return FeedbackEvent(**data)


_USER = _UserSchema()
_FRIENDSHIP = _FriendshipSchema()
_DM = _DirectMessageSchema()
_EVENT = _EventSchema()
_FEEDBACK = _FeedbackSchema()
_FEEDBACK_EVENT = _FeedbackEventSchema()


def _parse_dm(raw: Mapping[str, Any]) -> DirectMessage:
    return cast("DirectMessage", _load(_DM, raw))


def _load(schema: Schema, raw: Mapping[str, Any]) -> object:
    try:
        return schema.load(raw)
    except ValidationError as error:
        field, sentence = _first(error.messages)
        raise ParseProblem(field or "body", sentence) from None


def _first(messages: Any) -> tuple[str, str]:
    """The first complaint as (`response.score.value`, sentence)."""
    if isinstance(messages, list):
        return "", str(messages[0])
    key, inner = next(iter(messages.items()))
    field, sentence = _first(inner)
    return ".".join(part for part in (str(key), field) if part and part != "_schema"), sentence


def _answer(part: dict[str, Any] | None) -> tuple[Any, datetime | None]:
    """A value and when it was given; a date without a value says nothing."""
    value = part["value"] if part else None
    return (value, part["created_at"]) if part and value is not None else (None, None)


def _each(
    raw: Mapping[str, Any], parse: Callable[[Mapping[str, Any]], T], *, holding: str | None = None
) -> tuple[tuple[T, ...], tuple[ParseProblem, ...]]:
    listed = _mapping(raw, "body").get("events")
    if not isinstance(listed, list):
        raise ParseProblem("events", "This is not a list.")
    events: list[T] = []
    problems: list[ParseProblem] = []
    for number, entry in enumerate(listed):
        if holding and isinstance(entry, Mapping) and holding not in entry:
            continue
        try:
            events.append(parse(entry))
        except ParseProblem as problem:
            problems.append(problem.within(f"events[{number}]"))
    return tuple(events), tuple(problems)


def _next_cursor(raw: Mapping[str, Any]) -> str | None:
    """Missing, null and "" are X's three ways to say the end."""
    return plain(raw.get("next_cursor")) or None


def _mapping(value: object, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ParseProblem(place, "This is not an object.")
    return value
