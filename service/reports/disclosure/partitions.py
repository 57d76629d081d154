"""The partitions in their order: from the days' releases of a span that is over, the leaves its release tells.

    day       the account by days                                  (days.py)
    team      teams by weeks; small ones pooled as "other teams"
    agent     agents in their teams by four weeks; "others of the team", then "other teams"
    campaign, source, language, variant, way, hour   by four weeks, each for the account alone
    rest      by twelve weeks: those who were among "others of the team", by name where they have enough by now

Each is divided so that nothing follows from it together with those above it.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from service.reports.disclosure import store
from service.reports.disclosure.days import CONTEXTS, HOUR, ReleaseTerms
from service.reports.disclosure.divide import AlreadyTold, LabelOf, PlaceOf, RowOf, divided, leaves_of, mixtures
from service.reports.disclosure.frozen import Cell, answers
from service.reports.disclosure.pools import NOBODY, Label, Leaf, family
from service.reports.disclosure.store import Release

ELSEWHERE = "\0"
"""Begins the label of a leaf that is told already; no name of a team does."""


def _team(cell: Cell) -> Label:
    return (NOBODY if cell.hidden else cell.team,)


def _agent(cell: Cell) -> Label:
    return (NOBODY, NOBODY) if cell.hidden else (cell.team, cell.agent)


def _finest(cell: Cell) -> Hashable:
    """The day of a person: finer than every leaf of days, teams and agents, and of twelve weeks."""
    return cell.day, cell.team, cell.agent


def _of_context(name: str) -> LabelOf:
    return lambda cell: (cell.context(name),)


@dataclass(frozen=True, slots=True)
class Partition:
    """How answers are divided: over how many weeks, by what, and against which other partitions it is checked."""

    weeks: int
    label: LabelOf
    against: tuple[str, ...] = ()
    finest: RowOf | None = None
    """For contexts: what everything told of days, teams and agents is made of, to be held against all at once."""


def _table() -> Mapping[str, Partition]:
    found = {"team": Partition(1, _team), "agent": Partition(4, _agent, ("team",))}
    for name in CONTEXTS:
        found[name] = Partition(4, _of_context(name), tuple(found), _finest)
    found[HOUR] = Partition(4, _of_context(HOUR))  # every hour can meet everything: nothing to hold it against
    found[REST] = Partition(12, _agent, ("team", "agent"))
    return found


REST = "rest"
PARTITIONS = _table()
"""In the order in which they are closed."""


@dataclass(frozen=True, slots=True)
class Undivided:
    """The answers of some days, and what other partitions told of them."""

    cells: Sequence[Cell]
    others: Mapping[str, AlreadyTold]


def undivided(connection: Connection, terms: ReleaseTerms, name: str, days: Sequence[Release]) -> Undivided:
    """Read what the release of these days is made of. All of it is frozen, and the same tomorrow."""
    others = {each: _told(connection, terms, each, days) for each in PARTITIONS[name].against}
    return Undivided(answers(connection, days), others)


def leaves(terms: ReleaseTerms, name: str, found: Undivided) -> tuple[store.Leaf, ...]:
    """Return the leaves of the release; none if nothing more can be told. Reads nothing, and may take long."""
    partition, cells = PARTITIONS[name], found.cells
    if name == REST:
        return _rest(terms, cells, found.others)
    rows = {each: told.rows() for each, told in found.others.items()}
    against = () if name == HOUR else _against(cells, rows)
    pools = divided(cells, partition.label, terms.least, against, finest=partition.finest)
    return leaves_of(terms.series.type, cells, partition.label, pools)


def _against(cells: Sequence[Cell], rows: Mapping[str, PlaceOf]) -> Sequence[RowOf]:
    """Days and teams, mixed by week, then the others one by one."""
    if "team" not in rows:
        return (_day,)
    others = [row for name, row in rows.items() if name != "team"]
    return *mixtures(cells, rows["team"], (_day, rows["team"])), *others


def _day(cell: Cell) -> Hashable | None:
    return cell.day


def _told(connection: Connection, terms: ReleaseTerms, name: str, days: Sequence[Release]) -> AlreadyTold:
    """Return the releases of a partition that these days are in."""
    found = store.releases(connection, terms.series, name, days[0].first, days[-1].end)
    return AlreadyTold(found, days, PARTITIONS[name].label)


def _rest(terms: ReleaseTerms, cells: Sequence[Cell], others: Mapping[str, AlreadyTold]) -> tuple[store.Leaf, ...]:
    """Divide the pools of single teams again; every other leaf of agents stays as it is."""
    row = others["agent"].rows()
    places = {cell: place for cell in cells if (place := row(cell)) is not None}
    there = [*places]

    def label(cell: Cell) -> Label:
        release, (name, pooled) = places[cell]
        return _agent(cell) if pooled and name else (f"{ELSEWHERE}{release}", repr((name, pooled)))

    against = mixtures(there, row, (_day, others["team"].rows(), row))
    pools = divided(there, label, terms.least, against, _in_one_team)
    if ((), True) in pools.leaves:
        return ()  # a team's pools are too few together: closed under a lower threshold than today's
    return tuple(each for each in leaves_of(terms.series.type, there, label, pools) if _is_new(each.label))


def _in_one_team(one: Leaf, other: Leaf) -> bool:
    """Only those who would be named can be pooled again, within their team: at worst nothing new is told."""
    return family(one) == family(other) and _is_new(family(one)) and not (one[1] and other[1])


def _is_new(label: Label) -> bool:
    return bool(label) and not str(label[0]).startswith(ELSEWHERE)
