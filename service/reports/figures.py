"""The figures that API, dashboard and export publish: in, a reader, a filter and a moment; out, frozen dataclasses.

Small groups are hidden, intervals and marks are set, kinds of card are never pooled, before anything leaves here: a
surface only prints. n = 0 gives None, never 0. Never writes, never formats.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from service.auth.keys import Reader
from service.errors import Invalid
from service.reports import completeness as complete
from service.reports import statistics
from service.reports.asking import Asking, asking
from service.reports.cells import BY, Dimension, Value
from service.reports.counts import Counts, Groups, reasons, total
from service.reports.filters import Filter
from service.reports.periods import PERIODS, pieces, start_of
from service.reports.printed import rate_of, score_of
from service.reports.protection import Part, Selection, along, along_people, along_periods, is_chosen
from service.reports.shapes import (
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
from service.reports.suppression import Group, Reason, Thresholds, may_rank, protect
from service.reports.zones import day_of, midnight
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
    scores = {kind: _score(ask, kind, each.whole) for kind, each in ask.selections().items()}
    sent, ended = ask.count(ask.rate_clock), ask.count(LEDGER)
    reason = _reason_for_rates(scores.values())
    return Summary(
        since=filter.since,
        until=filter.until,
        ended=ended.ended,
        delivered=sent.delivered,
        csat=scores.get("csat"),
        nps=scores.get("nps"),
        response_rate_of_delivered=_response(ask, sent, reason),
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
    until = complete.completeness_of(connection, ask.view, filter).complete_until
    return tuple(_trend(ask, settings, kind, selection, period, until) for kind, selection in ask.selections().items())


def breakdown(
    connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime, by: str
) -> tuple[Breakdown, ...]:
    """Return each kind of card by team, agent, campaign, variant, source, language, hour or account."""
    _demand(by, BY, "by")
    ask = asking(connection, settings, reader, filter, now)
    return tuple(_breakdown(ask, kind, by) for kind in ask.kinds)


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
    scores = {kind: _score(ask, kind, each.whole) for kind, each in ask.selections().items()}
    counts, t = ask.count(LEDGER), ask.view.thresholds
    small = any(0 < n < t.score for n in (counts.answered, counts.scored, counts.commented))
    reason = _reason_for_rates(scores.values()) or (Reason.TOO_FEW if small else None)
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


def _trend(
    ask: Asking, settings: Settings, kind: str, selection: Selection, period: str, complete_until: datetime | None
) -> Trend:
    q = ask.question(kind)
    by_day = ask.counts(replace(ask.filter, types=(kind,)), ask.rate_clock, ("day",))
    sent: dict[date, Counts] = {}
    for (day,), counts in by_day.items():
        if isinstance(day, int):
            sent.setdefault(start_of(day_of(day), period), Counts()).add(counts)
    spans = _spans(ask, selection, [*sent], period)
    parts = along_periods(selection, q, lambda day: start_of(day, period), [begin for begin, _ in spans])
    hidden = _hidden_rates({str(begin): sent.get(begin, Counts()) for begin, _ in spans}, ask.view.thresholds)
    points = []
    for begin, end in spans:
        since, until = midnight(begin, ask.zone), midnight(end, ask.zone)
        part, counts = parts.get(begin, Part()), sent.get(begin, Counts())
        reason = part.reason or (Reason.SUPPRESSED if str(begin) in hidden else None)
        waiting = until > ask.now - settings.reports.answer_window
        by_cohort = ask.score_clock in {"sent_at", "ended_at"} and waiting
        unread = complete_until is not None and until > complete_until
        points.append(
            TrendPoint(
                label=begin.isoformat(),
                since=since,
                until=until,
                score=replace(_score(ask, kind, part), since=since, until=until),
                delivered=counts.delivered,
                response_rate=_response(ask, counts, reason),
                immature=until > ask.now or unread or by_cohort,
                response_immature=waiting,
            )
        )
    return Trend(kind, period, ask.zone.key, tuple(points), _score(ask, kind, selection.whole))


def _spans(ask: Asking, selection: Selection, sent: list[date], period: str) -> list[tuple[date, date]]:
    """All periods asked for; where the question has no beginning, from the first thing that happened."""
    happened = [cell.day for cell in selection.whole.cells] + sent
    last_moment = ask.filter.until - timedelta(microseconds=1) if ask.filter.until else ask.now
    last = last_moment.astimezone(ask.zone).date()
    if ask.filter.since is not None:
        return pieces(ask.filter.since.astimezone(ask.zone).date(), last, period)
    return pieces(min(happened), last, period) if happened else []


def _breakdown(ask: Asking, kind: str, by: str) -> Breakdown:
    of_kind = replace(ask.filter, types=(kind,))
    q = ask.question(kind, by)
    split: tuple[str, ...] = q.people if by in q.people else (by,)
    everybody = replace(of_kind, accounts=(), teams=(), agents=()) if len(split) > 1 else of_kind
    sent = ask.counts(everybody, ask.rate_clock, split)
    ended = ask.counts(replace(everybody, types=ask.filter.types), LEDGER, split)
    selection = ask.selections(by, {*sent, *ended} if len(split) > 1 else ())[kind]
    if len(split) > 1:
        parts: Mapping[Any, Part] = along_people(selection, q, _dimension(by))
    else:
        parts = along(selection, q, lambda cell: cell.values[q.dimensions.index(_dimension(by))], _keys(sent, ended))
    place = split.index(by)
    sent_by, ended_by = (_regrouped(groups, ask, split, place) for groups in (sent, ended))
    hidden = _hidden_rates({repr(key): counts for key, counts in sent_by.items()}, ask.view.thresholds)
    rows = []
    for key in {**parts, **sent_by, **ended_by}:
        part = parts.get(key, Part(cover=selection.whole.cover, reason=selection.whole.reason))
        counts = sent_by.get(key, Counts())
        reason = part.reason or (Reason.SUPPRESSED if repr(key) in hidden else None)
        rows.append(
            BreakdownRow(
                key=key,
                ended=ended_by.get(key, Counts()).ended,
                delivered=counts.delivered,
                score=_score(ask, kind, part),
                response_rate=_response(ask, counts, reason),
            )
        )
    ranked = may_rank([Group(repr(row.key), (row.score.n or 0,)) for row in rows], ask.view.thresholds)
    return Breakdown(kind, by, ranked, tuple(_ordered(rows, ranked=ranked)), _score(ask, kind, selection.whole))


def _regrouped(groups: Groups, ask: Asking, split: tuple[str, ...], place: int) -> dict[Value, Counts]:
    """The conversations of those asked for, by the one dimension that is shown."""
    found: dict[Value, Counts] = {}
    for key, counts in groups.items():
        if len(split) == 1 or is_chosen(key, cast("tuple[Dimension, ...]", split), ask.wanted):
            found.setdefault(key[place], Counts()).add(counts)
    return found


def _keys(*groups: Groups) -> set[Value]:
    return {key[0] for each in groups for key in each}


def _hidden_rates(groups: Mapping[str, Counts], thresholds: Thresholds) -> set[str]:
    """Groups with a handful of answers, and those that total minus shown would give away."""
    answers = [Group(key, (counts.answered,)) for key, counts in groups.items()]
    return {one.key for one in protect(answers, thresholds) if not one.shown}


def _reason_for_rates(scores: Iterable[Score | None]) -> Reason | None:
    """Rates are made of answers too: where every score there is is hidden, they are."""
    there = [score for score in scores if score is not None and score.n != 0]
    if there and all(score.suppressed for score in there):
        return Reason(there[0].suppressed or Reason.SUPPRESSED)
    return None


def _response(ask: Asking, counts: Counts, reason: Reason | None) -> Rate:
    name = "response_rate_of_delivered"
    return rate_of(name, counts.answered, counts.delivered, ask.rate_clock, ask.view.thresholds, reason)


def _comments(ask: Asking, counts: Counts, reason: Reason | None) -> Rate:
    if 0 < counts.answered < ask.view.thresholds.score:
        reason = reason or Reason.TOO_FEW
    told = counts.answered if reason is None else 0
    return rate_of("comment_rate", counts.commented if told else 0, told, ask.rate_clock, ask.view.thresholds, reason)


def _score(ask: Asking, kind: str, part: Part) -> Score:
    return score_of(kind, part, ask.score_clock, ask.view.thresholds, ask.zone)


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


def _ordered(rows: list[BreakdownRow], *, ranked: bool) -> list[BreakdownRow]:
    if ranked:
        return sorted(rows, key=lambda row: (-(row.score.value or 0), str(row.key)))
    return sorted(rows, key=lambda row: (row.key is None, isinstance(row.key, str), row.key))


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


def _dimension(by: str) -> Dimension:
    return cast("Dimension", by)


def _text(value: Value) -> str | None:
    return None if value is None else str(value)
