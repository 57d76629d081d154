"""The figures that API, dashboard and export publish: in, a reader, a filter and a moment; out, frozen dataclasses.

Who sees rows is told what these add up to (live.py); who sees none is told whole releases (released.py). Intervals and
marks are set, kinds of card are never pooled, before anything leaves here: a surface only prints. n = 0 gives no value,
never 0. Never writes, never formats.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from service.auth.keys import Reader
from service.errors import Invalid
from service.reports.completeness import AccountCompleteness, Completeness, completeness_of
from service.reports.counting.periods import PERIODS
from service.reports.dimensions import BY, COVERED
from service.reports.figures import asking, live, released, released_groups
from service.reports.figures.shapes import (
    Breakdown,
    BreakdownRow,
    Breakdowns,
    Compared,
    Comparison,
    Coverage,
    CoverageRow,
    Funnel,
    Rate,
    Reasoned,
    Score,
    Summary,
    Trend,
    TrendPoint,
    Trends,
)
from service.reports.filters import Filter
from service.reports.roles import sees_rows
from service.reports.statistics import statistics
from service.settings import Settings

__all__ = [
    "AccountCompleteness",
    "Breakdown",
    "BreakdownRow",
    "Breakdowns",
    "Compared",
    "Comparison",
    "Completeness",
    "Coverage",
    "CoverageRow",
    "Funnel",
    "Rate",
    "Reasoned",
    "Score",
    "Summary",
    "Trend",
    "TrendPoint",
    "Trends",
    "breakdown",
    "compare",
    "completeness",
    "coverage",
    "funnel",
    "summary",
    "trend",
]
Counted = Mapping[str, Mapping[int, int]]


def summary(connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime) -> Summary:
    """Return the tiles: CSAT and NPS, how many were asked, how many of them answered."""
    who = (connection, settings, reader, filter, now)
    return live.summary(asking.asking(*who)) if sees_rows(reader) else released.summary(released.asking(*who))


def trend(
    connection: Connection,
    settings: Settings,
    reader: Reader,
    filter: Filter,
    now: datetime,
    period: str = "day",
    zone: ZoneInfo | None = None,
    by: str | None = None,
) -> Trends:
    """Return each kind of card by day, week or month, and by group. Raises Invalid for too many points."""
    _demand(period, PERIODS, "period")
    if by is not None:
        _demand(by, BY, "by")
    who = (connection, settings, reader, filter, now)
    if sees_rows(reader):
        return Trends(live.trends(asking.asking(*who, zone), period, settings.reports.answer_window, by))
    if zone is not None and zone.key != settings.service.time_zone.key:
        raise Invalid(
            "zone_not_allowed", f"Releases are made of days of {settings.service.time_zone.key}: leave zone out."
        )
    return Trends(released_groups.trends(released.asking(*who), period, by))


def breakdown(
    connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime, by: str
) -> Breakdowns:
    """Return each kind of card by one of the dimensions."""
    _demand(by, BY, "by")
    who = (connection, settings, reader, filter, now)
    found = live.breakdowns(asking.asking(*who), by) if sees_rows(reader) else None
    return Breakdowns(released_groups.breakdowns(released.asking(*who), by) if found is None else found)


def compare(
    connection: Connection, settings: Settings, reader: Reader, filter: Filter, other: Filter, now: datetime
) -> Compared:
    """Say for two periods or groups whether the second really differs from the first."""
    if replace(filter, since=None, until=None) == replace(other, since=None, until=None) and _overlap(filter, other):
        raise Invalid("periods_overlap", "The two periods share days; compare periods that do not overlap.")
    _demand_rows(reader, filter, other)
    sides = [(connection, settings, reader, side, now) for side in (filter, other)]
    one, two = (summary(*side) for side in sides)
    counts = None if sees_rows(reader) else [released.counts(released.asking(*side)) for side in sides]
    pairs = [(a, b) for a, b in ((one.csat, two.csat), (one.nps, two.nps)) if a is not None and b is not None]
    rate_a, rate_b = one.response_rate_of_delivered, two.response_rate_of_delivered
    found = tuple(Comparison(a.type, a, b, _change(a, b, counts), _ways_differ(a, b)) for a, b in pairs)
    return Compared(found, rate_a, rate_b, _rates(rate_a, rate_b))


def coverage(
    connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime, by: str = "agent"
) -> Coverage:
    """Return per agent, team or way how many of the ended conversations were asked about, and why the others not."""
    _demand(by, COVERED, "by")
    who = (connection, settings, reader, filter, now)
    return live.coverage(asking.asking(*who), by) if sees_rows(reader) else released.coverage(released.asking(*who), by)


def funnel(connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime) -> Funnel:
    """Return the way of the conversations that ended in the period, to their answers."""
    who = (connection, settings, reader, filter, now)
    return live.funnel(asking.asking(*who)) if sees_rows(reader) else released.funnel(released.asking(*who))


def completeness(
    connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime
) -> Completeness:
    """Return until when the figures are complete, and until when they are visible."""
    who = (connection, settings, reader, filter, now)
    if not sees_rows(reader):
        return released.completeness(released.asking(*who))
    ask = asking.asking(*who)
    return completeness_of(connection, ask.view, filter)


def _change(a: Score, b: Score, counts: Sequence[Counted] | None) -> statistics.Change | None:
    """Only from what has a value."""
    if a.suppressed or b.suppressed:
        return None
    same = statistics.compare_nps if a.type == "nps" else statistics.compare_csat
    if counts is None:
        return same(dict(a.distribution), dict(b.distribution))
    return same(counts[0][a.type], counts[1][a.type])


def _ways_differ(a: Score, b: Score) -> bool:
    return {each.way for each in a.ways} != {each.way for each in b.ways}


def _demand_rows(reader: Reader, a: Filter, b: Filter) -> None:
    """Whether ways of asking differ takes two of them at once: releases tell one context, not its effect."""
    if not sees_rows(reader) and a.of("way") != b.of("way"):
        raise Invalid("mode_effect_not_released", "Ways of asking are compared for who may list rows; see breakdown.")


def _rates(a: Rate, b: Rate) -> statistics.Change | None:
    if a.successes is None or a.n is None or b.successes is None or b.n is None:
        return None
    return statistics.compare_rate(a.successes, a.n, b.successes, b.n)


def _overlap(a: Filter, b: Filter) -> bool:
    begins = [each.since for each in (a, b) if each.since is not None]
    ends = [each.until for each in (a, b) if each.until is not None]
    if not begins or not ends:
        return True
    latest_begin = max(begins) if len(begins) == 2 else begins[0]  # noqa: PLR2004 - two sides
    earliest_end = min(ends) if len(ends) == 2 else ends[0]  # noqa: PLR2004 - two sides
    return latest_begin < earliest_end


def _demand(given: str, known: tuple[str, ...], name: str) -> None:
    if given not in known:
        raise Invalid("invalid_parameter", f"'{name}' must be one of {', '.join(known)}, not '{given}'.")
