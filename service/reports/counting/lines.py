"""What is asked of the counts, and what comes back, whether from the roll-ups or from the ledger. Decides nothing."""

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
    """Conversations with a moment on `clock` in [since, until), of the groups `chosen`, told apart `by` dimensions.

    `daily` tells the days apart as well; `monthly` at least the months. `wanted`: what a line must tell at least:
    only the scores, or only what became of conversations and how many answered, costs less than everything.
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
    """One group. `values` are aligned with `by`; `day`, in days since 1970, is its day or the first of its month."""

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
