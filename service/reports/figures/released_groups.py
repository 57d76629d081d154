"""Groups and periods from closed releases, for readers of no rows.

As in released.py only sums of whole releases; a group or period no release covers says so. Rates exist for whole
accounts only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

from service.reports.counting.counts import Counts
from service.reports.counting.periods import demand_few, pieces, start_of
from service.reports.days import ONE_DAY, midnight
from service.reports.dimensions import Value
from service.reports.disclosure import conversations, published
from service.reports.disclosure.asked import Group, Pooled, PublishedFigures
from service.reports.disclosure.conversations import Cohort
from service.reports.figures.inquiry import kinds_of
from service.reports.figures.live import ordered
from service.reports.figures.released import (
    NOBODY,
    UNTOLD_RESPONSE,
    WAITS,
    DaysInquiry,
    demand_told,
    reason_for_rates,
    response,
    score,
)
from service.reports.figures.shapes import Breakdown, BreakdownRow, Trend, TrendPoint

NOTHING = PublishedFigures(reason=WAITS)
NO_COHORT = Cohort(Counts(), {}, None, None)


def breakdowns(ask: DaysInquiry, by: str) -> tuple[Breakdown, ...]:
    """Every kind of card asked about, by one dimension."""
    demand_told([by])
    return tuple(_breakdown(ask, by, kind, ask.published(kind, by)) for kind in kinds_of(ask.filter))


def trends(ask: DaysInquiry, period: str, by: str | None) -> tuple[Trend, ...]:
    """Every kind of card by day, week or month: each release in the period of its last day."""
    if by is not None:
        demand_told([by])
        return tuple(each for kind in kinds_of(ask.filter) for each in _trends_by(ask, kind, period, by))
    cohorts = conversations.cohorts_by(ask.connection, ask.accounts, period, *ask.days)
    by_begin = {start_of(each.end - ONE_DAY, period): each for each in cohorts if each.end is not None}
    return tuple(_trend(ask, kind, period, by_begin) for kind in kinds_of(ask.filter))


def _breakdown(ask: DaysInquiry, by: str, kind: str, found: PublishedFigures) -> Breakdown:
    rows = [
        BreakdownRow(
            *name_of(group.label),
            ended=None,
            delivered=None,
            score=score(ask, kind, found, group),
            response_rate=UNTOLD_RESPONSE,
        )
        for group in found.groups
    ]
    return ordered(kind, by, rows, score(ask, kind, found, found.total), ask.view.thresholds.ranking)


def name_of(label: Value | Pooled) -> tuple[Value, str | None, str | None]:
    """What a row says of itself: the key of a group; or what a pool holds, and of which team."""
    if isinstance(label, Pooled):
        return None, "other_groups" if label.of_all else "others", label.of
    return label, None, None


def _trend(ask: DaysInquiry, kind: str, period: str, cohorts: Mapping[date, Cohort]) -> Trend:
    told = published.trend(ask.connection, ask.settings, ask.question(kind), period, ask.now)
    releases = {start_of(each.end - ONE_DAY, period): each for each in told if each.end is not None}
    points = tuple(
        _point(ask, kind, span, releases.get(span[0], NOTHING), cohorts.get(span[0], NO_COHORT))
        for begin in sorted({*releases, *cohorts})
        for span in pieces(begin, begin, period)
    )
    found = ask.published(kind)
    return Trend(kind, None, None, None, None, period, ask.zone.key, points, score(ask, kind, found, found.total))


def _trends_by(ask: DaysInquiry, kind: str, period: str, by: str) -> Iterable[Trend]:
    """One line per group from its own releases, without rates, which exist for whole accounts only."""
    told = published.trend(ask.connection, ask.settings, ask.question(kind, by), period, ask.now)
    releases = {start_of(each.end - ONE_DAY, period): each for each in told if each.end is not None}
    found = ask.published(kind, by)
    totals = {group.label: group for group in found.groups}
    labels = sorted({group.label for each in told for group in each.groups}, key=_by_name)
    demand_few(len(labels) * len(releases))
    for label in labels:
        points = tuple(
            _point_of(ask, kind, pieces(begin, begin, period)[0], each, _group(each, label))
            for begin, each in sorted(releases.items())
        )
        total = score(ask, kind, found, totals.get(label))
        yield Trend(kind, by, *name_of(label), period, ask.zone.key, points, total)


def _group(found: PublishedFigures, label: Value | Pooled) -> Group | None:
    return next((each for each in found.groups if each.label == label), None)


def _by_name(label: Value | Pooled) -> tuple[bool, bool, str]:
    return (isinstance(label, Pooled), label is None, repr(label))


def _point(ask: DaysInquiry, kind: str, span: tuple[date, date], found: PublishedFigures, cohort: Cohort) -> TrendPoint:
    answered, reason = cohort.answers.get(kind, NOBODY), reason_for_rates(ask, cohort)
    return replace(
        _point_of(ask, kind, span, found, found.total),
        delivered=None if reason else answered.delivered,
        response_rate=response(ask, answered, reason),
    )


def _point_of(
    ask: DaysInquiry, kind: str, span: tuple[date, date], found: PublishedFigures, group: Group | None
) -> TrendPoint:
    """A point without rates."""
    return TrendPoint(
        label=span[0].isoformat(),
        since=midnight(found.first or span[0], ask.zone),
        until=midnight(found.end or span[1], ask.zone),
        partial=(found.first, found.end) != span,
        score=score(ask, kind, found, group),
        delivered=None,
        response_rate=UNTOLD_RESPONSE,
        immature=False,
        response_immature=False,
    )
