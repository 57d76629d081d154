"""Cards and their answers: the JSON of create, show, an event or a webhook becomes facts, or a problem.

Required are only a card's `id` and, if it has an answer, a readable score or text. Anything else unreadable is absent
and named in `unread`: X changes its forms without notice, and a date must not cost an answer. No value is ever quoted.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import reduce
from typing import Any, cast

from marshmallow import ValidationError, fields, post_load

from service.x_api.facts import Feedback, FeedbackPage, ParseProblem
from service.x_api.fields import Identifier, Label, RawScore, TestFlag, Variant, When, Words
from service.x_api.schemas import Lenient, each, load, mapping, next_cursor


def parse_feedback(raw: Mapping[str, Any]) -> Feedback:
    """A card from create, show, an event or a webhook. A minor field never invalidates the answer."""
    raw = _unwrapped(raw)
    try:
        return cast("Feedback", _FEEDBACK.load(raw))
    except ValidationError as error:
        odd = [place for place in _places(error.messages) if place != ("id",)]
    card = cast("Feedback", load(_FEEDBACK, reduce(_without, odd, raw)))
    lost = [place for place in odd if place[0] == "response"]
    if lost and card.score is None and card.text is None:
        raise ParseProblem(".".join(lost[0]), "Nothing of this answer can be read.")
    return replace(card, unread=tuple(".".join(place) for place in odd))


def parse_feedback_event(raw: Mapping[str, Any]) -> Feedback:
    """The card of one event of feedback/events, of the whole body of a feedback webhook, or a bare card."""
    event = mapping(raw, "body")
    bare = "id" in event and not {"feedback", "event_type"} & event.keys()
    card = mapping(event if bare else event.get("feedback"), "feedback")
    try:
        return parse_feedback(card)
    except ParseProblem as problem:
        raise problem.within("feedback") from None


def parse_feedback_page(raw: Mapping[str, Any]) -> FeedbackPage:
    """A page of feedback/events."""
    events, problems = each(raw, parse_feedback_event)
    return FeedbackPage(events, next_cursor(raw), problems)


def parse_sent_feedback(raw: Mapping[str, Any]) -> Feedback:
    """The answer to a created card. X accepted it and gave an id: an unreadable date must not make that unknown."""
    try:
        return parse_feedback(raw)
    except ParseProblem:
        card = _unwrapped(raw)
        return parse_feedback({name: card[name] for name in ("id", "dm_id") if name in card})


def _unwrapped(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The card itself, also if it is wrapped in `feedback` as in an event."""
    body = mapping(raw, "body")
    inner = body.get("feedback")
    return inner if "id" not in body and isinstance(inner, Mapping) else body


class _ScoreSchema(Lenient):
    value = RawScore(load_default=None)
    created_at = When(load_default=None)


class _TextSchema(Lenient):
    value = Words(load_default=None)
    created_at = When(load_default=None)


class _ResponseSchema(Lenient):
    score = fields.Nested(_ScoreSchema, load_default=None)
    text = fields.Nested(_TextSchema, load_default=None)


class _FeedbackSchema(Lenient):
    id = Identifier(required=True)
    type = Label(load_default=None)
    test = TestFlag(load_default=False, allow_none=True)
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


_FEEDBACK = _FeedbackSchema()


def _places(messages: Any, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The place of each error: (`response`, `score`, `value`)."""
    if not isinstance(messages, dict):
        return [above]
    return [
        place
        for key, inner in messages.items()
        for place in _places(inner, above if key == "_schema" else (*above, str(key)))
    ]


def _without(raw: Mapping[str, Any], place: tuple[str, ...]) -> Mapping[str, Any]:
    """The same without the value at this place."""
    first, *rest = place
    kept = {name: value for name, value in raw.items() if name != first}
    return {**kept, first: _without(raw[first], tuple(rest))} if rest else kept


def _answer(part: dict[str, Any] | None) -> tuple[Any, datetime | None]:
    """A value and when it was given; a date without a value means nothing."""
    value = part["value"] if part else None
    return (value, part["created_at"]) if part and value is not None else (None, None)
