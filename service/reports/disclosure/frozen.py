"""What weekly and later releases are made of: in, days' releases; out, their answers as frozen, and who was at work.

Who was at work (had a card sent on a day) is asked because a reader may know the rota: a group that could not have
answers in a release is a known zero there, and zeros are what subtraction needs. Never shows any of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import feedback_request, release_cell
from service.reports.counting.zones import day_of, local_day
from service.reports.disclosure.days import CONTEXTS, Ground
from service.reports.disclosure.spans import ONE_DAY, midnight
from service.reports.disclosure.store import Release
from service.reports.statistics.statistics import csat_classes, nps_classes

f = feedback_request.c
c = release_cell.c


@dataclass(frozen=True, slots=True)
class Cell:
    """So many answers of a day's release with these values; n = 0: there could have been some."""

    day: int
    team: str | None
    agent: str | None
    contexts: tuple[tuple[str, str | int | None], ...]
    score: int
    n: int

    def context(self, name: str) -> str | int | None:
        """Return the value of a context."""
        return dict(self.contexts).get(name)


def answers(connection: Connection, days: Sequence[Release]) -> list[Cell]:
    """Return the frozen answers of these days' releases."""
    query = sa.select(release_cell).where(c.release_id.in_([day.id for day in days]))
    return [
        Cell(row.release_id, row.team_id, row.agent_id, tuple(row.contexts.items()), row.score, row.n)
        for row in connection.execute(query)
    ]


def at_work(connection: Connection, ground: Ground, days: Sequence[Release]) -> list[Cell]:
    """Return who had a card sent, under which contexts, on the days of each release: cells without answers."""
    sent = local_day(f.card_sent_at, ground.zone).label("day")
    query = sa.select(sent, f.team_id, f.agent_id, *CONTEXTS.values()).distinct()
    period = (
        f.account == ground.who.account,
        f.type == ground.who.type,
        f.card_sent_at >= midnight(days[0].first, ground.zone),
        f.card_sent_at < midnight(days[-1].end, ground.zone),
        f.test.is_(False),
    )
    numbers = {day.toordinal(): each.id for each in days for day in _days_of(each)}
    found = []
    for day, team, agent, *values in connection.execute(query.where(*period)):
        number = numbers.get(day_of(day).toordinal())
        if number is not None:
            found.append(Cell(number, team, agent, tuple(zip(CONTEXTS, values, strict=True)), 0, 0))
    return found


def classes(kind: str, cells: Iterable[Cell]) -> dict[str, int]:
    """Return answers by outcome class, as releases of groups tell them."""
    counts: dict[int, int] = {}
    for cell in cells:
        counts[cell.score] = counts.get(cell.score, 0) + cell.n
    found: Sequence[int] = nps_classes(counts) if kind == "nps" else csat_classes(counts)
    return {f"c{i}": n for i, n in enumerate(found)}


def forget(connection: Connection, days: Sequence[Release]) -> None:
    """Remove the cells of releases that no later one will be made of."""
    connection.execute(sa.delete(release_cell).where(c.release_id.in_([day.id for day in days])))


def _days_of(release: Release) -> Iterable[Any]:
    day = release.first
    while day < release.end:
        yield day
        day += ONE_DAY
