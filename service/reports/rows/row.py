"""What a row is: its columns, their kinds and order, the same in lists, details and every file.

A page of rows is held by column, times as microseconds since 1970: files are made without an object per row.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Any, get_args, get_type_hints

from service.db import EPOCH, from_micros

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

    request_id: Annotated[str, "Ours; travels to X as external_id"]
    conversation_id: Annotated[str | None, "The CRM's; none where the row is suppressed"]
    conversation_url: Annotated[str | None, "The conversation in the CRM, where the source says where that is"]
    source: Annotated[str, "The CRM, by our name"]
    account: Annotated[str, "The X account, by our name"]
    campaign: Annotated[str | None, "Which card and texts; none where nobody was to be asked"]
    team_id: Annotated[str | None, "When the conversation ended"]
    agent_id: Annotated[str | None, "When the conversation ended"]
    type: Annotated[str | None, "csat (1 to 5) or nps (0 to 10)"]
    question_variant_id: Annotated[int | None, "X's wording of the question"]
    display_name: Annotated[str | None, "The name on the card"]
    ended_at: Annotated[datetime, "When the conversation ended"]
    sent_at: Annotated[datetime | None, "When X accepted the card or message, or the link was handed over"]
    state: Annotated[str, "Where the request stands"]
    reason: Annotated[str | None, "Why it was skipped or failed"]
    score: Annotated[int | None, "What the customer chose"]
    score_at: Annotated[datetime | None, "When the customer gave it"]
    score_after_s: Annotated[int | None, "Seconds from the card to the score"]
    text: Annotated[str | None, "The comment"]
    text_at: Annotated[datetime | None, "When the customer wrote it; it stays when retention has taken the words"]
    text_after_s: Annotated[int | None, "Seconds from the card to the comment"]
    updated_at: Annotated[datetime, "When anything a reader can see changed last"]
    update_count: Annotated[
        int,
        "How often X told us something new of the answer; 0 where there is none. It may grow alone, without "
        "updated_at, where that was older than what stands",
    ]
    language: Annotated[str | None, "Of the conversation, as the source gave it"]
    test: Annotated[bool, "Test traffic: in no figure"]
    suppressed: Annotated[bool, "Too few answers to say whose it is, or to show the comment: these are empty"]
    tags: Annotated[tuple[str, ...] | None, "The conversation's, as the source gave them"]
    channel: Annotated[str | None, "The CRM's channel, as the source gave it"]
    customer_ref: Annotated[str | None, "The CRM's id of the customer; for admins only"]
    erased_at: Annotated[datetime | None, "When the customer was erased: identity and words are gone"]
    way: Annotated[
        str | None,
        "How the customer was asked: card, quick_reply, page or handed_over; none where nobody was to be asked",
    ]
    score_way: Annotated[str | None, "How the score came; a link beside a card may be answered instead of it"]
    agent_name: Annotated[
        str | None, "What people called the agent when the conversation ended; none where no name was given"
    ]
    team_name: Annotated[str | None, "What people called the team when the conversation ended"]
    question: Annotated[str | None, "X's question in its own words; a question page may have its own"]


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


def written(made: Callable[[Any], str], none: str, column: Sequence[Any]) -> list[str]:
    """Return what is made of a column whose values differ."""
    return [none if each is None else made(each) for each in column]


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
