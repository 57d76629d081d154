"""Single values in what X sends: lenient where X is loose, strict where a wrong guess would falsify a result.

A text fits both databases (no NUL, no lone surrogates), None means absent, and no error quotes the value.
"""

import math
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from service.x_api.facts import ParseProblem
from service.x_api.texts import clean

ID_LIMIT = 64
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
X_BEGAN = datetime(2006, 3, 21, tzinfo=UTC)
_NUMBER = re.compile(r"[0-9]{1,19}(?:\.[0-9]{1,9})?")
_UNITS = tuple(timedelta(microseconds=each) for each in (1_000, 1_000_000, 1))  # X counts milliseconds
_MAIL_DATE = re.compile(
    r"(?:[A-Z][a-z]{2}, )?[0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}(?::[0-9]{2})? (?:GMT|UTC|[+-][0-9]{4})"
)
_SLASHED = re.compile(r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})(?P<time>[T ][0-9:.]+(?:Z|[+-][0-9]{2}:?[0-9]{2})?|)")
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


def word(value: object) -> str | None:
    """A word or name we only compare or show: anything but text or a number counts as absent."""
    return plain(value) or None


def identifier(value: object, place: str) -> str:
    """An id, number or text, as text. Raises ParseProblem."""
    text = plain(value)
    if not text or len(text) > ID_LIMIT:
        raise ParseProblem(place, "This is not an id.")
    return text


def id_or_none(value: object, place: str) -> str | None:
    """The same where there may be none; an empty one is absent. Raises ParseProblem."""
    return None if value is None or plain(value) == "" else identifier(value, place)


def yes_or_no(value: object) -> bool | None:
    """true, false, or unknown: `can_dm` is never guessed from another value."""
    return value if isinstance(value, bool) else None
