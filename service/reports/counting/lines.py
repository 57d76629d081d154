"""A question to the counts and the shape of its answer, whether from roll-ups or from the ledger."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from service.reports.dimensions import Value

Chosen = Mapping[str, Collection[Value]]
"""The groups asked for in each dimension."""


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
    wanted: Literal["everything", "scores", "work"] = "everything"

    @property
    def dimensions(self) -> tuple[str, ...]:
        """All that must be told apart to answer it."""
        return tuple(dict.fromkeys((*self.by, *self.chosen)))


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
