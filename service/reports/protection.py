"""Cells in, what may be published out: the same rule for a summary, a breakdown and a trend.

Every figure is a sum of cells of one table, whose dimensions are those of the question. A table is protected together
with all coarser ones (its totals are their cells), coarse before fine, so that what is hidden does not depend on who
asks for what: a filter publishes what the breakdown publishes, and total minus shown gives nobody away. Each cell
covers whole releases of its own (see `covers`). Pure: never reads a database, never formats.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import combinations, product
from typing import TypeVar

from service.errors import Invalid
from service.reports.attribution import classes_of
from service.reports.cells import PEOPLE, Cell, Dimension, Value
from service.reports.covers import Asked, Cover, cover_of
from service.reports.suppression import Group, Reason, Thresholds, protect, week_of

Wanted = Mapping[Dimension, frozenset[Value]]
Dimensions = tuple[Dimension, ...]
Key = tuple[Value, ...]
Piece = TypeVar("Piece", bound=Hashable)

MOST_CONTEXTS = 3
MOST_IN_A_GRID = 800
REST = "\x1frest"  # answers of a cell that no release of its own holds yet: counted, never shown


@dataclass(frozen=True, slots=True)
class Part:
    """What may be said of one group: its cells, or why not."""

    cells: tuple[Cell, ...] = ()
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
    raw: Mapping[Key, tuple[Cell, ...]]
    rests: Mapping[Key, tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Selection:
    """A filtered figure, and the table it is a sum of."""

    whole: Part
    table: Table = field(default_factory=lambda: Table({}, {}, {}))


@dataclass(frozen=True, slots=True)
class Question:
    """Everything a figure depends on but its cells."""

    kind: str
    dimensions: Dimensions
    wanted: Wanted
    asked: Asked
    thresholds: Thresholds

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


def select(cells: Sequence[Cell], q: Question, known: Collection[Key] = ()) -> Selection:
    """Answer the figure as asked. `known`: cells that may have no answers; their zeros are protected too."""
    if len(q.contexts) > MOST_CONTEXTS:
        raise Invalid(
            "too_narrow", f"Figures take at most {MOST_CONTEXTS} of campaign, source, language, variant, hour."
        )
    cover = cover_of(cells, q.asked, q.thresholds)
    if cover is None:
        return Selection(Part(reason=Reason.TOO_FEW))
    tables: dict[Dimensions, Table] = {}
    for dimensions in _coarse_to_fine(q):
        tables[dimensions] = _table(dimensions, cells, cover, q, tables, known)
    table = tables[q.dimensions]
    return Selection(_chosen_sum(table, cover, q), table)


def along_dimension(selection: Selection, q: Question, by: Dimension) -> dict[Value, Part]:
    """Split by one dimension of the table: what is shown of the cells that are asked for."""
    place = q.dimensions.index(by)
    rows: dict[Value, list[Part]] = defaultdict(list)
    for key, part in selection.table.parts.items():
        if q.is_chosen(key):
            rows[key[place]].append(part)
    return {value: _joined(parts) for value, parts in rows.items()}


def along_periods(
    selection: Selection, q: Question, begin_of: Callable[[date], date], known: Collection[date]
) -> dict[date, Part]:
    """Split by period. A period of a filtered figure is shown only if its own breakdown would show it."""
    forced: set[date] = set()
    if any(d in q.wanted for d in q.dimensions):
        forced = {at for at, table in _by_period(selection.table, begin_of).items() if _hides_chosen(table, q)}
    groups: dict[date, list[Cell]] = {begin: [] for begin in known}
    for cell in selection.whole.cells:
        groups.setdefault(begin_of(cell.day), []).append(cell)
    hidden = {_name(begin) for begin in groups}
    if selection.whole.reason is None:
        classed = [Group(_name(at), _classes(cells, q), released=at not in forced) for at, cells in groups.items()]
        hidden = _hidden(classed, q)
    return {
        at: Part(reason=Reason.SUPPRESSED) if _name(at) in hidden else Part(tuple(cells), selection.whole.cover)
        for at, cells in groups.items()
    }


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
    """Each cell over its own releases, protected against the others and every total around them."""
    everything = _grouped(cells, dimensions, q)
    keys = _keys(everything, dimensions, q, known)
    if keys is None:
        return _all_hidden(everything)
    covers = _covers(everything, keys, cells, cover, "agent" in dimensions, q)
    mains, rests = {}, {}
    for key in keys:
        inside = [cell for cell in everything.get(key, ()) if cover.has(cell.day)]
        mine = covers[key]
        mains[key] = tuple(cell for cell in inside if mine is not None and mine.has(cell.day))
        rests[key] = tuple(cell for cell in inside if mine is None or not mine.has(cell.day))
    groups, margins = _with_totals(dimensions, mains, rests, q, coarser)
    hidden = _hidden(groups, q, margins)
    parts = {key: _judged(key, mains[key], rests[key], covers[key], hidden) for key in mains}
    return Table(parts, mains, rests)


def _judged(
    key: Key, main: tuple[Cell, ...], rest: tuple[Cell, ...], cover: Cover | None, hidden: Collection[str]
) -> Part:
    if _name(key) in hidden or (rest and not main):
        return Part(cover=cover, reason=Reason.SUPPRESSED)
    return Part(main, cover)


def _with_totals(
    dimensions: Dimensions,
    mains: Mapping[Key, tuple[Cell, ...]],
    rests: Mapping[Key, tuple[Cell, ...]],
    q: Question,
    coarser: Mapping[Dimensions, Table],
) -> tuple[list[Group], dict[str, list[str]]]:
    """The cells, and for each coarser cell the sum it makes: published, or itself one of the hidden groups."""
    groups = [Group(_name(key), _classes(main, q)) for key, main in mains.items()]
    groups += [Group(_name(key) + REST, _classes(rest, q), released=False) for key, rest in rests.items() if rest]
    margins: dict[str, list[str]] = {}
    for coarse, table in coarser.items():
        if not set(coarse) < set(dimensions):
            continue
        places = [dimensions.index(d) for d in coarse]
        sums: dict[Key, list[Key]] = defaultdict(list)
        for key in mains:
            sums[tuple(key[place] for place in places)].append(key)
        for total, parts in sums.items():
            name = f"{coarse}{_name(total)}"
            margins[name] = [_name(key) for key in parts] + [_name(key) + REST for key in parts if rests[key]]
            if total in table.parts and table.parts[total].reason is not None:
                cells = [cell for key in parts for cell in (*mains[key], *rests[key])]
                groups.append(Group(name, _classes(cells, q), released=False))
    return groups, margins or {"": [group.key for group in groups]}


def _covers(
    everything: Mapping[Key, Sequence[Cell]],
    keys: Iterable[Key],
    cells: Sequence[Cell],
    cover: Cover,
    by_week: bool,  # noqa: FBT001 - one of two grains
    q: Question,
) -> dict[Key, Cover | None]:
    """The releases of each cell within those of the whole. Weeks that began before the first answer are not cut."""
    first = cover.first if any(cell.day < cover.first for cell in cells) else date.min
    asked = Asked(first, cover.end or date.max, cover.end is None, q.asked.live)
    grain = week_of if by_week else None
    return {key: cover_of(everything.get(key, ()), asked, q.thresholds, grain) for key in keys}


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
    return Table({key: Part(reason=Reason.SUPPRESSED) for key in everything}, {}, {})


def _chosen_sum(table: Table, cover: Cover, q: Question) -> Part:
    """The cells asked for; nothing, if one of them is hidden."""
    chosen = [part for key, part in table.parts.items() if q.is_chosen(key)]
    if not chosen:  # a zero, which may be told only where nobody is hidden whom it would give away
        hides = any(part.reason for part in table.parts.values())
        return Part(cover=cover, reason=Reason.SUPPRESSED if hides else None)
    if any(part.reason for part in chosen):
        return Part(cover=cover, reason=_reason(chosen, q))
    joined = _joined(chosen)
    if 0 < joined.n < q.thresholds.score:
        return Part(cover=joined.cover, reason=Reason.TOO_FEW)
    return joined


def _reason(chosen: Sequence[Part], q: Question) -> Reason:
    """Nothing was asked about but a period: then it can only be too few. Otherwise which cell is small stays unsaid."""
    return Reason.TOO_FEW if len(chosen) == 1 and not q.dimensions else Reason.SUPPRESSED


def _joined(parts: Sequence[Part]) -> Part:
    """Several cells as one: what is shown of them; hidden where nothing is."""
    shown = [part for part in parts if part.reason is None and part.cells]
    if not shown:
        cover = next((part.cover for part in parts if part.cover is not None), None)
        return Part(cover=cover, reason=next((part.reason for part in parts if part.reason), None))
    covers = [part.cover for part in shown if part.cover is not None]
    ends = [cover.end for cover in covers]
    held = any(part.reason for part in parts) or any(cover.held for cover in covers)
    last = None if None in ends else max(end for end in ends if end is not None)
    return Part(tuple(cell for part in shown for cell in part.cells), Cover(min(c.first for c in covers), last, held))


def _by_period(table: Table, begin_of: Callable[[date], date]) -> dict[date, dict[Key, list[Cell]]]:
    periods: dict[date, dict[Key, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for key, cells in table.raw.items():
        for cell in cells:
            periods[begin_of(cell.day)][key].append(cell)
    return periods


def _hides_chosen(groups: Mapping[Key, Sequence[Cell]], q: Question) -> bool:
    margins: dict[str, list[str]] = defaultdict(list)
    for key in groups:
        for depth in range(len(q.people) + 1):
            margins["total:" + _name(key[:depth])].append(_name(key))
    classed = [Group(_name(key), _classes(cells, q)) for key, cells in groups.items()]
    return bool({_name(key) for key in groups if q.is_chosen(key)} & _hidden(classed, q, margins))


def _hidden(groups: Sequence[Group], q: Question, margins: Mapping[str, Sequence[str]] | None = None) -> set[str]:
    return {one.key for one in protect(groups, q.thresholds, margins) if not one.shown}


def _classes(cells: Iterable[Cell], q: Question) -> tuple[int, ...]:
    counts: Counter[int] = Counter()
    for cell in cells:
        counts[cell.score] += cell.n
    return classes_of(q.kind, counts)


def _grouped(cells: Iterable[Cell], dimensions: Dimensions, q: Question) -> dict[Key, list[Cell]]:
    places = [q.dimensions.index(d) for d in dimensions]
    groups: dict[Key, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[tuple(cell.values[place] for place in places)].append(cell)
    return groups


def _name(value: object) -> str:
    return repr(value)
