"""What the filter bar offers to choose from: the names of each dimension with few enough of them.

Those of all ended conversations, whatever the period: names that came and went with it would tell who worked when.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from service.reports.counting.lines import Line, Slice
from service.reports.counting.live import lines
from service.reports.dashboard.names import CODED, group_name
from service.reports.dashboard.question import WITHOUT
from service.reports.days import midnight
from service.reports.dimensions import FILTERED, NAMED, Dimension, Value
from service.reports.disclosure import work
from service.reports.disclosure.conversations import covered_people
from service.reports.disclosure.spans import over_at, span_of
from service.reports.figures.inquiry import LEDGER, NOT_NAMED, Inquiry, asking
from service.reports.figures.labels import labels
from service.reports.figures.released import TOLD
from service.reports.filters import Filter
from service.reports.report_query import ReportQuery

MOST_CHOICES = 1000


@dataclass(frozen=True, slots=True)
class Facet:
    """What one can choose from in one dimension, `(none)` included."""

    parameter: str
    label: str
    options: tuple[str, ...]
    called: Mapping[str, str] = field(default_factory=dict)  # what people call an option, where it is an id
    more: int = 0  # names there is no room for


def choices(query: ReportQuery) -> tuple[Facet, ...]:
    """Return the names to choose from.

    A new name would give away whose the new row is: so readers of rows see the people whom rows name, others those whom
    coverage has named, and only dimensions they are told groups of.
    """
    ask, rows = asking(query.filtered(Filter())), query.sees_rows
    told = _of_rows if rows else _of_releases
    asked_for = ((name, each) for name, each in FILTERED.items() if each.choices and (rows or each.name in TOLD))
    return tuple(_facet(query, name, each, told(ask, each.name)) for name, each in asked_for)


def _facet(query: ReportQuery, parameter: str, each: Dimension, counts: Counter[Value]) -> Facet:
    named, without = _names(counts)
    options, called = _called(query, each.name, (*named[:MOST_CHOICES], *without))
    return Facet(parameter, each.label, options, called, more=max(0, len(named) - MOST_CHOICES))


def _of_rows(ask: Inquiry, by: str) -> Counter[Value]:
    return _counted(by, (line for line in ask.lines(LEDGER, by) if line.values[0] != NOT_NAMED))


def _of_releases(ask: Inquiry, by: str) -> Counter[Value]:
    """People as coverage names them, all else from closed spans of four weeks. Accounts are no secret."""
    if NAMED[by].people:
        return Counter(covered_people(ask.connection, ask.view.accounts, by))
    closed = span_of(work.due(over_at(ask.now, ask.zone)), work.WEEKS["agent_work"])[0]
    until = None if by == "account" else midnight(closed, ask.zone)
    closed_ones = Slice(LEDGER, ask.zone, until=until, by=(by,), wanted="work")
    return _counted(by, lines(ask.connection, ask.view, closed_ones))


def _counted(by: str, found: Iterable[Line]) -> Counter[Value]:
    counts: Counter[Value] = Counter()
    for line in found:
        counts[NAMED[by].called(line.values[0])] += line.n
    return counts


def _called(query: ReportQuery, by: str, options: tuple[str, ...]) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """The options with their names, ordered by name."""
    if by in CODED:
        return options, {each: group_name(each, by) for each in options if each != WITHOUT}
    if not NAMED[by].people:
        return options, {}
    named = labels(query, by, options)
    called = {each: named(each, "") or each for each in options if each != WITHOUT}
    by_name = sorted(called, key=lambda each: called[each].casefold())
    return (*by_name, *options[len(by_name) :]), called


def _names(counts: Counter[Value]) -> tuple[list[str], list[str]]:
    """The names, and the choice of conversations without one where there are such."""
    named = sorted(str(name) for name, n in counts.items() if n > 0 and name is not None)
    return named, [WITHOUT] if counts[None] > 0 else []
