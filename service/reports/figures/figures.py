"""The figures that API, dashboard and export publish: in, a reader, a filter and a moment; out, frozen dataclasses.

Small groups are hidden, intervals and marks are set, kinds of card are never pooled, before anything leaves here: a
surface only prints. n = 0 gives None, never 0. Never writes, never formats.
"""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from service.auth.keys import Reader
from service.errors import Invalid
from service.reports.counting.cells import BY, Value
from service.reports.counting.counts import Counts, reasons, total
from service.reports.counting.periods import PERIODS
from service.reports.disclosure.suppression import Reason
from service.reports.figures import completeness as complete
from service.reports.figures.asking import Asking, asking
from service.reports.figures.breakdowns import breakdowns_of
from service.reports.figures.printed import rate_of, reason_for_rates, response, score
from service.reports.figures.shapes import (
    AccountCompleteness,
    Breakdown,
    BreakdownRow,
    Comparison,
    Comparisons,
    Completeness,
    Coverage,
    CoverageRow,
    Funnel,
    Rate,
    Reasoned,
    Score,
    Summary,
    Trend,
    TrendPoint,
)
from service.reports.figures.trends import trends_of
from service.reports.filters import Filter
from service.reports.statistics import statistics
from service.settings import Settings

__all__ = [
    "AccountCompleteness",
    "Breakdown",
    "BreakdownRow",
    "Comparison",
    "Comparisons",
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
    "breakdown",
    "compare",
    "completeness",
    "coverage",
    "funnel",
    "summary",
    "trend",
]

LEDGER = "ended_at"  # coverage and funnel count what ended, asked or not


def summary(connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime) -> Summary:
    """Return the tiles: CSAT and NPS, how many were asked, how many of them answered."""
    ask = asking(connection, settings, reader, filter, now)
    scores = {kind: score(ask, kind, each.whole) for kind, each in ask.selections().items()}
    sent, ended = ask.count(ask.rate_clock), ask.count(LEDGER)
    reason = reason_for_rates(scores.values())
    return Summary(
        since=filter.since,
        until=filter.until,
        ended=ended.ended,
        delivered=sent.delivered,
        csat=scores.get("csat"),
        nps=scores.get("nps"),
        response_rate_of_delivered=response(ask, sent, reason),
        response_rate_of_ended=rate_of(
            "response_rate_of_ended", ended.answered, ended.ended, LEDGER, ask.view.thresholds, reason
        ),
        comment_rate=_comments(ask, sent, reason),
        completeness=complete.completeness_of(connection, ask.view, filter),
    )


def trend(
    connection: Connection,
    settings: Settings,
    reader: Reader,
    filter: Filter,
    now: datetime,
    period: str = "day",
    zone: ZoneInfo | None = None,
) -> tuple[Trend, ...]:
    """Return each kind of card by day, week or month. Raises Invalid for more points than anybody reads."""
    _demand(period, PERIODS, "period")
    if filter.agents and period == "day":
        raise Invalid("period_too_short", "Figures that name agents come by week or month; a day is too few answers.")
    _demand_zone(settings, reader, filter, zone)
    ask = asking(connection, settings, reader, filter, now, zone)
    return trends_of(ask, period, settings.reports.answer_window)


def breakdown(
    connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime, by: str
) -> tuple[Breakdown, ...]:
    """Return each kind of card by team, agent, campaign, variant, source, language, hour or account."""
    _demand(by, BY, "by")
    return breakdowns_of(asking(connection, settings, reader, filter, now), by)


def compare(
    connection: Connection, settings: Settings, reader: Reader, filter: Filter, other: Filter, now: datetime
) -> Comparisons:
    """Say for two periods or groups whether the second really differs from the first."""
    if replace(filter, since=None, until=None) == replace(other, since=None, until=None) and _overlap(filter, other):
        raise Invalid("periods_overlap", "The two periods share days; compare periods that do not overlap.")
    one = summary(connection, settings, reader, filter, now)
    two = summary(connection, settings, reader, other, now)
    pairs = [(a, b) for a, b in ((one.csat, two.csat), (one.nps, two.nps)) if a is not None and b is not None]
    rate_a, rate_b = one.response_rate_of_delivered, two.response_rate_of_delivered
    change = None
    if rate_a.successes is not None and rate_b.successes is not None:
        change = statistics.compare_rate(rate_a.successes, rate_a.n, rate_b.successes, rate_b.n)
    return Comparisons(tuple(Comparison(a.type, a, b, _change(a, b)) for a, b in pairs), rate_a, rate_b, change)


def coverage(
    connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime, by: str = "agent"
) -> Coverage:
    """Return per agent or team how many of the ended conversations were offered the card, and why the others not."""
    _demand(by, ("agent", "team"), "by")
    ask = asking(connection, settings, reader, filter, now)
    groups = ask.counts(filter, LEDGER, (by,))
    every = _coverage_row(None, total(groups), None)
    rows = [_coverage_row(_text(key[0]), counts, every.share) for key, counts in groups.items()]
    return Coverage(by, tuple(sorted(rows, key=lambda row: (row.key is None, row.key))), every)


def funnel(connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime) -> Funnel:
    """Return the way of the conversations that ended in the period, to their answers."""
    ask = asking(connection, settings, reader, filter, now)
    scores = {kind: score(ask, kind, each.whole) for kind, each in ask.selections().items()}
    counts, t = ask.count(LEDGER), ask.view.thresholds
    small = any(0 < n < t.score for n in (counts.answered, counts.scored, counts.commented))
    reason = reason_for_rates(scores.values()) or (Reason.TOO_FEW if small else None)
    return Funnel(
        ended=counts.ended,
        pending=counts.pending,
        skipped=reasons(counts.skipped),
        failed=reasons(counts.failed),
        unknown=counts.unknown,
        delivered=counts.delivered,
        answered=None if reason else counts.answered,
        scored=None if reason else counts.scored,
        commented=None if reason else counts.commented,
        suppressed=None if reason is None else reason.value,
    )


def completeness(
    connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime
) -> Completeness:
    """Return until when the figures are complete, and until when they are visible."""
    ask = asking(connection, settings, reader, filter, now)
    return complete.completeness_of(connection, ask.view, filter)


def _comments(ask: Asking, counts: Counts, reason: Reason | None) -> Rate:
    if 0 < counts.answered < ask.view.thresholds.score:
        reason = reason or Reason.TOO_FEW
    told = counts.answered if reason is None else 0
    return rate_of("comment_rate", counts.commented if told else 0, told, ask.rate_clock, ask.view.thresholds, reason)


def _change(a: Score, b: Score) -> statistics.Change | None:
    """Only from what is published: two hidden sides must not meet in a difference."""
    if a.suppressed or b.suppressed:
        return None
    same = statistics.compare_nps if a.type == "nps" else statistics.compare_csat
    return same(dict(a.distribution), dict(b.distribution))


def _coverage_row(key: str | None, counts: Counts, of_all: float | None) -> CoverageRow:
    decided = counts.ended - counts.pending
    share = statistics.rate(counts.delivered, decided).value
    limits = None if of_all is None else statistics.control_limits(of_all, decided)
    return CoverageRow(
        key=key,
        ended=counts.ended,
        pending=counts.pending,
        decided=decided,
        offered=counts.delivered,
        unknown=counts.unknown,
        skipped=reasons(counts.skipped),
        failed=reasons(counts.failed),
        share=share,
        limit_low=None if limits is None else limits.low,
        limit_high=None if limits is None else limits.high,
        place=None if of_all is None else statistics.place(counts.delivered, decided, of_all),
    )


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


def _demand_zone(settings: Settings, reader: Reader, filter: Filter, zone: ZoneInfo | None) -> None:
    """Another zone cuts the days elsewhere, and the difference of the two would be an hour.

    Who reads rows sees those answers anyway, but without whose they are; so never together with people.
    """
    if zone is None or zone.key == settings.service.time_zone.key:
        return
    if reader.role == "analyst" or filter.agents or filter.teams:
        raise Invalid(
            "zone_not_allowed",
            f"Here days are those of {settings.service.time_zone.key}: other zones are for supervisors and "
            "admins, and not for figures of agents or teams.",
        )


def _text(value: Value) -> str | None:
    return None if value is None else str(value)
