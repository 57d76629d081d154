"""A question to the counts and the shape of its answer, whether from roll-ups or from the ledger."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from service.reports.dimensions import NAMED, Value, is_among

Chosen = Mapping[str, Collection[Value]]
"""The groups asked for in each dimension."""

Wanted = Literal["everything", "scores", "work"]


@dataclass(frozen=True, slots=True)
class QuestionForm:
    """What the statement for a question is written from. Its values are parameters: `Slice.values`.

    A page asks a dozen questions, and to write their statements anew would take longer than to answer them.
    """

    clock: str
    zone: ZoneInfo
    by: tuple[str, ...]
    chosen: tuple[tuple[str, bool], ...]  # the dimensions, and whether what is in none of their groups is asked for too
    typed: bool
    since: bool
    until: bool
    dated: bool
    wanted: Wanted

    def narrowed(self, columns: Any) -> Iterator[sa.ColumnElement[bool]]:
        """As SQL: conversations of the kinds and groups asked for. `columns`: by a dimension's name, and `type`."""
        if self.typed:
            yield columns["type"].in_(several("types", columns["type"]))
        for name, without in self.chosen:
            yield is_among(columns[name], several(f"of_{name}", columns[name]), without=without)


def several(name: str, column: sa.ColumnElement[Any]) -> sa.BindParameter[Any]:
    """As SQL: values of this column that are given with each call."""
    return sa.bindparam(name, expanding=True, type_=column.type)


@dataclass(frozen=True, slots=True)
class Slice:
    """Conversations whose moment on `clock` is in [since, until), of the groups `chosen`, grouped `by` dimensions.

    `daily` also groups by day; `monthly` at least by month. `wanted`: what a line must tell at least; only the scores,
    or only outcomes and how many answered, costs less than everything.
    """

    clock: str
    zone: ZoneInfo
    since: datetime | None = None
    until: datetime | None = None
    by: tuple[str, ...] = ()
    chosen: Chosen = field(default_factory=dict)
    types: tuple[str, ...] = ()
    daily: bool = False
    monthly: bool = False
    wanted: Wanted = "everything"

    @property
    def dimensions(self) -> tuple[str, ...]:
        """All that must be told apart to answer it."""
        return tuple(dict.fromkeys((*self.by, *self.chosen)))

    @property
    def form(self) -> QuestionForm:
        """The question without its values."""
        chosen = tuple((name, None in values) for name, values in self.chosen.items())
        told = (bool(self.types), self.since is not None, self.until is not None, self.daily or self.monthly)
        return QuestionForm(self.clock, self.zone, self.by, chosen, *told, self.wanted)

    @property
    def values(self) -> dict[str, Any]:
        """The values without the question."""
        chosen = {f"of_{name}": NAMED[name].named(values) for name, values in self.chosen.items()}
        return {"since": self.since, "until": self.until, "types": self.types, **chosen}


@dataclass(frozen=True, slots=True)
class Line:
    """One group. `values` are aligned with `by`; `day`, in days since 1970, is its day or its month's first day."""

    values: tuple[Value, ...]
    day: int | None
    type: str | None
    variant: int | None
    way: str | None
    state: str
    reason: str | None
    n: int
    answered: int
    commented: int
    scores: tuple[int, ...]  # answers with the score 0, 1 … 10; of the roll-ups' work alone: their sum
