"""Marshmallow fields for what X sends: lenient where X is loose, strict where a wrong guess would falsify a result.

A value fits both databases (no NUL, no lone surrogates, integers of 64 bits), None means absent, and a ValidationError
never quotes the value. A score is never rounded, parsed from text or clamped.
"""

import math
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from marshmallow import ValidationError, fields

from service.x_api.texts import clean

ID_LIMIT = 64
SCORE_LIMIT = 2**31 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
X_BEGAN = datetime(2006, 3, 21, tzinfo=UTC)
_NUMBER = re.compile(r"[0-9]{1,19}(?:\.[0-9]{1,9})?")
_UNITS = tuple(timedelta(microseconds=each) for each in (1_000, 1_000_000, 1))  # X counts milliseconds
_MAIL_DATE = re.compile(
    r"(?:[A-Z][a-z]{2}, )?[0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}(?::[0-9]{2})? (?:GMT|UTC|[+-][0-9]{4})"
)
_SLASHED = re.compile(r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})(?P<time>[T ][0-9:.]+(?:Z|[+-][0-9]{2}:?[0-9]{2})?|)")
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}
_X_DATE = re.compile(
    r"[A-Z][a-z]{2}\s*(?P<month>[A-Z][a-z]{2})\s*(?P<day>[0-9]{1,2})\s*(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    r":(?P<second>[0-9]{2})\s*(?P<sign>[+-])(?P<off_hours>[0-9]{2})(?P<off_minutes>[0-9]{2})\s*(?P<year>[0-9]{4})"
)


def parse_date(value: object) -> datetime:
    """An aware UTC time from any form X or a proxy in front of it may write; ValueError if it is none.

    X's own (spaced or collapsed), ISO 8601, RFC 2822, year first with slashes, a number since 1970 in any unit. Nothing
    is older than X. The weekday is ignored: in X's own sample, Sat Dec 15 2015, it was a Tuesday.
    """
    try:
        when = _from_number(value) if _is_number(value) else _from_text(plain(value) or "")
        when = when.replace(tzinfo=when.tzinfo or UTC).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a date outside the calendar") from error
    if when < X_BEGAN:
        raise ValueError("a date before there was X")
    return when


def date_or_none(value: object) -> datetime | None:
    """The same where a date is a lesser thing, that costs nothing else: None if it cannot be read."""
    try:
        return parse_date(value)
    except ValueError:
        return None


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    return not isinstance(value, str) or _NUMBER.fullmatch(value.strip()) is not None


def _from_number(value: Any) -> datetime:
    """Milliseconds, as X counts; if that is before X existed or beyond the calendar, seconds or fractions of them."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("no number")
    for count, unit in (*((number, unit) for unit in _UNITS), (number / 1000, _UNITS[-1])):
        with suppress(OverflowError):
            if (when := EPOCH + count * unit) >= X_BEGAN:
                return when
    raise ValueError("a date before there was X, or outside the calendar")


def _from_text(text: str) -> datetime:
    if found := _X_DATE.fullmatch(text):
        return _from_x(found)
    if _MAIL_DATE.fullmatch(text):
        return parsedate_to_datetime(text)
    if found := _SLASHED.fullmatch(text):
        return datetime.fromisoformat("-".join(f"{int(part):02d}" for part in found.groups()[:3]) + found["time"])
    return datetime.fromisoformat(text)


def _from_x(found: re.Match[str]) -> datetime:
    month = _MONTHS.index(found["month"]) + 1
    offset = timedelta(hours=int(found["off_hours"]), minutes=int(found["off_minutes"]))
    zone = timezone(-offset if found["sign"] == "-" else offset)
    day, hour, minute, second = (int(found[part]) for part in ("day", "hour", "minute", "second"))
    return datetime(int(found["year"]), month, day, hour, minute, second, tzinfo=zone)


def plain(value: object) -> str | None:
    """A text or a whole number as clean text; None for anything else (True is not a number here)."""
    return clean(str(value)).strip() if isinstance(value, int | str) and not isinstance(value, bool) else None


class Identifier(fields.Field[str | None]):
    """An id, number or text, as text. An empty one is absent."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str | None:
        text = plain(value)
        if text is None or len(text) > ID_LIMIT or (self.required and not text):
            raise ValidationError("This is not an id.")
        return text or None


class Label(fields.Field[str | None]):
    """A word or name we only store or compare: anything but text or a number counts as absent."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str | None:
        return plain(value) or None


class Words(fields.Field[str | None]):
    """What a person wrote. An empty text is no text."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str | None:
        if not isinstance(value, str):
            raise ValidationError("This is not a text.")
        return clean(value) or None


class When(fields.Field[datetime | None]):
    """A time; an empty text is absent."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime | None:
        if value == "":
            return None
        try:
            return parse_date(value)
        except ValueError as error:
            raise ValidationError("This is not a date.") from error


class RawScore(fields.Field[int]):
    """A JSON integer: not True, not 4.7, not "5". `ingest` judges one that is off the card's scale."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError("A score is a whole number.")
        if abs(value) > SCORE_LIMIT:
            raise ValidationError("No column holds this number.")
        return value


class Variant(fields.Field[int | None]):
    """A question number, 3 or "3"; anything else counts as absent, because no result depends on it."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int | None:
        text = plain(value) or ""
        return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else None


class Tristate(fields.Field[bool | None]):
    """true, false, or unknown: `can_dm` is never guessed from another value."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool | None:
        return value if isinstance(value, bool) else None


class TestFlag(fields.Field[bool]):
    """Whether this is test traffic, in any spelling of yes and no. Our own request also says so, and decides."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        spelling = str(value).lower() if isinstance(value, bool | int | str) else "?"
        if spelling not in _FLAGS:
            raise ValidationError("This is neither true nor false.")
        return _FLAGS[spelling]
