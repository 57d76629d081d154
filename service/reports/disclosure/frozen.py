"""The days' releases that weekly and later releases are made of, with their answers as frozen. Shows nothing.

Answers whose rows did not say whose they are on that day are nobody's in every release: who lists rows knows all the
others, and would subtract them.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import release_cell
from service.reports.disclosure.store import Release
from service.reports.statistics.statistics import classes_of

rc = release_cell.c
HIDDEN_THEN = "hidden"
"""Beside the contexts of a cell: whether its answers were of somebody who was not named on that day."""


@dataclass(frozen=True, slots=True)
class Cell:
    """So many answers of a day's release with these values. `hidden`: no group of people may have them."""

    day: int
    team: str | None
    agent: str | None
    contexts: tuple[tuple[str, str | int | None], ...]
    score: int
    n: int
    hidden: bool = False

    def context(self, name: str) -> str | int | None:
        """Return the value of a context."""
        return dict(self.contexts).get(name)


def answers(connection: Connection, days: Sequence[Release]) -> list[Cell]:
    """Return the frozen answers of these days' releases."""
    query = sa.select(release_cell).where(rc.release_id.in_([day.id for day in days]))
    return [
        Cell(row.release_id, row.team_id, row.agent_id, tuple(row.contexts.items()), row.score, row.n,
             hidden=bool(row.contexts.get(HIDDEN_THEN)))
        for row in connection.execute(query)
    ]  # fmt: skip


def classes(kind: str, cells: Iterable[Cell]) -> dict[str, int]:
    """Return answers by outcome class, as releases of groups tell them."""
    counts: Counter[int] = Counter()
    for cell in cells:
        counts[cell.score] += cell.n
    return {f"c{i}": n for i, n in enumerate(classes_of(kind, counts))}


def forget(connection: Connection, days: Sequence[Release]) -> None:
    """Delete the cells of releases that no later one needs."""
    connection.execute(sa.delete(release_cell).where(rc.release_id.in_([day.id for day in days])))
