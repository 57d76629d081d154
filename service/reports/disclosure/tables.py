"""Tables of cells in, the same with the small cells hidden out: coarse tables first, fine ones under their totals.

A cell covers whole releases of its own. What those leave over (the rest) is never shown, but total minus shown tells
it, so it must be no handful either: then the oldest release goes with it. After that `suppression.protect` hides the
small cells and as many others as it takes. Pure: never reads a database.

What remains, said openly: in a two-way table (agents by source) the sum of several hidden cells can follow from other
totals and be a handful (2 of 900 small groups in forty random ledgers); no single cell did.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import combinations, product

from service.reports.counting.cells import PEOPLE, Cell, Dimension, Value, dimensions_of
from service.reports.disclosure.covers import ONE_DAY, Asked, Cover, Grain, cover_of
from service.reports.disclosure.suppression import Group, Reason, Thresholds, protect, week_of
from service.reports.rows.attribution import classes_of

Wanted = Mapping[Dimension, frozenset[Value]]
Dimensions = tuple[Dimension, ...]
Key = tuple[Value, ...]
Cells = tuple[Cell, ...]

MOST_IN_A_GRID = 800
REST = "\x1frest"


@dataclass(frozen=True, slots=True)
class Part:
    """What may be said of one group: its cells, or why not."""

    cells: Cells = ()
    cover: Cover | None = None
    reason: Reason | None = None

    @property
    def n(self) -> int:
        """Answers with a score."""
        return sum(cell.n for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Table:
    """What is shown of each cell, and all of them before any was hidden: to protect pieces of them, never to show."""

    parts: Mapping[Key, Part]
    raw: Mapping[Key, Cells]


@dataclass(frozen=True, slots=True)
class Question:
    """Everything a figure depends on but its cells."""

    kind: str
    dimensions: Dimensions
    wanted: Wanted
    asked: Asked
    thresholds: Thresholds

    @property
    def filtered(self) -> Dimensions:
        """The dimensions of the same question without its breakdown."""
        return dimensions_of(self.wanted, None)

    @property
    def people(self) -> Dimensions:
        """The dimensions that name people, with what they belong to."""
        return tuple(d for d in self.dimensions if d in PEOPLE)

    @property
    def contexts(self) -> Dimensions:
        """The others."""
        return tuple(d for d in self.dimensions if d not in PEOPLE)

    def is_chosen(self, key: Key) -> bool:
        """Whether the filter asks for this cell."""
        return is_chosen(key, self.dimensions, self.wanted)


def is_chosen(key: Key, dimensions: Dimensions, wanted: Wanted) -> bool:
    """Whether the filter asks for this cell."""
    return all(value in wanted[d] for d, value in zip(dimensions, key, strict=True) if d in wanted)


def tables_of(cells: Sequence[Cell], cover: Cover, q: Question, known: Collection[Key]) -> Mapping[Dimensions, Table]:
    """Return the question's table and all whose cells are totals of it, each protected under the ones before."""
    tables: dict[Dimensions, Table] = {}
    for dimensions in _coarse_to_fine(q):
        tables[dimensions] = _table(dimensions, cells, cover, q, tables, known)
    return tables


def hidden_of(groups: Sequence[Group], q: Question, margins: Mapping[str, Sequence[str]] | None = None) -> set[str]:
    """Return the names of the groups that may not be shown."""
    return {one.key for one in protect(groups, q.thresholds, margins) if not one.shown}


def classed(cells: Iterable[Cell], q: Question) -> tuple[int, ...]:
    """Answers by outcome class."""
    counts: Counter[int] = Counter()
    for cell in cells:
        counts[cell.score] += cell.n
    return classes_of(q.kind, counts)


def name_of(value: object) -> str:
    """Return a name for `suppression`, which knows groups by their text."""
    return repr(value)


def _coarse_to_fine(q: Question) -> Iterator[Dimensions]:
    """All tables whose cells are totals of the question's table, then that table itself."""
    for size in range(len(q.contexts) + 1):
        for depth in range(len(q.people) + 1):
            for contexts in combinations(q.contexts, size):
                yield q.people[:depth] + contexts


def _table(
    dimensions: Dimensions,
    cells: Sequence[Cell],
    cover: Cover,
    q: Question,
    coarser: Mapping[Dimensions, Table],
    known: Collection[Key],
) -> Table:
    everything = _grouped(cells, dimensions, q)
    keys = _keys(everything, dimensions, q, known)
    if keys is None:
        return _all_hidden(everything)
    first = cover.first if any(cell.day < cover.first for cell in cells) else date.min
    draft = _Draft(q, cover, first, week_of if "agent" in dimensions else None, everything)
    for key in keys:
        draft.put(key)
    totals = [(coarse, _by_total(coarse, dimensions, keys), table) for coarse, table in coarser.items()]
    totals = [each for each in totals if set(each[0]) < set(dimensions)]
    groups, margins = _with_totals(draft, totals, q)
    hidden = hidden_of(groups, q, margins)
    shown = {key: _judged(key, main, draft.rests[key], draft.covers[key], hidden) for key, main in draft.mains.items()}
    return Table(shown, draft.mains)


class _Draft:
    """A table on its way: each cell's releases (`mains`), and what they leave over (`rests`)."""

    def __init__(
        self,
        q: Question,
        cover: Cover,
        first: date,
        grain: Grain | None,
        everything: Mapping[Key, Sequence[Cell]],
    ) -> None:
        self._q, self._cover, self._first, self._grain, self._everything = q, cover, first, grain, everything
        self.mains: dict[Key, Cells] = {}
        self.rests: dict[Key, Cells] = {}
        self.covers: dict[Key, Cover | None] = {}

    def put(self, key: Key) -> None:
        """Divide a cell. A rest of a handful takes the oldest release with it; a cell of one release is all rest."""
        cover = self._divide(key, self._released(key, self._first))
        if cover is not None and self._handful(self.rests[key]):
            oldest = min((cell.day for cell in self.mains[key]), default=None)
            later = None if oldest is None else self._released(key, oldest + ONE_DAY)
            cover = self._divide(key, None if later is None else replace(later, held=True))
        if cover is not None and self._handful(self.mains[key]):
            cover = self._divide(key, None)
        self.covers[key] = cover

    def _released(self, key: Key, first: date) -> Cover | None:
        """The whole releases of a cell from a day on, within those of all."""
        whole = self._cover
        asked = Asked(first, whole.end or date.max, whole.end is None, self._q.asked.live)
        return cover_of(self._everything.get(key, ()), asked, self._q.thresholds, self._grain)

    def _divide(self, key: Key, cover: Cover | None) -> Cover | None:
        inside = [cell for cell in self._everything.get(key, ()) if self._cover.has(cell.day)]
        self.mains[key] = tuple(cell for cell in inside if cover is not None and cover.has(cell.day))
        self.rests[key] = tuple(cell for cell in inside if cover is None or not cover.has(cell.day))
        return cover

    def _handful(self, cells: Cells) -> bool:
        return 0 < _count(cells) < self._q.thresholds.score


def _judged(key: Key, main: Cells, rest: Cells, cover: Cover | None, hidden: Collection[str]) -> Part:
    if name_of(key) in hidden or (rest and not main):
        return Part(cover=cover, reason=Reason.SUPPRESSED)
    return Part(main, cover)


def _by_total(coarse: Dimensions, dimensions: Dimensions, keys: Iterable[Key]) -> Mapping[Key, list[Key]]:
    places = [dimensions.index(d) for d in coarse if d in dimensions]
    sums: dict[Key, list[Key]] = defaultdict(list)
    for key in keys:
        sums[tuple(key[place] for place in places)].append(key)
    return sums


def _with_totals(
    draft: _Draft, totals: Sequence[tuple[Dimensions, Mapping[Key, list[Key]], Table]], q: Question
) -> tuple[list[Group], dict[str, list[str]]]:
    """The cells, and for each coarser cell the sum it makes: published, or itself one of the hidden groups."""
    groups = []
    for key, main in draft.mains.items():
        shown = main or draft.rests[key]
        groups.append(Group(name_of(key), classed(shown, q), released=bool(main) or not shown))
    rests = {key: rest for key, rest in draft.rests.items() if rest and draft.mains[key]}
    groups += [Group(name_of(key) + REST, classed(rest, q)) for key, rest in rests.items()]
    margins: dict[str, list[str]] = {}
    for coarse, sums, table in totals:
        for total, parts in sums.items():
            name = f"{coarse}{name_of(total)}"
            margins[name] = [name_of(key) for key in parts] + [name_of(key) + REST for key in parts if key in rests]
            if total in table.parts and table.parts[total].reason is not None:
                cells = [cell for key in parts for cell in (*draft.mains[key], *draft.rests[key])]
                groups.append(Group(name, classed(cells, q), released=False))
    return groups, margins or {"": [group.key for group in groups]}


def _keys(
    everything: Mapping[Key, Sequence[Cell]], dimensions: Dimensions, q: Question, known: Collection[Key]
) -> list[Key] | None:
    """All cells, empty ones too: a zero can give a one away. None where there are more than can be protected."""
    places = [q.dimensions.index(d) for d in dimensions]
    found = {**dict.fromkeys(everything), **{tuple(key[place] for place in places): None for key in known}}
    depth = sum(d in PEOPLE for d in dimensions)
    if depth == len(dimensions) or not found:
        return list(found)
    people = dict.fromkeys(key[:depth] for key in found)
    contexts = dict.fromkeys(key[depth:] for key in found)
    if len(people) * len(contexts) > MOST_IN_A_GRID:
        return None
    return [one + other for one, other in product(people, contexts)]


def _all_hidden(everything: Mapping[Key, Sequence[Cell]]) -> Table:
    return Table({key: Part(reason=Reason.SUPPRESSED) for key in everything}, {})


def _grouped(cells: Iterable[Cell], dimensions: Dimensions, q: Question) -> dict[Key, list[Cell]]:
    places = [q.dimensions.index(d) for d in dimensions]
    groups: dict[Key, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[tuple(cell.values[place] for place in places)].append(cell)
    return groups


def _count(cells: Iterable[Cell]) -> int:
    return sum(cell.n for cell in cells)
