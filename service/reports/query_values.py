"""Reads single values of a query: a moment, a number, a word, yes or no.

Strictly: an ambiguous value is refused, and the refusal says what would be right. The API's description shows the same
forms. Knows no parameter by name.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from service.text import UNSTORABLE

WHEN = "write RFC 3339 like 2026-11-22T12:00:00Z, epoch seconds or milliseconds, or a date"
WRITE_SO = f"{WHEN[0].upper()}{WHEN[1:]}."
LONGEST = 256
LARGEST = 999_999_999
EPOCH_MS_FROM = 100_000_000_000  # smaller numbers are seconds: in milliseconds this is March 1973
YEARS = range(1900, 2200)  # a date outside is a mistake, and some of them overflow in other zones
WRITTEN = (
    "^((19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "([Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?"
    "|[1-6]?[0-9]{1,9}|[1-6]?[0-9]{12})$"
)
"""How a moment is written, for the description: a date, RFC 3339 with an offset, seconds or milliseconds since 1970."""
FLAG_WORDS = {"truthy": {"true", "1", True}, "falsy": {"false", "0", False}}


class YesNo(fields.Boolean):
    """true or false, in these words."""

    def __init__(self, says: str, **how: Any) -> None:
        super().__init__(metadata={"description": says}, **how)

    truthy, falsy = FLAG_WORDS["truthy"], FLAG_WORDS["falsy"]
    default_error_messages = {"invalid": "must be true or false"}  # noqa: RUF012 - marshmallow's way


class Moment(fields.Field[datetime | date]):
    """RFC 3339 with an offset, epoch seconds or milliseconds, or a date alone (midnight in the service's zone)."""

    def __init__(self, says: str) -> None:
        super().__init__(metadata={"type": "string", "pattern": WRITTEN, "description": says})

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> datetime | date:
        given = str(value).strip()
        try:
            found = _moment(given)
        except (ValueError, OverflowError, OSError) as error:
            raise ValidationError(f"must be a time; {WHEN}") from error
        if isinstance(found, datetime) and found.tzinfo is None:
            raise ValidationError(f"has no offset; {WHEN}")
        if found.year not in YEARS:
            raise ValidationError(f"lies outside the years {YEARS.start} to {YEARS.stop - 1}; {WHEN}")
        return found


def known(words: Sequence[str]) -> validate.OneOf:
    """Demand one of these words."""
    return validate.OneOf(words, error=f"must be one of {', '.join(words)}")


def one_of_these(words: Sequence[str], says: str, **more: Any) -> fields.String:
    """A parameter that is one of these words."""
    return fields.String(
        validate=known(words), metadata={"description": says}, error_messages=which_is_needed(words), **more
    )


def which_is_needed(words: Sequence[str]) -> dict[str, Any]:
    """What is said where none of these words is there."""
    return {"required": f"is missing; it {known(words).error}"}


def is_whole(text: str) -> bool:
    """Whether this text is a number that a database can hold."""
    return re.fullmatch(r"-?[0-9]{1,9}", text) is not None


class WholeNumber(fields.Integer):
    """An integer as text or number; '4.7', '4e0' and true are not."""

    def __init__(self, says: str = "", **how: Any) -> None:
        bounds = {} if how.get("validate") else {"minimum": -LARGEST, "maximum": LARGEST}
        super().__init__(metadata={**bounds, **_described(says)}, **how)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST:
            return value
        if isinstance(value, str) and is_whole(value):
            return int(value)
        raise ValidationError("must be a whole number, e.g. 5")


class Word(fields.String):
    """Text a database can hold: no NUL, no lone surrogate, at most 256 characters."""

    def __init__(self, says: str = "", **how: Any) -> None:
        super().__init__(metadata={"maxLength": LONGEST, **_described(says)}, **how)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        word = super()._deserialize(value, *args, **kwargs)
        if word is None or len(word) > LONGEST or UNSTORABLE.search(word):
            raise ValidationError(f"must be text of at most {LONGEST} characters without NUL")
        return word


class SearchWords(Word):
    """Words to look for: at least a letter or a digit."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        words = super()._deserialize(value, *args, **kwargs)
        if not re.search(r"\w", words):
            raise ValidationError("must hold a word to look for, or its beginning")
        return words


def _described(says: str) -> dict[str, str]:
    """Nothing is said of one of several values: their list says it."""
    return {"description": says} if says else {}


def _moment(given: str) -> datetime | date:
    if re.fullmatch(r"[0-9]{1,16}", given, re.ASCII):
        number = int(given)
        return datetime.fromtimestamp(number / 1000 if number >= EPOCH_MS_FROM else number, UTC)
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", given, re.ASCII):
        return date.fromisoformat(given)
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}", given, re.ASCII):
        raise ValueError(given)
    if given.count(" ") and "T" in given.upper():
        given = given.replace(" ", "+")  # a plus that was not escaped in the address
    return datetime.fromisoformat(given.upper())
