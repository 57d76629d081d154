"""The JSON in a body from X, and of a refusal X's codes and words.

X writes a list under `errors`, one object under `error` or `errors`, or a problem as the body itself; its edges write
HTML. X's words are only compared with ones we know, never kept.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_HALF_JSON_CODE = re.compile(rb'"code"\s*:\s*"?(\d{1,6})"?\s*[,}\]]')
_ANSWERS = "data", "event", "events", "feedback", "id", "id_str", "relationship"
_WORDS = "message", "detail", "title", "reason", "type", "error", "errors"
_MOST_DIGITS = 1000  # Python itself refuses a number of a few thousand, and with it all that stands beside it


@dataclass(frozen=True, slots=True)
class Complaint:
    """One error from X: its code (v1.1) or problem (v2), if it names one, and its words, which may quote us."""

    code: int | None
    words: str
    problem: str | None = None


def parsed(body: bytes) -> Any:
    """The JSON in a body; a broken character or endless number costs only itself. Raises ValueError, RecursionError."""
    text = body.decode(json.detect_encoding(body), "replace")
    return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < _MOST_DIGITS else math.inf)


def only_complains(found: object) -> bool:
    """Whether an answer is nothing but errors, as X writes also with status 200. Beside an answer they take from it."""
    if not isinstance(found, dict) or not (found.get("errors") or found.get("error")):
        return False
    return not any(found.get(name) for name in _ANSWERS)


def complaints(body: bytes) -> tuple[Complaint, ...]:
    """Every error in the body, in X's order."""
    return tuple(_complaints(body))


def _complaints(body: bytes) -> Iterator[Complaint]:
    try:
        found = parsed(body)
    except (ValueError, RecursionError):
        if body.lstrip().startswith(b"{"):
            yield from (Complaint(int(code), "") for code in _HALF_JSON_CODE.findall(body))
        return
    for entry in _objects(found):
        words = " ".join(said for name in _WORDS if isinstance(said := entry.get(name), str))
        yield Complaint(_whole(entry.get("code")), words, _problem(entry.get("type")))


def _objects(body: object) -> Iterator[Mapping[str, Any]]:
    if not isinstance(body, dict):
        return
    for found in (body.get("errors"), body.get("error"), body):
        candidates = found if isinstance(found, list) else [found]
        yield from (candidate for candidate in candidates if isinstance(candidate, dict))


def _problem(kind: object) -> str | None:
    """`client-forbidden` of `https://api.twitter.com/2/problems/client-forbidden`."""
    before, found, name = str(kind).rpartition("/problems/")
    return name if found and before else None


def _whole(value: object) -> int | None:
    text = "" if isinstance(value, bool) else str(value)
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else None
