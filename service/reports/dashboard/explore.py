"""One table for any grouping, or two periods or groups side by side. Only asks `figures`.

Rows are judged together and sorted: outside what chance explains first, then by score or name; those without a score
are folded away.
"""

from collections.abc import Callable, Iterable
from typing import Any

import flask

from service.auth import Reader
from service.errors import Invalid
from service.reports.dashboard.facets import choices
from service.reports.dashboard.names import full_name, group_name, row_name
from service.reports.dashboard.page_context import PageContext
from service.reports.dashboard.question import EXPLORED, WITHOUT, PageQuery
from service.reports.dashboard.sentences import UNITS
from service.reports.dashboard.this_week import drill_down
from service.reports.dimensions import DIMENSIONS, NAMED, Value
from service.reports.figures import figures
from service.reports.figures.differences import name_order
from service.reports.figures.shapes import Compared
from service.reports.figures.then_now import Differences, ThenNow
from service.reports.people.name_at import SEVERAL
from service.reports.query_values import is_whole
from service.reports.report_query import ReportQuery
from service.reports.statistics.definitions import define
from service.reports.thresholds import thresholds
from service.web import reads
from service.web.replica_lag import read

TABS = tuple((each.name, each.label) for each in DIMENSIONS)
SHOWN = (("score", "Scores"), ("response", "Response rates"))


def add(pages: flask.Blueprint, context: PageContext) -> None:
    """Register the page."""
    everybody = context.door.signed_in()

    @pages.get("/explore")
    @everybody
    @reads
    def explore() -> str:
        question, now = context.asked(EXPLORED), context.clock()
        found = read(
            context.engine, lambda connection: _facts(context.query(connection, question.filter, now), question)
        )
        limits = thresholds(context.settings)
        return flask.render_template(
            "dashboard/explore.html", asked=question, thresholds=limits, definitions=define(limits), **found
        )


def by_of(question: PageQuery, reader: Reader) -> str:
    """Return what to tell apart: teams, or the first that this reader may with this filter. Raises Invalid."""
    by = question.given("by") or next((name for name, _ in _tabs(question, reader)), "team")
    if by not in NAMED:
        raise Invalid("unknown_breakdown", f"There is no grouping by '{by}' here; there are {_labels(NAMED)}.")
    return by


def _tabs(question: PageQuery, reader: Reader) -> list[tuple[str, str]]:
    return [(name, label) for name, label in TABS if figures.is_told(reader, question.filter, name)]


def and_by_of(question: PageQuery, by: str) -> str | None:
    """Return the second dimension; None: there is none. Raises Invalid."""
    found = question.given("and") or None
    if found is not None and (found not in NAMED or found == by):
        others = _labels(name for name in NAMED if name != by)
        sentence = f"Beside {NAMED[by].label.lower()} nothing is told apart by '{found}' here; there are {others}."
        raise Invalid("unknown_breakdown", sentence)
    return found


def _labels(names: Iterable[str]) -> str:
    return ", ".join(NAMED[name].label for name in names)


def _facts(query: ReportQuery, question: PageQuery) -> dict[str, Any]:
    by, show = by_of(question, query.reader), question.given("show") or "score"
    also = and_by_of(question, by)
    if show not in dict(SHOWN):
        raise Invalid("unknown_measure", f"There is no '{show}' here; there are {', '.join(dict(SHOWN))}.")
    lists = query.sees_rows
    tables = figures.differences(query, by, and_by=also).items
    ranking = query.settings.reports.min_ranking_n
    return {
        "names": choices(query),
        "by": by,
        "also": also,
        "others": [(name, label) for name, label in TABS if name != by] if lists else [],
        "lists": lists,
        "pins": also is None and (lists or by != "way"),
        "show": show,
        "ranking": ranking,
        "may_rise": _may_rise(query),
        "answer_window": query.settings.reports.answer_window,
        "tabs": _tabs(question, query.reader),
        "shown": SHOWN,
        "tables": [(table, *_folded(table, show, ranking)) for table in tables if _has(table)],
        "waits": any(table.total.now.suppressed == "waits" for table in tables),
        "compared": _compared(query, question, by) if also is None else None,
        "pinned": question.given("a"),
        "units": UNITS,
        "name_of": full_name,
        "side_name": _side_names(tables, by),
        "side": _side,
        "drill": lambda row: drill_down(question, by, row, also),
    }


def _may_rise(query: ReportQuery) -> bool:
    """Whether customers of these days may still answer; never with releases."""
    return query.sees_rows and (query.filter.until or query.now) > query.now - query.settings.reports.answer_window


def _side(row: ThenNow) -> str:
    """How a group stands in the address."""
    return WITHOUT if row.key is None else str(row.key)


def _side_names(tables: Iterable[Differences], by: str) -> Callable[[str], str]:
    """The names of the groups in an address, as in the tables; one that is in none goes by its id."""
    known: dict[str, list[str]] = {}
    for table in tables:
        for row in table.rows:
            if row.rest is None:
                known.setdefault(_side(row), []).append(row_name(row, by))

    def called(given: str) -> str:
        names = known.get(given) or [group_name(None if given == WITHOUT else given, by)]
        return SEVERAL.join(dict.fromkeys(names))

    return called


def _has(table: Differences) -> bool:
    """A card that is never sent takes no room."""
    return any(_asked_about(row) for row in (*table.rows, table.total))


def _asked_about(row: ThenNow) -> bool:
    counts = (row.now.n, row.then.n, row.response_now.n, row.response_then.n)
    return any(counts) or row.now.suppressed not in {None, "waits"}


def _folded(table: Differences, show: str, ranking: int) -> tuple[list[ThenNow], list[ThenNow]]:
    """The rows to show, and those about which nothing can be said."""
    rows = [row for row in table.rows if _asked_about(row)]
    if show == "response":
        told = [row for row in rows if row.response_now.value is not None]
        ranked = all((row.response_now.n or 0) >= ranking for row in told if row.rest is None)
        told.sort(
            key=lambda row: (row.rest is not None, -(row.response_now.value or 0) if ranked else 0, name_order(row))
        )
        return told, [row for row in rows if row.response_now.value is None]
    shown = [row for row in rows if row.now.value is not None]
    return shown, [row for row in rows if row.now.value is None]


def _compared(query: ReportQuery, question: PageQuery, by: str) -> tuple[str, str, Compared] | None:
    """Two groups of the same days, where two are chosen."""
    a, b = question.given("a"), question.given("b")
    if not a or not b or NAMED[by].parameter is None:
        return None
    one, two = (query.filter.within(by, _group(by, each)) for each in (a, b))
    return a, b, figures.compare(query.filtered(one), two)


def _group(by: str, given: str) -> Value:
    """One side. Raises Invalid for what is no group of this dimension."""
    if NAMED[by].whole_number and given != WITHOUT and not is_whole(given):
        raise Invalid("invalid_parameter", f"There is no {NAMED[by].label.lower()} '{given}'.")
    return None if given == WITHOUT else int(given) if NAMED[by].whole_number else given
