"""Adds names to the ids of groups in finished figures.

A name is the one valid at the end of the period: the report of February shows February's. A group that must not be told
apart has no id here, and so no name.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from service.db import MICROSECOND
from service.reports.dimensions import FILTERED, NAMED, Value
from service.reports.figures.shapes import Breakdown, Coverage, Trend
from service.reports.figures.then_now import Differences, ThenNow
from service.reports.people.name_at import NameIndex, question_of
from service.reports.people.stored import called_of
from service.reports.report_query import ReportQuery
from service.settings import Settings

QUESTION = "variant"


@dataclass(frozen=True, slots=True)
class Labels:
    """The names of one dimension's groups, in some accounts, at a moment."""

    by: str
    called: NameIndex
    accounts: tuple[str, ...]
    at: datetime
    company: str | None

    def of(self, key: Value, kind: str) -> str | None:
        """One group's name, of a kind of card."""
        if key is None:
            return None
        if self.by == QUESTION:
            return question_of(kind, key, self.company)
        return self.called.group(self.by, str(key), self.accounts, self.at)


def labels(query: ReportQuery, by: str | None, keys: Iterable[Value]) -> Labels | None:
    """Return the names of these groups; None for a dimension whose ids are already names."""
    if by is None or not (NAMED[by].people or by == QUESTION):
        return None
    until = query.now if query.filter.until is None else min(query.filter.until - MICROSECOND, query.now)
    accounts = tuple(map(str, query.filter.of("account"))) or query.reader.accounts or tuple(query.settings.accounts)
    ids = [] if by == QUESTION else [None if key is None else str(key) for key in keys]
    called = called_of(query.connection, query.settings, ids, [by])
    return Labels(by, called, accounts, until, display_name(query.settings, accounts))


def of_named(query: ReportQuery, named: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the names of the people in a question, by parameter and id; other parameters are left out."""
    called = {}
    for name, value in named:
        if name in FILTERED and FILTERED[name].people:
            known = labels(query, FILTERED[name].name, [value])
            called[name, value] = (known.of(value, "") if known else None) or value
    return called


def display_name(settings: Settings, accounts: Iterable[str]) -> str | None:
    """The name in the questions, if all these accounts share one; else the company's."""
    mine = set(accounts)
    names = {each.display_name for each in settings.campaigns if not each.accounts or mine & set(each.accounts)}
    return names.pop() or settings.service.company if len(names) == 1 else settings.service.company


def of_breakdowns(found: Sequence[Breakdown], query: ReportQuery, by: str) -> tuple[Breakdown, ...]:
    """Name the rows of each table."""
    known = labels(query, by, (row.key for one in found for row in one.rows))
    if known is None:
        return tuple(found)
    return tuple(
        replace(one, rows=tuple(replace(row, name=known.of(row.key, one.type)) for row in one.rows)) for one in found
    )


def of_differences(
    found: Sequence[Differences], query: ReportQuery, by: str, and_by: str | None = None
) -> tuple[Differences, ...]:
    """Name the rows of each table: now's names."""
    known = labels(query, by, (row.key for one in found for row in one.rows))
    also = labels(query, and_by, (row.and_key for one in found for row in one.rows))
    if known is None and also is None:
        return tuple(found)
    return tuple(replace(one, rows=tuple(_named(row, one.type, known, also) for row in one.rows)) for one in found)


def _named(row: ThenNow, kind: str, known: Labels | None, also: Labels | None) -> ThenNow:
    return replace(
        row,
        name=None if known is None else known.of(row.key, kind),
        and_name=None if also is None else also.of(row.and_key, kind),
    )


def of_trends(found: Sequence[Trend], query: ReportQuery, by: str | None) -> tuple[Trend, ...]:
    """Name each line."""
    known = labels(query, by, (one.key for one in found))
    return tuple(found) if known is None else tuple(replace(one, name=known.of(one.key, one.type)) for one in found)


def of_coverage(found: Coverage, query: ReportQuery) -> Coverage:
    """Name the rows."""
    known = labels(query, found.by, (row.key for row in found.rows))
    if known is None:
        return found
    return replace(found, rows=tuple(replace(row, name=known.of(row.key, "")) for row in found.rows))
