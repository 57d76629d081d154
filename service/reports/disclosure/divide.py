"""Divides answers into the leaves of one partition, so that no small group follows from all partitions together.

Why this holds. Take any sum of releases, day + (team, week) + (agent, four weeks), that is 0 or 1 on every cell not
known to be empty. Readers learn of empty cells only by the same leaves, so within a week and team every day can meet
every agent; and if two parts of the sum both vary, it takes three values. So one of them is constant. The sum therefore
splits into whole days of a week and a piece of two neighbouring partitions, whose table has holes only because agents
belong to teams (`cuts` finds what those reveal). A context meets everything, and is a part of its own.

More is tried than readers are told: somebody may know for every agent, campaign and so on, on which days it had answers
and on which it had none. `against`: no two-way table with these leaves reveals a handful, neither with one partition
nor with days in some weeks and teams in others (`mixtures`). `finest`: groups add nothing to any combination of days
and people, because none of them can be set apart by a handful of answers (`cuts.small_split`).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product

from service.reports.disclosure import store
from service.reports.disclosure.cuts import small_cut, small_split
from service.reports.disclosure.frozen import Cell, classes
from service.reports.disclosure.pools import Label, Leaf, Pools, family, nearest
from service.reports.disclosure.store import Release

LabelOf = Callable[[Cell], Label]
RowOf = Callable[[Cell], Hashable | None]
MOST_TRIED = 40
"""Pairs of leaves tried before a leaf is simply joined with the next one."""
Joinable = Callable[[Leaf, Leaf], bool]
"""Whether two leaves may be joined; of a leaf with itself: whether it may be joined with any."""
Place = tuple[int, Leaf]
"""A release and a leaf of it."""
PlaceOf = Callable[[Cell], Place | None]


@dataclass(frozen=True, slots=True)
class AlreadyTold:
    """Releases of another partition that are already told: which of its leaves a cell is in."""

    of: Sequence[Release]
    days: Sequence[Release]
    label: LabelOf

    def rows(self) -> PlaceOf:
        """Return the leaf of each cell; None for a cell in none, which is known to have no answers."""
        spans = {day.id: each for each in self.of for day in self.days if each.first <= day.first < each.end}
        leaves = {each.id: {(leaf.label, leaf.pooled) for leaf in each.leaves} for each in self.of}

        def row(cell: Cell) -> Place | None:
            release, label = spans.get(cell.day), self.label(cell)
            if release is None:
                return None
            found = nearest(label, leaves[release.id])
            return None if found is None else (release.id, found)

        return row


def mixtures(cells: Iterable[Cell], span: PlaceOf, rows: Sequence[RowOf]) -> tuple[RowOf, ...]:
    """Return every way to divide each span by one of these rows: some weeks by days, say, and some by teams.

    A third partition may be subtracted from what two tell together. `span` says which release a cell is in.
    """
    of = {cell.day: place[0] for cell in cells if (place := span(cell)) is not None}
    spans = sorted(set(of.values()))
    return tuple(_mixed(of, dict(zip(spans, each, strict=True))) for each in product(rows, repeat=len(spans)))


def _mixed(of: Mapping[int, int], by: Mapping[int, RowOf]) -> RowOf:
    return lambda cell: by[of[cell.day]](cell) if cell.day in of else None


def divided(
    cells: Sequence[Cell],
    label: LabelOf,
    least: int,
    against: Sequence[RowOf],
    joinable: Joinable = lambda _one, _other: True,
    finest: RowOf | None = None,
) -> Pools:
    """Return the leaves of a partition: enough answers in each, and nothing that follows from those already told."""
    sizes: Counter[Label] = Counter()
    for cell in cells:
        if cell.n:
            sizes[label(cell)] += cell.n
    pools = Pools(sizes, least)
    while (leaf := _told_by(cells, label, pools, least, against, finest)) is not None:
        better = (pools.joined(one, other) for one, other in pools.pairs(leaf) if joinable(one, other))
        for tried in islice(better, MOST_TRIED):
            now = _told_by(cells, label, tried, least, against, finest)
            if now is None or family(now) not in {family(leaf), ()}:
                pools = tried
                break
        else:
            if not _coarsened(pools, leaf, joinable):
                break
    return pools


def _coarsened(pools: Pools, leaf: Leaf, joinable: Joinable) -> bool:
    """Join a leaf that may be joined, this one or the smallest; False if there is none."""
    those = [leaf, *sorted(pools.leaves, key=lambda each: (pools.leaves[each], repr(each)))]
    return any(joinable(each, each) and pools.coarsen(each) for each in those)


def _told_by(
    cells: Sequence[Cell], label: LabelOf, pools: Pools, least: int, against: Sequence[RowOf], finest: RowOf | None
) -> Leaf | None:
    """A leaf next to a small set that follows from these leaves and another partition, or all of people at once."""
    for row in against:
        if (found := small_cut(_table(cells, label, pools, row), least)) is not None:
            return _leaf(found[1])
    if finest is None:
        return None
    turned = {(leaf, row): n for (row, leaf), n in _table(cells, label, pools, finest).items()}
    apart = small_split(turned, least)
    return None if apart is None else _leaf(apart)


def _table(cells: Iterable[Cell], label: LabelOf, pools: Pools, row: RowOf) -> dict[tuple[Hashable, Hashable], int]:
    table: dict[tuple[Hashable, Hashable], int] = defaultdict(int)
    for cell in cells:
        there, leaf = row(cell), pools.leaf_of(label(cell))
        if there is not None and leaf is not None:
            table[there, ("leaf", *leaf)] += cell.n
    return table


def _leaf(column: Hashable) -> Leaf:
    named: tuple[str, Label, bool] = column  # type: ignore[assignment]
    return named[1], named[2]


def leaves_of(kind: str, cells: Iterable[Cell], label: LabelOf, pools: Pools) -> tuple[store.Leaf, ...]:
    """Return each leaf with its answers by class, in an order that reveals nothing."""
    groups: Mapping[Leaf, list[Cell]] = defaultdict(list)
    for cell in cells:
        leaf = pools.leaf_of(label(cell))
        if cell.n and leaf is not None:
            groups[leaf].append(cell)
    return tuple(store.Leaf(*leaf, classes(kind, groups[leaf])) for leaf in sorted(groups, key=repr))
