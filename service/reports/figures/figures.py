"""The figures that API, dashboard and export publish, for a reader, a filter and a moment.

Readers of rows get what the rows add up to (live.py), all others whole releases (released.py). Intervals are set and
kinds of card kept apart before anything leaves here: a surface only prints. n = 0 gives no value, never 0.
"""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from service.auth.keys import Reader
from service.errors import Invalid
from service.reports.completeness import AccountCompleteness, Completeness, completeness_of
from service.reports.counting.periods import PERIODS, SEVEN_DAYS
from service.reports.dimensions import BY, COVERED
from service.reports.figures import differences as between
from service.reports.figures import inquiry, labels, live, released, released_groups, sides
from service.reports.figures.comparison import by_case, change_of, ways_differ
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
from service.reports.figures.then_now import Differences, DifferenceTables
from service.reports.filters import Filter
from service.reports.roles import sees_rows
from service.reports.statistics.judging import Rising, judged, rising, while_rising
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
    "DifferenceTables",
    "Differences",
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
    "differences",
    "funnel",
    "is_told",
    "summary",
    "trend",
]


def summary(connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime) -> Summary:
    """Return the tiles: CSAT and NPS, how many were asked, how many of them answered."""
    who = (connection, settings, reader, filter, now)
    return live.summary(inquiry.asking(*who)) if sees_rows(reader) else released.summary(released.asking(*who))


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
    """Return each kind of card by day, week, month or seven-day span, and by group. Raises Invalid for too many points.

    Releases have no seven-day spans: there it is weeks.
    """
    _demand(period, (*PERIODS, SEVEN_DAYS), "period")
    if by is not None:
        _demand(by, BY, "by")
    who = (connection, settings, reader, filter, now)
    if sees_rows(reader):
        found = live.trends(inquiry.asking(*who, zone), period, settings.reports.answer_window, by)
        return Trends(labels.of_trends(found, who, by))
    if zone is not None and zone.key != settings.service.time_zone.key:
        raise Invalid(
            "zone_not_allowed", f"Releases are made of days of {settings.service.time_zone.key}: leave zone out."
        )
    told = released_groups.trends(released.asking(*who), "week" if period == SEVEN_DAYS else period, by)
    return Trends(labels.of_trends(told, who, by))


def breakdown(
    connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime, by: str
) -> Breakdowns:
    """Return each kind of card by one of the dimensions."""
    _demand(by, BY, "by")
    who = (connection, settings, reader, filter, now)
    found = live.breakdowns(inquiry.asking(*who), by) if sees_rows(reader) else None
    told = released_groups.breakdowns(released.asking(*who), by) if found is None else found
    return Breakdowns(labels.of_breakdowns(told, who, by))


def compare(
    connection: Connection, settings: Settings, reader: Reader, filter: Filter, other: Filter, now: datetime
) -> Compared:
    """Say whether two periods or groups really differ."""
    if replace(filter, since=None, until=None) == replace(other, since=None, until=None) and _overlap(filter, other):
        raise Invalid("periods_overlap", "The two periods share days; compare periods that do not overlap.")
    _demand_rows(reader, filter, other)
    asked = [(connection, settings, reader, side, now) for side in (filter, other)]
    one, two = (summary(*side) for side in asked)
    counts = None if sees_rows(reader) else [released.counts(released.asking(*side)) for side in asked]
    pairs = [(a, b) for a, b in ((one.csat, two.csat), (one.nps, two.nps)) if a is not None and b is not None]
    cases = by_case(*(inquiry.asking(*side) for side in asked)) if sees_rows(reader) else {}
    changes = [change_of(a, b, counts) for a, b in pairs]
    rate_a, rate_b = one.response_rate_of_delivered, two.response_rate_of_delivered
    rates = between.rate_change(rate_a, rate_b)
    words = judged([*changes, rates], settings.reports.smallest_difference)
    rate_word = while_rising(words[-1], _rising(settings, reader, now, filter.until or now, other.until or now))
    found = tuple(
        Comparison(a.type, a, b, change, ways_differ(a, b), word, cases.get(a.type))
        for (a, b), change, word in zip(pairs, changes, words, strict=False)
    )
    return Compared(found, rate_a, rate_b, rates, rate_word)


def differences(
    connection: Connection,
    settings: Settings,
    reader: Reader,
    filter: Filter,
    now: datetime,
    by: str,
    other: Filter | None = None,
    and_by: str | None = None,
) -> DifferenceTables:
    """Return each kind of card by one or two dimensions, this period beside another; by default as many days before.

    Raises Invalid; two dimensions at once are for readers of rows.
    """
    _demand_two(reader, by, and_by)
    periods = between.periods_of(filter, other, settings.service.time_zone, now)
    before = replace(filter, since=periods.earlier_since, until=periods.earlier_until)
    asked = [(connection, settings, reader, each, now) for each in (before, filter)]
    if sees_rows(reader):
        names = (by,) if and_by is None else (by, and_by)
        then, here = (sides.of_rows(inquiry.asking(*each), *names) for each in asked)
    else:
        then, here = (sides.of_releases(released.asking(*each), by) for each in asked)
    smallest = settings.reports.smallest_difference
    which = _rising(settings, reader, now, periods.earlier_until, periods.until)
    found = [between.differences(kind, (by, and_by), then[kind], here[kind], periods, smallest, which) for kind in here]
    return DifferenceTables(labels.of_differences(found, (connection, settings, reader, filter, now), by, and_by))


def is_told(reader: Reader, filter: Filter, by: str) -> bool:
    """Whether this reader is told groups of this dimension with this filter."""
    return sees_rows(reader) or released.tells(filter, by)


NOT_TOLD = {"one_at_a_time", "not_released", "period_too_short"}
"""Why releases do not tell a table together with this filter."""


def differences_told(
    connection: Connection,
    settings: Settings,
    reader: Reader,
    filter: Filter,
    now: datetime,
    by: str,
    other: Filter | None = None,
) -> tuple[Differences, ...]:
    """Return the same tables; none if releases do not tell them with this filter."""
    try:
        return differences(connection, settings, reader, filter, now, by, other).items
    except Invalid as error:
        if error.code in NOT_TOLD:
            return ()
        raise


def coverage(
    connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime, by: str = "agent"
) -> Coverage:
    """Return per agent, team or way how many ended conversations were asked about, and why the others were not."""
    _demand(by, COVERED, "by")
    who = (connection, settings, reader, filter, now)
    rows = sees_rows(reader)
    found = live.coverage(inquiry.asking(*who), by) if rows else released.coverage(released.asking(*who), by)
    return labels.of_coverage(found, who)


def funnel(connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime) -> Funnel:
    """Return the steps from conversations that ended in the period to their answers."""
    who = (connection, settings, reader, filter, now)
    return live.funnel(inquiry.asking(*who)) if sees_rows(reader) else released.funnel(released.asking(*who))


def completeness(
    connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime
) -> Completeness:
    """Return up to when the figures are complete, and up to when they are visible."""
    who = (connection, settings, reader, filter, now)
    if not sees_rows(reader):
        return released.completeness(released.asking(*who))
    ask = inquiry.asking(*who)
    return completeness_of(connection, ask.view, filter)


def _demand_rows(reader: Reader, a: Filter, b: Filter) -> None:
    """Refuse to compare ways of asking without rows: that takes two at once, and releases tell one context."""
    if not sees_rows(reader) and a.of("way") != b.of("way"):
        raise Invalid(
            "mode_effect_not_released", "Ways of asking are only compared for readers who may list rows; see breakdown."
        )


def _demand_two(reader: Reader, by: str, and_by: str | None) -> None:
    _demand(by, BY, "by")
    if and_by is None:
        return
    _demand(and_by, tuple(name for name in BY if name != by), "and_by")
    if not sees_rows(reader):
        raise Invalid("one_at_a_time", "Releases are available by one dimension at a time: leave 'and_by' out.")


def _rising(settings: Settings, reader: Reader, now: datetime, a_until: datetime, b_until: datetime) -> Rising | None:
    """Whose response rate may still rise; with releases nobody's, as they close after the answer window."""
    if not sees_rows(reader):
        return None
    return rising(min(a_until, now), min(b_until, now), now - settings.reports.answer_window)


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
