"""Cells in, what may be published out: the same rule for a summary, a breakdown and a trend.

Every figure is a sum of cells of one table, whose dimensions are those of the question (see `tables`). So what is
hidden does not depend on who asks for what: a filter publishes what the breakdown publishes, and total minus shown
gives nobody away. Pure: never reads a database, never formats.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from service.errors import Invalid
from service.reports.counting.cells import Cell, Dimension, Value
from service.reports.disclosure.covers import Cover, cover_of
from service.reports.disclosure.suppression import Group, Reason
from service.reports.disclosure.tables import (
    Dimensions,
    Key,
    Part,
    Question,
    Table,
    classed,
    hidden_of,
    is_chosen,
    name_of,
    tables_of,
)

__all__ = ["Part", "Question", "Selection", "along_dimension", "along_periods", "select"]

MOST_CONTEXTS = 3


@dataclass(frozen=True, slots=True)
class Selection:
    """A filtered figure, and the table it is a sum of."""

    whole: Part
    table: Table = field(default_factory=lambda: Table({}, {}))


def select(cells: Sequence[Cell], q: Question, known: Collection[Key] = ()) -> Selection:
    """Answer the figure as asked. `known`: cells that may have no answers; their zeros are protected too."""
    if len(q.contexts) > MOST_CONTEXTS:
        raise Invalid(
            "too_narrow", f"Figures take at most {MOST_CONTEXTS} of campaign, source, language, variant, hour."
        )
    cover = cover_of(cells, q.asked, q.thresholds)
    if cover is None:
        return Selection(Part(reason=Reason.TOO_FEW))
    tables = tables_of(cells, cover, q, known)
    return Selection(_chosen_sum(tables[q.filtered], q.filtered, cover, q), tables[q.dimensions])


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
    hidden = {name_of(begin) for begin in groups}
    if selection.whole.reason is None:
        those = [Group(name_of(at), classed(cells, q), released=at not in forced) for at, cells in groups.items()]
        hidden = hidden_of(those, q) | {name_of(at) for at in groups if _is_left_over(at, groups[at], selection.whole)}
    return {
        at: Part(reason=Reason.SUPPRESSED) if name_of(at) in hidden else Part(tuple(cells), selection.whole.cover)
        for at, cells in groups.items()
    }


def _is_left_over(begin: date, cells: Sequence[Cell], whole: Part) -> bool:
    """Whether a period looks empty only because its answers are in no whole release."""
    cover = whole.cover
    return not cells and cover is not None and cover.held and not cover.has(begin)


def _chosen_sum(table: Table, dimensions: Dimensions, cover: Cover, q: Question) -> Part:
    """The cells asked for; nothing, if one of them is hidden."""
    chosen = [part for key, part in table.parts.items() if is_chosen(key, dimensions, q.wanted)]
    if not chosen:  # a zero, which may be told only where nobody is hidden whom it would give away
        hides = any(part.reason for part in table.parts.values())
        return Part(cover=cover, reason=Reason.SUPPRESSED if hides else None)
    if any(part.reason for part in chosen):
        return Part(cover=cover, reason=_reason(q))
    joined = _joined(chosen)
    if 0 < joined.n < q.thresholds.score:
        return Part(cover=joined.cover, reason=Reason.TOO_FEW)
    return joined


def _reason(q: Question) -> Reason:
    """Nothing was asked about but a period: then it can only be too few. Otherwise which cell is small stays unsaid."""
    return Reason.TOO_FEW if not q.filtered else Reason.SUPPRESSED


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
            margins["total:" + name_of(key[:depth])].append(name_of(key))
    those = [Group(name_of(key), classed(cells, q)) for key, cells in groups.items()]
    return bool({name_of(key) for key in groups if q.is_chosen(key)} & hidden_of(those, q, margins))
