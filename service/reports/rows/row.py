"""What a row is: its columns, their kinds and order, the same in lists, details and every file.

A page of rows is held by column, times as microseconds since 1970: files are made without an object per row.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Any, get_args, get_type_hints

from service.db import EPOCH, from_micros
from service.ways import HANDED_OVER, WAYS

Columns = tuple[Sequence[Any], ...]
"""One sequence a column, in the order of COLUMNS; times as microseconds, flags as true or false of any type."""

SECOND = 1_000_000
DAY_S = 86_400
MOST_KEPT = 8192


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation with what became of it. `suppressed`: whose it is, and the comment, are not shown.

    Names and order are those of every file: none ever changes, new ones come last.
    """

    request_id: Annotated[str, "Our id of the request, sent to X as external_id"]
    conversation_id: Annotated[
        str | None, "The CRM's id of the conversation. Empty if the row is suppressed; a made-up one after erasure"
    ]
    conversation_url: Annotated[
        str | None, "URL of the conversation in the CRM, if the source defines it. Empty after erasure"
    ]
    source: Annotated[str, "The CRM, by its name in the settings"]
    account: Annotated[str, "The X account, by its name in the settings"]
    campaign: Annotated[str | None, "The campaign, which sets card and texts. Empty if nobody was to be asked"]
    team_id: Annotated[str | None, "When the conversation ended"]
    agent_id: Annotated[str | None, "When the conversation ended"]
    type: Annotated[str | None, "csat (1 to 5) or nps (0 to 10)"]
    question_variant_id: Annotated[int | None, "X's question variant"]
    display_name: Annotated[str | None, "The name on the card"]
    ended_at: Annotated[datetime, "When the conversation ended"]
    sent_at: Annotated[datetime | None, "When X accepted the card or message, or when the link was handed over"]
    state: Annotated[str, "State of the request"]
    reason: Annotated[str | None, "Why the request was skipped or failed"]
    score: Annotated[int | None, "The score the customer chose"]
    score_at: Annotated[datetime | None, "When the customer gave the score"]
    score_after_s: Annotated[int | None, "Seconds from the card to the score"]
    text: Annotated[str | None, "The comment"]
    text_at: Annotated[datetime | None, "When the customer wrote the comment. Kept when retention deletes the text"]
    text_after_s: Annotated[int | None, "Seconds from the card to the comment"]
    updated_at: Annotated[datetime, "When anything visible to readers last changed"]
    update_count: Annotated[
        int,
        "How often X reported something new about the answer. 0 without an answer. It may grow without a "
        "change of updated_at, if X reported something older than what is stored",
    ]
    language: Annotated[str | None, "Language of the conversation, as the source gave it"]
    test: Annotated[bool, "Whether this is test traffic, which no figure counts"]
    suppressed: Annotated[
        bool,
        "Whether there are too few answers to show whose answer it is, or its comment. Those fields are then empty",
    ]
    tags: Annotated[tuple[str, ...] | None, "Tags of the conversation, as the source gave them"]
    channel: Annotated[str | None, "The CRM's channel of the conversation, as the source gave it"]
    customer_ref: Annotated[str | None, "The CRM's id of the customer. Only for admins"]
    erased_at: Annotated[datetime | None, "When the customer was erased. Identity and texts are deleted"]
    way: Annotated[
        str | None,
        f"How the customer was asked: {', '.join(WAYS)} or {HANDED_OVER}. Empty if nobody was to be asked",
    ]
    score_way: Annotated[
        str | None,
        "How the score was given. A customer may answer through a link sent beside the card instead of the card",
    ]
    agent_name: Annotated[str | None, "The agent's name when the conversation ended. Empty if none was set"]
    team_name: Annotated[str | None, "The team's name when the conversation ended"]
    question: Annotated[str | None, "The question in X's wording. A question page may have its own"]


HINTS = {name: get_args(hint) for name, hint in get_type_hints(Row, include_extras=True).items()}
COLUMNS = tuple(HINTS)
SAYS = {name: says for name, (_, says) in HINTS.items()}
"""Each column in words, for the description of the API and the sheet of definitions."""

KIND_OF = {datetime: "time", int: "number", bool: "flag", tuple[str, ...]: "list", str: "text"}
KINDS = tuple(next(KIND_OF[each] for each in (kind, *get_args(kind)) if each in KIND_OF) for kind, _ in HINTS.values())
REPEATED = frozenset({
    *("source", "account", "campaign", "team_id", "agent_id", "type", "display_name", "state", "reason", "language"),
    *("channel", "question_variant_id", "score", "update_count", "tags", "way", "score_way", "test", "suppressed"),
    *("agent_name", "team_name", "question"),
})  # fmt: skip
"""Columns with few different values: what is made of one is kept."""


class ValueCache(dict[Any, str]):
    """Caches what was made of each value, for columns that repeat theirs; restarts for those that do not."""

    def __init__(self, made: Callable[[Any], str], none: str) -> None:
        self._made, self._none = made, none

    def __missing__(self, value: Any) -> str:
        if len(self) > MOST_KEPT:
            self.clear()
        self[value] = shown = self._none if value is None else self._made(value)
        return shown

    def of(self, column: Sequence[Any]) -> list[str]:
        """Return what was made of a column."""
        return [self[each] for each in column]


def texts_of(name: str, made: Callable[[Any], str], none: str) -> Callable[[Sequence[Any]], list[str]]:
    """Return what makes texts of a column."""
    if name in REPEATED:
        return ValueCache(made, none).of
    return lambda column: [none if each is None else made(each) for each in column]


def rows_of(columns: Columns) -> tuple[Row, ...]:
    """Return a page as rows, for lists."""
    made = [_MADE[kind](column) if kind in _MADE else column for kind, column in zip(KINDS, columns, strict=True)]
    return tuple(Row(*each) for each in zip(*made, strict=True))


def objects_of(columns: Columns, names: Collection[str]) -> list[dict[str, Any]]:
    """Return a page as JSON has it: an object a row, with these columns."""
    kept = [each for each in zip(COLUMNS, KINDS, columns, strict=True) if each[0] in names]
    shown = tuple(name for name, _, _ in kept)
    made = [_AS_JSON[kind](column) if kind in _AS_JSON else column for _, kind, column in kept]
    return [dict(zip(shown, each, strict=True)) for each in zip(*made, strict=True)]


def stamp(micros: int) -> str:
    """Return microseconds since 1970 as `clock.rfc3339` writes them, quickly."""
    seconds, micros = divmod(micros, SECOND)
    day, seconds = divmod(seconds, DAY_S)
    return f"{_day(day)}T{_clock(seconds)}.{micros:06d}Z"


def _times(column: Sequence[int | None]) -> list[datetime | None]:
    return [None if each is None else from_micros(each) for each in column]


def _flags(column: Sequence[Any]) -> list[bool]:
    return [bool(each) for each in column]


def _stamps(column: Sequence[int | None]) -> list[str | None]:
    return [None if each is None else stamp(each) for each in column]


_MADE = {"time": _times, "flag": _flags}
_AS_JSON = {"time": _stamps, "flag": _flags}


@lru_cache(4096)
def _day(day: int) -> str:
    return date.fromordinal(EPOCH.toordinal() + day).isoformat()


@lru_cache(DAY_S)
def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
