"""Cards and their answers: the JSON of create, show, an event or a webhook becomes facts, or a problem.

Required are only a card's `id` and, if it has an answer, a readable score or text. Anything else unreadable is absent
and named in `unread`: X changes its forms without notice, and a date must not cost an answer. A score is never rounded,
parsed from text or clamped. No value is ever quoted.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from service.x_api.facts import Feedback, FeedbackPage, ParseProblem
from service.x_api.fields import id_or_none, identifier, parse_date, word
from service.x_api.parsing import each, mapping, next_cursor
from service.x_api.texts import clean

T = TypeVar("T")
SCORE_LIMIT = 2**31 - 1
"""More than any score, and still an Integer of PostgreSQL."""


def parse_feedback(raw: Mapping[str, Any]) -> Feedback:
    """A card from create, show, an event or a webhook. A minor field never invalidates the answer."""
    card, unread = _unwrapped(raw), list[str]()
    card_id = identifier(card.get("id"), "id")

    def read(take: Callable[[Any, str], T | None], holder: Mapping[str, Any], place: str) -> T | None:
        value = holder.get(place.rpartition(".")[2])
        try:
            return None if value is None else take(value, place)
        except ParseProblem:
            unread.append(place)
            return None

    def answer(take: Callable[[Any, str], T | None], place: str) -> tuple[T | None, datetime | None]:
        """A value and when it was given; a date without a value means nothing."""
        given = read(mapping, response, place) or {}
        value, at = read(take, given, f"{place}.value"), read(_date, given, f"{place}.created_at")
        return value, None if value is None else at

    dm_id, sender, recipient = (read(id_or_none, card, name) for name in ("dm_id", "from_user_id", "to_user_id"))
    created_at, updated_at = read(_date, card, "created_at"), read(_date, card, "updated_at")
    response = read(mapping, card, "response") or {}
    (score, score_at), (text, text_at) = answer(_score, "response.score"), answer(_words, "response.text")
    lost = [place for place in unread if place.startswith("response")]
    if lost and score is None and text is None:
        raise ParseProblem(lost[0], "Nothing of this answer can be read.")
    return Feedback(
        id=card_id, dm_id=dm_id, from_user_id=sender, to_user_id=recipient, external_id=word(card.get("external_id")),
        created_at=created_at, updated_at=updated_at, score=score, score_at=score_at, text=text, text_at=text_at,
        unread=tuple(unread),
    )  # fmt: skip


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
    """The answer to a created card. X accepted it and gave an id: an unreadable answer must not make that unknown."""
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


def _date(value: object, place: str) -> datetime | None:
    try:
        return None if value == "" else parse_date(value)
    except ValueError as error:
        raise ParseProblem(place, "This is not a date.") from error


def _score(value: object, place: str) -> int:
    """A JSON integer: not True, not 4.7, not "5". `ingest` judges one that is off the card's scale."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > SCORE_LIMIT:
        raise ParseProblem(place, "This is not a score.")
    return value


def _words(value: object, place: str) -> str | None:
    """What a person wrote. An empty text is no text."""
    if not isinstance(value, str):
        raise ParseProblem(place, "This is not a text.")
    return clean(value) or None
