"""Adds names to the ids of groups in finished figures.

A name is the one valid at the end of the period: the report of February shows February's. A group that must not be told
apart has no id here, and so no name.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from service.db import MICROSECOND
from service.reports.dimensions import FILTERED, NAMED, Value
from service.reports.figures.shapes import Breakdown, Coverage, Trend
from service.reports.figures.then_now import Differences
from service.reports.people.name_at import question_of
from service.reports.people.stored import called_of
from service.reports.report_query import ReportQuery
from service.settings import Settings

QUESTION = "variant"


def labels(query: ReportQuery, by: str | None, keys: Iterable[Value]) -> Callable[[Value, str], str | None]:
    """Return what names one of these groups, of a kind of card; no name where ids are names already."""
    accounts = tuple(map(str, query.filter.of("account"))) or query.reader.accounts or tuple(query.settings.accounts)
    if by == QUESTION:
        company = display_name(query.settings, accounts)
        return lambda key, kind: question_of(kind, key, company)
    if by is None or not NAMED[by].people:
        return lambda _key, _kind: None
    at = query.now if query.filter.until is None else min(query.filter.until - MICROSECOND, query.now)
    called = called_of(query.connection, query.settings, [None if key is None else str(key) for key in keys], [by])
    return lambda key, _kind: None if key is None else called.group(by, str(key), accounts, at)


def of_named(query: ReportQuery, named: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the names of the people in a question, by parameter and id; other parameters are left out."""
    called = {}
    for name, value in named:
        if name in FILTERED and FILTERED[name].people:
            called[name, value] = labels(query, FILTERED[name].name, [value])(value, "") or value
    return called


def display_name(settings: Settings, accounts: Iterable[str]) -> str | None:
    """The name in the questions, if all these accounts share one; else the company's."""
    mine = set(accounts)
    names = {each.display_name for each in settings.campaigns if not each.accounts or mine & set(each.accounts)}
    return names.pop() or settings.service.company if len(names) == 1 else settings.service.company


def of_breakdowns(found: Sequence[Breakdown], query: ReportQuery, by: str) -> tuple[Breakdown, ...]:
    """Name the rows of each table."""
    named = labels(query, by, (row.key for one in found for row in one.rows))
    return tuple(
        replace(one, rows=tuple(replace(row, name=named(row.key, one.type)) for row in one.rows)) for one in found
    )


def of_differences(
    found: Sequence[Differences], query: ReportQuery, by: str, and_by: str | None
) -> tuple[Differences, ...]:
    """Name the rows of each table: now's names."""
    named = labels(query, by, (row.key for one in found for row in one.rows))
    and_named = labels(query, and_by, (row.and_key for one in found for row in one.rows))
    return tuple(
        replace(one, rows=tuple(
            replace(row, name=named(row.key, one.type), and_name=and_named(row.and_key, one.type)) for row in one.rows
        ))
        for one in found
    )  # fmt: skip


def of_trends(found: Sequence[Trend], query: ReportQuery, by: str | None) -> tuple[Trend, ...]:
    """Name each line."""
    named = labels(query, by, (one.key for one in found))
    return tuple(replace(one, name=named(one.key, one.type)) for one in found)


def of_coverage(found: Coverage, query: ReportQuery) -> Coverage:
    """Name the rows."""
    named = labels(query, found.by, (row.key for row in found.rows))
    return replace(found, rows=tuple(replace(row, name=named(row.key, "")) for row in found.rows))
