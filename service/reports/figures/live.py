"""The figures of readers of rows: exactly what the rows they may list add up to, at this moment.

Any window, filter and clock. Only names that rows hide are hidden here too; with too few answers for a score, their
number and distribution are told without one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from service.db import MICROSECOND
from service.reports.completeness import completeness_of
from service.reports.counting.counts import Answers, Counts, answers_by, counts, counts_by
from service.reports.counting.lines import Line
from service.reports.counting.periods import demand_few, pieces, start_of
from service.reports.counting.zones import day_of
from service.reports.days import midnight
from service.reports.dimensions import Value
from service.reports.figures.coverage import coverage_of
from service.reports.figures.inquiry import LEDGER, NOT_NAMED, REST, Inquiry
from service.reports.figures.printed import Basis, funnel_of, rate_of, response, score_of
from service.reports.figures.shapes import Breakdown, BreakdownRow, Coverage, Funnel, Score, Summary, Trend, TrendPoint


def summary(ask: Inquiry) -> Summary:
    """The tiles: CSAT and NPS, how many were asked, how many of them answered."""
    scores = _scores(ask, ask.scored())
    sent, ended = counts(ask.lines(ask.rate_clock)), counts(ask.lines(LEDGER))
    limits = ask.view.thresholds
    return Summary(
        since=ask.filter.since,
        until=ask.filter.until,
        ended=ended.ended,
        delivered=sent.delivered,
        csat=scores.get("csat"),
        nps=scores.get("nps"),
        response_rate_of_delivered=response(sent, ask.rate_clock, limits),
        response_rate_of_ended=rate_of("response_rate_of_ended", ended.answered, ended.ended, LEDGER, limits),
        comment_rate=rate_of("comment_rate", sent.commented, sent.answered, ask.rate_clock, limits),
        completeness=completeness_of(ask.connection, ask.view, ask.filter),
    )


def funnel(ask: Inquiry) -> Funnel:
    """The steps from conversations that ended in the period to their answers."""
    found = counts(ask.lines(LEDGER))
    return funnel_of(found, found, ask.filter.since, ask.until)


def coverage(ask: Inquiry, by: str) -> Coverage:
    """Conversations by agent or team. Unnamed people share one row here too: rows tell when conversations ended."""
    found = ask.lines(LEDGER, by)
    groups = counts_by(found, first_value)
    few = groups.pop(NOT_NAMED, None)
    return coverage_of(by, groups, counts(found), ask.filter.since, ask.until, few)


def breakdowns(ask: Inquiry, by: str) -> tuple[Breakdown, ...]:
    """Every kind of card asked about, by one dimension."""
    scored, sent = ask.scored(by), ask.lines(ask.rate_clock, by)
    ended, totals = counts_by(ask.lines(LEDGER, by), first_value), _scores(ask, scored)
    found = []
    for kind in ask.kinds:
        answers = answers_by(of_kind(kind, scored), first_value)
        cards = counts_by(of_kind(kind, sent), first_value)
        found.append(_breakdown(ask, by, totals[kind], answers, cards, ended))
    return tuple(found)


def _breakdown(
    ask: Inquiry,
    by: str,
    total: Score,
    answers: dict[Value, Answers],
    cards: dict[Value, Counts],
    conversations: dict[Value, Counts],
) -> Breakdown:
    rows = [
        BreakdownRow(
            key=None if key == NOT_NAMED else key,
            rest=REST if key == NOT_NAMED else None,
            of=None,
            ended=conversations.get(key, Counts()).ended,
            delivered=cards.get(key, Counts()).delivered,
            score=score(ask, total.type, answers.get(key, Answers())),
            response_rate=response(cards.get(key, Counts()), ask.rate_clock, ask.view.thresholds),
        )
        for key in {**answers, **cards, **conversations}
    ]
    return ordered(total.type, by, rows, total, ask.view.thresholds.ranking)


def ordered(kind: str, by: str, rows: Sequence[BreakdownRow], total: Score, ranking: int) -> Breakdown:
    """By score if each group has enough answers, else by name; what is no group comes last."""
    groups = [row for row in rows if row.rest is None]
    ranked = len(groups) > 1 and all((row.score.n or 0) >= ranking for row in groups)
    groups.sort(key=(lambda row: (-(row.score.value or 0), str(row.key))) if ranked else _by_name)
    rest = sorted((row for row in rows if row.rest is not None), key=lambda row: (row.of is None, row.of))
    return Breakdown(kind, by, ranked, (*groups, *rest), total)


def _by_name(row: BreakdownRow) -> tuple[bool, bool, Value]:
    return (row.key is None, isinstance(row.key, str), row.key)


def trends(ask: Inquiry, period: str, answer_window: timedelta, by: str | None) -> tuple[Trend, ...]:
    """Every kind of card by day, week or month, overall or by group. Raises Invalid for too many points.

    Every group has the same periods, so that they can be compared.
    """
    groups = () if by is None else (by,)
    scored, sent = ask.scored(*groups, period=period), ask.lines(ask.rate_clock, *groups, period=period)
    place = _place_of(period, _last_day(ask), by)
    found = ByPeriod(answers_by(scored, place), counts_by(sent, place))
    until = completeness_of(ask.connection, ask.view, ask.filter).complete_until
    ripeness = PendingPeriods(ask.now, until, ask.now - answer_window, by_cohort=ask.score_clock != "scored_at")
    spans = _spans(ask, found.days, period)
    demand_few(len(found.groups) * len(spans))
    totals = answers_by(scored, lambda line: (line.type, place(line)[2]))
    return tuple(
        Trend(
            type=kind,
            by=by,
            key=None if group == NOT_NAMED else group,
            rest=REST if group == NOT_NAMED else None,
            of=None,
            period=period,
            zone=ask.zone.key,
            points=tuple(_point(ask, (kind, span, group), found, ripeness) for span in spans),
            total=score(ask, kind, totals.get((kind, group), Answers())),
        )
        for kind in ask.kinds
        for group in ([None] if by is None else found.groups)
    )


Span = tuple[date, date]
Grouped = tuple[str | None, date, Value]


@dataclass(frozen=True, slots=True)
class ByPeriod:
    """Answers and cards by kind, period and group."""

    answers: dict[Grouped, Answers]
    cards: dict[Grouped, Counts]

    @property
    def days(self) -> list[date]:
        """The periods in which anything happened."""
        return [day for _, day, _ in (*self.answers, *self.cards)]

    @property
    def groups(self) -> list[Value]:
        """By name, and last those without one and those who are not named."""
        return sorted({group for _, _, group in (*self.answers, *self.cards)}, key=_no_group_last)


def _no_group_last(group: Value) -> tuple[bool, bool, bool, Value]:
    return (group == NOT_NAMED, group is None, isinstance(group, str), group)


@dataclass(frozen=True, slots=True)
class PendingPeriods:
    """Which periods still wait for answers."""

    now: datetime
    complete_until: datetime | None
    ripe: datetime
    by_cohort: bool

    def waits(self, until: datetime) -> bool:
        """Whether customers asked in this period may still answer."""
        return until > self.ripe

    def fills(self, until: datetime) -> bool:
        """Whether answers that belong to this period may still be missing."""
        unread = self.complete_until is not None and until > self.complete_until
        return until > self.now or unread or (self.by_cohort and self.waits(until))


def _point(ask: Inquiry, which: tuple[str, Span, Value], found: ByPeriod, ripeness: PendingPeriods) -> TrendPoint:
    """One piece, limited to what was asked for: a month from the 10th is not the whole month."""
    kind, span, group = which
    begin, end = midnight(span[0], ask.zone), midnight(span[1], ask.zone)
    since = max(begin, ask.filter.since) if ask.filter.since else begin
    until = min(end, ask.filter.until) if ask.filter.until else end
    key = (kind, span[0], group)
    sent = found.cards.get(key, Counts())
    return TrendPoint(
        label=span[0].isoformat(),
        since=since,
        until=until,
        partial=(since, until) != (begin, end) or until > ask.now,
        score=score_of(
            kind, found.answers.get(key, Answers()), ask.score_clock, ask.view.thresholds,
            Basis(since, until, withheld=ask.withholds),
        ),
        delivered=sent.delivered,
        response_rate=response(sent, ask.rate_clock, ask.view.thresholds),
        immature=ripeness.fills(until),
        response_immature=ripeness.waits(until),
    )  # fmt: skip


def _place_of(period: str, last: date, by: str | None) -> Callable[[Line], Grouped]:
    def place(line: Line) -> Grouped:
        assert line.day is not None, "the question told days apart"
        return (line.type, start_of(day_of(line.day), period, last), None if by is None else first_value(line))

    return place


def _spans(ask: Inquiry, happened: Sequence[date], period: str) -> list[Span]:
    """All periods asked for; without a beginning, from the first thing that happened."""
    last = _last_day(ask)
    if ask.filter.since is not None:
        return pieces(ask.filter.since.astimezone(ask.zone).date(), last, period)
    return pieces(min(happened), last, period) if happened else []


def _last_day(ask: Inquiry) -> date:
    last_moment = ask.filter.until - MICROSECOND if ask.filter.until else ask.now
    return last_moment.astimezone(ask.zone).date()


def _scores(ask: Inquiry, found: Sequence[Line]) -> dict[str, Score]:
    """The score of each kind of card asked about."""
    answers = answers_by(found, lambda line: line.type)
    return {kind: score(ask, kind, answers.get(kind, Answers())) for kind in ask.kinds}


def score(ask: Inquiry, kind: str, answers: Answers) -> Score:
    """The score of some answers to one kind of card."""
    covered = Basis(ask.filter.since, ask.until, withheld=ask.withholds)
    return score_of(kind, answers, ask.score_clock, ask.view.thresholds, covered)


def of_kind(kind: str, lines: Sequence[Line]) -> list[Line]:
    """The lines of one kind of card."""
    return [line for line in lines if line.type == kind]


def first_value(line: Line) -> Value:
    """The group a line is of."""
    return line.values[0]
