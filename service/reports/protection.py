"""Cells in, what may be published out: the same rule for a summary, a breakdown and a trend.

In this order: the period is shrunk to whole releases; groups of people are shrunk to their own; the small ones are
hidden with as many others as it takes; a filter publishes only what the breakdown along it publishes; and in the end
no score of fewer answers than the threshold leaves. Pure: never reads a database, never formats.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TypeVar

from service.reports.attribution import classes_of
from service.reports.cells import PEOPLE, Cell, Dimension, Value
from service.reports.suppression import Group, Reason, Thresholds, protect, release, selection_visible, week_of

Wanted = Mapping[Dimension, frozenset[Value]]
Grain = Callable[[date], date]
ONE_DAY = timedelta(days=1)
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Asked:
    """The period in whole days, [first, end). `open`: it has no end yet. `live`: there is no embargo."""

    first: date
    end: date
    open: bool
    live: bool


@dataclass(frozen=True, slots=True)
class Cover:
    """The days that are published, [first, end); `end` None: up to now. `held`: the asked period has more answers."""

    first: date
    end: date | None
    held: bool = False

    def has(self, day: date) -> bool:
        """Whether answers of this day are in."""
        return self.first <= day and (self.end is None or day < self.end)


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
class Selection:
    """A filtered figure, and the people in it where the question names people."""

    whole: Part
    people: Mapping[tuple[Value, ...], Part] = field(default_factory=dict)
    raw: Mapping[tuple[Value, ...], tuple[Cell, ...]] = field(default_factory=dict)
    """The people's cells before any was hidden: to protect pieces of them, never to show."""


@dataclass(frozen=True, slots=True)
class Question:
    """Everything a figure depends on but its cells."""

    kind: str
    dimensions: tuple[Dimension, ...]
    wanted: Wanted
    asked: Asked
    thresholds: Thresholds

    @property
    def people(self) -> tuple[Dimension, ...]:
        """The dimensions that name people, with what they belong to; empty if none is asked about."""
        return tuple(d for d in self.dimensions if d in PEOPLE) if "team" in self.dimensions else ()


def select(cells: Sequence[Cell], q: Question, known: Collection[tuple[Value, ...]] = ()) -> Selection:
    """Answer the figure as asked. `known`: people who may have no answers; their zeros are protected too."""
    others = [d for d in q.wanted if d not in q.people]
    base = [cell for cell in cells if _matches(cell, q, others)]
    cover = cover_of(base, q.asked, q.thresholds)
    if cover is None:
        return Selection(Part(reason=Reason.TOO_FEW if _inside(base, q.asked) else None))
    inside = [cell for cell in base if cover.has(cell.day)]
    if not q.people:
        return Selection(_checked(Part(tuple(inside), cover), cells, q, cover))
    raw, people = _people(base, inside, cover, q, known)
    return Selection(_checked(_sum_of(people, inside, cover, q), cells, q, cover), people, raw)


def along(
    selection: Selection,
    q: Question,
    key_of: Callable[[Cell], Key],
    known: Collection[Key] = (),
    forced: Collection[Key] = (),
) -> dict[Key, Part]:
    """Split what a selection publishes into groups, hiding small ones and those that would give them away."""
    groups: dict[Key, list[Cell]] = {key: [] for key in known}
    for cell in selection.whole.cells:
        groups.setdefault(key_of(cell), []).append(cell)
    hidden = {_name(key) for key in groups}
    if selection.whole.reason is None:
        hidden = _hidden({_name(key): part for key, part in groups.items()}, q, None, {_name(key) for key in forced})
    cover = selection.whole.cover
    return {
        key: Part(cover=cover, reason=Reason.SUPPRESSED) if _name(key) in hidden else Part(tuple(part), cover)
        for key, part in groups.items()
    }


def along_periods(
    selection: Selection, q: Question, begin_of: Callable[[date], date], known: Collection[date]
) -> dict[date, Part]:
    """Split by period. Where people are asked about, a period shows them only if its own breakdown would."""
    pieces: dict[date, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    names = {_name(key): key for key in selection.raw}
    for key, cells in selection.raw.items():
        for cell in cells:
            pieces[begin_of(cell.day)][_name(key)].append(cell)
    chosen = {name for name, key in names.items() if _chosen(key, q)}
    forced = []
    if any(d in q.wanted for d in q.people):
        forced = [at for at, groups in pieces.items() if chosen & _hidden(groups, q, _margins(groups, names, q))]
    return along(selection, q, lambda cell: begin_of(cell.day), known, forced)


def along_people(selection: Selection, q: Question, by: Dimension) -> dict[Value, Part]:
    """Split by agent or team: what is shown of each over its own releases. In several teams an agent is one row."""
    place = q.people.index(by)
    rows: dict[Value, list[Part]] = defaultdict(list)
    for key, part in selection.people.items():
        if _chosen(key, q):
            rows[key[place]].append(part)
    return {value: _joined(parts) for value, parts in rows.items()}


def cover_of(cells: Sequence[Cell], asked: Asked, thresholds: Thresholds, grain: Grain | None = None) -> Cover | None:
    """Shrink the asked period to whole releases of these cells; None if it holds none.

    Without an embargo a period that is still open takes in what has come since the last release. A period that ends
    earlier must then not end at that last release, or the two would differ by a handful.
    """
    answers = _per_day(cells)
    inside = [day for day, _ in answers if asked.first <= day < asked.end or (asked.open and day >= asked.first)]
    if not inside:
        return Cover(asked.first, None if asked.open else asked.end)
    if not asked.live:
        span = release(answers, asked.first, asked.end, thresholds, grain)
        return None if span is None else Cover(span.first, span.end, span.held)
    return _live_cover(answers, asked, thresholds, grain)


def _live_cover(
    answers: Sequence[tuple[date, int]], asked: Asked, thresholds: Thresholds, grain: Grain | None
) -> Cover | None:
    units = _per_unit(answers, grain) if grain else answers
    every = release(units, date.min, date.max, thresholds, grain)
    if every is None:
        return Cover(asked.first, None) if asked.open and asked.first <= answers[0][0] else None
    tail = any(day >= every.end for day, _ in units)
    latest = date.max
    if not asked.open:
        latest = min(asked.end, every.end - ONE_DAY) if tail else asked.end
    span = release(units, asked.first, latest, thresholds, grain)
    if span is None:
        return None
    cover = Cover(span.first, None if asked.open else span.end)
    return replace(cover, held=_left_out(answers, asked, cover))


def _per_unit(answers: Sequence[tuple[date, int]], grain: Grain) -> list[tuple[date, int]]:
    units: Counter[date] = Counter()
    for day, n in answers:
        units[grain(day)] += n
    return sorted(units.items())


def _left_out(answers: Sequence[tuple[date, int]], asked: Asked, cover: Cover) -> bool:
    period = Cover(asked.first, None if asked.open else asked.end)
    return any(n and period.has(day) and not cover.has(day) for day, n in answers)


def _people(
    base: Sequence[Cell], inside: Sequence[Cell], cover: Cover, q: Question, known: Collection[tuple[Value, ...]]
) -> tuple[Mapping[tuple[Value, ...], tuple[Cell, ...]], Mapping[tuple[Value, ...], Part]]:
    """Each group of people over its own releases, protected against each other and the totals around them."""
    grain = week_of if "agent" in q.people else None
    earlier = any(cell.day < cover.first for cell in base)
    first = cover.first if earlier else date.min  # a week that began before the first answer is not cut by that
    asked = Asked(first, cover.end or date.max, cover.end is None, q.asked.live)
    mains: dict[tuple[Value, ...], Part] = {}
    groups: dict[str, list[Cell]] = {}
    names: dict[str, tuple[Value, ...]] = {}
    everything, here = _by_people(base, q), _by_people(inside, q)
    for key in {**here, **dict.fromkeys(known)}:
        own = here.get(key, [])
        its = cover_of(everything.get(key, []), asked, q.thresholds, grain)
        main = tuple(cell for cell in own if its is not None and its.has(cell.day))
        mains[key] = Part(main, its, Reason.SUPPRESSED if own and not main else None)
        names[_name(key)] = key
        groups[_name(key)] = list(main)
        rest = [cell for cell in own if its is None or not its.has(cell.day)]
        if rest:
            groups[_name(key) + REST] = rest
    hidden = _hidden(groups, q, _margins(groups, names, q))
    shown = {
        key: Part(cover=part.cover, reason=Reason.SUPPRESSED) if _name(key) in hidden else part
        for key, part in mains.items()
    }
    return {key: part.cells for key, part in mains.items()}, shown


REST = "\x1frest"  # answers of a group that no release of its own holds yet: counted, never shown


def _margins(
    groups: Mapping[str, Sequence[Cell]], names: Mapping[str, tuple[Value, ...]], q: Question
) -> dict[str, list[str]]:
    """The totals that are published around people: all, each account, each team."""
    margins: dict[str, list[str]] = defaultdict(list)
    for name in groups:
        key = names[name.removesuffix(REST)]
        for depth in range(len(q.people)):
            margins["total:" + _name(key[:depth])].append(name)
    return margins


def _hidden(
    groups: Mapping[str, Sequence[Cell]],
    q: Question,
    margins: Mapping[str, Sequence[str]] | None = None,
    forced: Collection[str] = (),
) -> set[str]:
    classed = [
        Group(name, classes_of(q.kind, _scores(cells)), released=not name.endswith(REST) and name not in forced)
        for name, cells in groups.items()
    ]
    return {one.key for one in protect(classed, q.thresholds, margins) if not one.shown}


def _sum_of(people: Mapping[tuple[Value, ...], Part], inside: Sequence[Cell], cover: Cover, q: Question) -> Part:
    """The people asked for; everybody, if none is named."""
    if not any(d in q.wanted for d in q.people):
        return Part(tuple(inside), cover)
    return _joined([part for key, part in people.items() if _chosen(key, q)])


def _joined(parts: Sequence[Part]) -> Part:
    """Several groups as one: what is shown of them; hidden where nothing is."""
    shown = [part for part in parts if part.reason is None and part.cells]
    if not shown:
        return Part(reason=next((part.reason for part in parts if part.reason), None))
    covers = [part.cover for part in shown if part.cover is not None]
    ends = [cover.end for cover in covers]
    held = len(shown) < len(parts) or any(cover.held for cover in covers)
    last = None if None in ends else max(end for end in ends if end is not None)
    return Part(tuple(cell for part in shown for cell in part.cells), Cover(min(c.first for c in covers), last, held))


def _checked(part: Part, cells: Sequence[Cell], q: Question, cover: Cover) -> Part:
    """Hold a selection against the breakdown along each of its filters, and against the threshold."""
    if part.reason is not None:
        return part
    if 0 < part.n < q.thresholds.score:
        return Part(cover=part.cover, reason=Reason.TOO_FEW)
    for dimension in q.wanted:
        if dimension not in q.people and not _filter_is_safe(cells, q, dimension, cover):
            return Part(cover=part.cover, reason=Reason.DIFFERENCE)
    return part


def _filter_is_safe(cells: Sequence[Cell], q: Question, dimension: Dimension, cover: Cover) -> bool:
    rest = [d for d in q.wanted if d != dimension]
    groups: dict[Value, list[Cell]] = defaultdict(list)
    place = q.dimensions.index(dimension)
    for cell in cells:
        if cover.has(cell.day) and _matches(cell, q, rest):
            groups[cell.values[place]].append(cell)
    if not groups:
        return True
    classed = [Group(_name(value), classes_of(q.kind, _scores(own))) for value, own in groups.items()]
    chosen = {_name(value) for value in groups if value in q.wanted[dimension]}
    return selection_visible(classed, chosen, q.thresholds)


def _matches(cell: Cell, q: Question, dimensions: Iterable[Dimension]) -> bool:
    return all(cell.values[q.dimensions.index(d)] in q.wanted[d] for d in dimensions)


def is_chosen(key: tuple[Value, ...], people: tuple[Dimension, ...], wanted: Wanted) -> bool:
    """Whether the filter asks for these people."""
    return all(value in wanted[d] for d, value in zip(people, key, strict=True) if d in wanted)


def _chosen(key: tuple[Value, ...], q: Question) -> bool:
    return is_chosen(key, q.people, q.wanted)


def _by_people(cells: Iterable[Cell], q: Question) -> dict[tuple[Value, ...], list[Cell]]:
    places = [q.dimensions.index(d) for d in q.people]
    groups: dict[tuple[Value, ...], list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[tuple(cell.values[place] for place in places)].append(cell)
    return groups


def _inside(cells: Iterable[Cell], asked: Asked) -> bool:
    return any(asked.first <= cell.day and (asked.open or cell.day < asked.end) for cell in cells)


def _per_day(cells: Iterable[Cell]) -> list[tuple[date, int]]:
    days: Counter[date] = Counter()
    for cell in cells:
        days[cell.day] += cell.n
    return sorted(days.items())


def _scores(cells: Iterable[Cell]) -> Counter[int]:
    counts: Counter[int] = Counter()
    for cell in cells:
        counts[cell.score] += cell.n
    return counts


def _name(value: object) -> str:
    return repr(value)
