"""One authenticated call as the endpoints see it, and how they read its parameters. Knows no Flask.

A bad parameter raises X's refusal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from service.sandbox.state import World
from service.sandbox.writing import XRefusal, refusal

MAX_LONG = 2**63 - 1
_DIGITS = 19


def is_long(text: str) -> bool:
    """Whether a text is an id X could have given: decimal digits that fit 64 bits."""
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS and int(text) <= MAX_LONG


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who asks what. `query` and `form` are decoded; `json` is the parsed body, None when it is not JSON.

    `committed`: the ids of what the call has stored.
    """

    world: World
    caller: str
    now_ms: int
    query: Mapping[str, str]
    form: Mapping[str, str]
    json: Any = None
    path_id: str | None = None
    committed: list[str] = field(default_factory=list)

    @property
    def params(self) -> dict[str, str]:
        """Query and form together."""
        return {**self.query, **self.form}

    def missing(self, name: str) -> XRefusal:
        """The refusal of an absent parameter."""
        return refusal(self.world.assumptions.missing_param, f"{name} parameter is missing.")

    def invalid(self, name: str, why: str = "is invalid") -> XRefusal:
        """The refusal of an unacceptable parameter."""
        return refusal(self.world.assumptions.invalid_param, f"{name}: {why}.")

    def long(self, name: str, raw: object) -> str:
        """A 64-bit id from a string or an integer, as a string."""
        if not isinstance(raw, str | int) or isinstance(raw, bool) or not is_long(str(raw)):
            raise self.invalid(name, f"{str(raw)[:40]!r} is not a valid Long")
        return str(int(raw))

    def count(self, default: int, most: int) -> int:
        """The `count` of a list, at most `most`."""
        raw = self.query.get("count")
        if raw is None:
            return default
        value = int(self.long("count", raw))
        if not 1 <= value <= most:
            raise self.invalid("count", f"must be between 1 and {most}")
        return value
