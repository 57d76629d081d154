"""The figures that API, dashboard and export publish, for a reader, a filter and a moment.

Readers of rows get what the rows add up to (live.py), all others whole releases (released.py). Intervals are set and
kinds of card kept apart before anything leaves here: a surface only prints. n = 0 gives no value, never 0.
"""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from service.auth.keys import Reader
from service.errors import Invalid
from service.reports.completeness import Completeness, completeness_of
from service.reports.counting.periods import PERIODS, SEVEN_DAYS
from service.reports.dimensions import BY, COVERED
from service.reports.figures import differences as between
from service.reports.figures import inquiry, labels, live, released, released_groups, sides
from service.reports.figures.comparison import by_case, change_of, ways_differ
from service.reports.figures.shapes import Breakdowns, Compared, Comparison, Coverage, Funnel, Summary, Trends
from service.reports.figures.then_now import Differences, DifferenceTables
from service.reports.filters import Filter
from service.reports.report_query import ReportQuery
from service.reports.roles import sees_rows
from service.reports.statistics.judging import Rising, judged, rising, while_rising


def summary(query: ReportQuery) -> Summary:
    """Return the tiles: CSAT and NPS, how many were asked, how many of them answered."""
    return live.summary(inquiry.asking(query)) if query.sees_rows else released.summary(released.asking(query))


def trend(query: ReportQuery, period: str = "day", zone: ZoneInfo | None = None, by: str | None = None) -> Trends:
    """Return each kind of card by day, week, month or seven-day span, and by group. Raises Invalid for too many points.

    Releases have no seven-day spans: there it is weeks.
    """
    _demand(period, (*PERIODS, SEVEN_DAYS), "period")
    if by is not None:
        _demand(by, BY, "by")
    if query.sees_rows:
        found = live.trends(inquiry.asking(query, zone), period, query.settings.reports.answer_window, by)
        return Trends(labels.of_trends(found, query, by))
    if zone is not None and zone.key != query.zone.key:
        raise Invalid("zone_not_allowed", f"Figures for analysts use days of {query.zone.key}: leave out zone.")
    told = released_groups.trends(released.asking(query), "week" if period == SEVEN_DAYS else period, by)
    return Trends(labels.of_trends(told, query, by))


def breakdown(query: ReportQuery, by: str) -> Breakdowns:
    """Return each kind of card by one of the dimensions."""
    _demand(by, BY, "by")
    if query.sees_rows:
        found = live.breakdowns(inquiry.asking(query), by)
    else:
        found = released_groups.breakdowns(released.asking(query), by)
    return Breakdowns(labels.of_breakdowns(found, query, by))


def compare(query: ReportQuery, other: Filter) -> Compared:
    """Say whether two periods or groups really differ."""
    asked = query.filter
    if replace(asked, since=None, until=None) == replace(other, since=None, until=None):
        between.demand_apart(asked, other)
    _demand_rows(query, other)
    both = (query, query.filtered(other))
    one, two = map(summary, both)
    counts = None if query.sees_rows else [released.counts(released.asking(side)) for side in both]
    pairs = [(a, b) for a, b in ((one.csat, two.csat), (one.nps, two.nps)) if a is not None and b is not None]
    cases = by_case(*map(inquiry.asking, both)) if query.sees_rows else {}
    changes = [change_of(a, b, counts) for a, b in pairs]
    rate_a, rate_b = one.response_rate_of_delivered, two.response_rate_of_delivered
    rates = between.rate_change(rate_a, rate_b)
    words = judged([*changes, rates], query.settings.reports.smallest_difference)
    rate_word = while_rising(words[-1], _rising(query, asked.until or query.now, other.until or query.now))
    found = tuple(
        Comparison(a.type, a, b, change, ways_differ(a, b), word, cases.get(a.type))
        for (a, b), change, word in zip(pairs, changes, words, strict=False)
    )
    return Compared(found, rate_a, rate_b, rates, rate_word)


def differences(
    query: ReportQuery, by: str, other: Filter | None = None, and_by: str | None = None
) -> DifferenceTables:
    """Return each kind of card by one or two dimensions, this period beside another; by default as many days before.

    Raises Invalid; two dimensions at once are for readers of rows.
    """
    _demand_two(query, by, and_by)
    periods = between.periods_of(query.filter, other, query.zone, query.now)
    earlier = replace(query.filter, since=periods.earlier_since, until=periods.earlier_until)
    both = (query.filtered(earlier), query)
    if query.sees_rows:
        names = (by,) if and_by is None else (by, and_by)
        then, here = (sides.of_rows(inquiry.asking(each), *names) for each in both)
    else:
        then, here = (sides.of_releases(released.asking(each), by) for each in both)
    smallest = query.settings.reports.smallest_difference
    which = _rising(query, periods.earlier_until, periods.until)
    found = [between.differences(kind, (by, and_by), then[kind], here[kind], periods, smallest, which) for kind in here]
    ranking = query.settings.reports.min_ranking_n
    named = labels.of_differences(found, query, by, and_by)
    return DifferenceTables(tuple(between.in_order(table, ranking) for table in named))


def is_told(reader: Reader, filter: Filter, by: str) -> bool:
    """Whether this reader is told groups of this dimension with this filter."""
    return sees_rows(reader) or released.tells(filter, by)


def differences_told(query: ReportQuery, by: str, other: Filter | None = None) -> tuple[Differences, ...]:
    """Return the same tables; none if this reader is not told them."""
    return differences(query, by, other).items if is_told(query.reader, query.filter, by) else ()


def coverage(query: ReportQuery, by: str = "agent") -> Coverage:
    """Return per agent, team or way how many ended conversations were asked about, and why the others were not."""
    _demand(by, COVERED, "by")
    rows = query.sees_rows
    found = live.coverage(inquiry.asking(query), by) if rows else released.coverage(released.asking(query), by)
    return labels.of_coverage(found, query)


def funnel(query: ReportQuery) -> Funnel:
    """Return the steps from conversations that ended in the period to their answers."""
    return live.funnel(inquiry.asking(query)) if query.sees_rows else released.funnel(released.asking(query))


def completeness(query: ReportQuery) -> Completeness:
    """Return up to when the figures are complete, and up to when they are visible."""
    if not query.sees_rows:
        return released.completeness(released.asking(query))
    return completeness_of(query.connection, inquiry.asking(query).view, query.filter)


def _demand_rows(query: ReportQuery, other: Filter) -> None:
    """Refuse to compare ways of asking without rows: that takes two at once, and releases tell one context."""
    if not query.sees_rows and query.filter.of("way") != other.of("way"):
        raise Invalid(
            "mode_effect_not_released",
            "Only readers who may list rows can compare ways of asking; use the breakdown instead.",
        )


def _demand_two(query: ReportQuery, by: str, and_by: str | None) -> None:
    _demand(by, BY, "by")
    if and_by is None:
        return
    _demand(and_by, tuple(name for name in BY if name != by), "and_by")
    if not query.sees_rows:
        raise Invalid(
            "one_at_a_time", "Figures for analysts are available by one dimension at a time; leave out 'and_by'."
        )


def _rising(query: ReportQuery, a_until: datetime, b_until: datetime) -> Rising | None:
    """Whose response rate may still rise; with releases nobody's, as they close after the answer window."""
    if not query.sees_rows:
        return None
    return rising(min(a_until, query.now), min(b_until, query.now), query.now - query.settings.reports.answer_window)


def _demand(given: str, known: tuple[str, ...], name: str) -> None:
    if given not in known:
        raise Invalid("invalid_parameter", f"'{name}' must be one of {', '.join(known)}, not '{given}'.")
