"""Validation errors of a schema as one refusal with a stable code: all unknown names, or else all other mistakes.

Each mistake is named by its place (`items.3.id`), in words that say what would be right.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from service.errors import Invalid, ServiceError

UNKNOWN = "Unknown field."
BODY = "body"
WORDS = {
    UNKNOWN: "is not known here",
    "Missing data for required field.": "is missing",
    "Field may not be null.": "must not be null",
    "Invalid input type.": "must be a JSON object",
    "Not a valid mapping type.": "must be a JSON object",
    "Not a valid list.": "must be a list",
    "Not a valid string.": "must be a text",
    "Not a valid integer.": "must be a whole number",
    "Not a valid date.": "must be a day like 2026-11-22",
}
"""What marshmallow says of a kind of value, as we say it."""


def refused(messages: Mapping[str, Any]) -> ServiceError:
    """Return the refusal for marshmallow's errors by name."""
    unknown = sorted(str(name) for name, says in messages.items() if says == [UNKNOWN])
    if unknown:
        return Invalid(
            "unknown_parameter",
            f"There is no parameter {', '.join(repr(name) for name in unknown)} here; see /docs.",
            errors={name: ["is not known here"] for name in unknown},
        )
    found = by_place(messages)
    name, says = next(iter(found.items()))
    return Invalid("invalid_parameter", f"'{name}' {says[0]}".rstrip(".") + ".", errors=found)


def by_place(messages: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return marshmallow's errors by their place."""
    found: dict[str, list[str]] = {}
    for name, sentence in _mistakes(messages):
        found.setdefault(name, []).append(sentence)
    return found


def _mistakes(says: Any, *place: str) -> Iterator[tuple[str, str]]:
    """Where and what. A value in a list of values goes by the list's name: a query has no second place."""
    if isinstance(says, Mapping):
        for key, inner in says.items():
            is_here = key == "_schema" or (isinstance(key, int) and not isinstance(inner, Mapping))
            yield from _mistakes(inner, *place, *([] if is_here else [str(key)]))
        return
    for each in says if isinstance(says, list) else [says]:
        yield ".".join(place) or BODY, WORDS.get(str(each), str(each))
