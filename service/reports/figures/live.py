"""The figures of who sees rows: in, a question; out, exactly what the rows they may list add up to, at this moment.

Any window, any filter, any clock. Nothing is hidden but names that rows hide too; fewer answers than a score takes are
told as how many and which, without a score.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from service.reports.completeness import completeness_of
from service.reports.counting.counts import Answers, Counts, answers_by, counts, counts_by
from service.reports.counting.lines import Line
from service.reports.counting.periods import pieces, start_of
from service.reports.counting.zones import day_of, midnight
from service.reports.dimensions import Value
from service.reports.figures.asking import LEDGER, NOT_NAMED, Inquiry
from service.reports.figures.covering import coverage_of
from service.reports.figures.printed import Basis, rate_of, reasons, response, score_of
from service.reports.figures.shapes import (
    Breakdown,
    BreakdownRow,
    Coverage,
    Funnel,
    Score,
    Summary,
    Trend,
    TrendPoint,
)

MOMENT = timedelta(microseconds=1)
REST = "not_named"


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
    """The way of the conversations that ended in the period, to their answers."""
    found = counts(ask.lines(LEDGER))
    return Funnel(
        since=ask.filter.since,
        until=ask.until,
        ended=found.ended,
        pending=found.pending,
        skipped=reasons(found.skipped),
        failed=reasons(found.failed),
        unknown=found.unknown,
        delivered=found.delivered,
        answered=found.answered,
        scored=found.scored,
        commented=found.commented,
        suppressed=None,
    )


def coverage(ask: Inquiry, by: str) -> Coverage:
    """Conversations by agent or team: no answers are in it, and every name is."""
    found = ask.all_lines(LEDGER, by)
    return coverage_of(by, counts_by(found, _first), counts(found), ask.filter.since, ask.until)


def breakdowns(ask: Inquiry, by: str) -> tuple[Breakdown, ...]:
    """Every kind of card asked about, by one dimension."""
    scored, (sent, ended) = ask.all_scored(by), (ask.all_lines(clock, by) for clock in (ask.rate_clock, LEDGER))
    found = []
    for kind in ask.kinds:
        answers = answers_by(_of(kind, ask.as_named(scored, by)), _first)
        cards = counts_by(_of(kind, ask.as_named(sent, by)), _first)
        conversations = counts_by(ask.as_named(ended, by), _first)
        total = _scores(ask, ask.as_named(scored, by))[kind]
        found.append(_breakdown(ask, by, total, answers, cards, conversations))
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
            score=_score(ask, total.type, answers.get(key, Answers())),
            response_rate=response(cards.get(key, Counts()), ask.rate_clock, ask.view.thresholds),
        )
        for key in {**answers, **cards, **conversations}
    ]
    return ordered(total.type, by, rows, total, ask.view.thresholds.ranking)


def ordered(kind: str, by: str, rows: Sequence[BreakdownRow], total: Score, ranking: int) -> Breakdown:
    """By score where each group has enough answers; else by name, and what is no group last."""
    groups = [row for row in rows if row.rest is None]
    ranked = len(groups) > 1 and all((row.score.n or 0) >= ranking for row in groups)
    groups.sort(key=(lambda row: (-(row.score.value or 0), str(row.key))) if ranked else _by_name)
    rest = sorted((row for row in rows if row.rest is not None), key=lambda row: (row.of is None, row.of))
    return Breakdown(kind, by, ranked, (*groups, *rest), total)


def _by_name(row: BreakdownRow) -> tuple[bool, bool, Value]:
    return (row.key is None, isinstance(row.key, str), row.key)


def trends(ask: Inquiry, period: str, answer_window: timedelta) -> tuple[Trend, ...]:
    """Every kind of card by day, week or month. Raises Invalid for more points than anybody reads."""
    scored, sent = ask.scored(period=period), ask.lines(ask.rate_clock, period=period)
    begin = _begin_of(period)
    answers, cards = answers_by(scored, begin), counts_by(sent, begin)
    until = completeness_of(ask.connection, ask.view, ask.filter).complete_until
    ripeness = Ripeness(ask.now, until, ask.now - answer_window, by_cohort=ask.score_clock != "scored_at")
    spans = _spans(ask, [day for _, day in (*answers, *cards)], period)
    totals = _scores(ask, scored)
    return tuple(
        Trend(
            kind,
            period,
            ask.zone.key,
            tuple(_point(ask, kind, span, answers, cards, ripeness) for span in spans),
            totals[kind],
        )
        for kind in ask.kinds
    )


@dataclass(frozen=True, slots=True)
class Ripeness:
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


Span = tuple[date, date]
Grouped = tuple[str | None, date]


def _point(
    ask: Inquiry,
    kind: str,
    span: Span,
    answers: dict[Grouped, Answers],
    cards: dict[Grouped, Counts],
    ripeness: Ripeness,
) -> TrendPoint:
    """One piece, cut to what was asked for: a month from the 10th is not the whole month."""
    begin, end = midnight(span[0], ask.zone), midnight(span[1], ask.zone)
    since = max(begin, ask.filter.since) if ask.filter.since else begin
    until = min(end, ask.filter.until) if ask.filter.until else end
    key = (kind, span[0])
    sent = cards.get(key, Counts())
    return TrendPoint(
        label=span[0].isoformat(),
        since=since,
        until=until,
        partial=(since, until) != (begin, end) or until > ask.now,
        score=score_of(
            kind, answers.get(key, Answers()), ask.score_clock, ask.view.thresholds,
            Basis(since, until, withheld=ask.withholds),
        ),
        delivered=sent.delivered,
        response_rate=response(sent, ask.rate_clock, ask.view.thresholds),
        immature=ripeness.fills(until),
        response_immature=ripeness.waits(until),
    )  # fmt: skip


def _begin_of(period: str) -> Callable[[Line], Grouped]:
    def begin(line: Line) -> Grouped:
        assert line.day is not None, "the question told days apart"
        return (line.type, start_of(day_of(line.day), period))

    return begin


def _spans(ask: Inquiry, happened: Sequence[date], period: str) -> list[Span]:
    """All periods asked for; where the question has no beginning, from the first thing that happened."""
    last_moment = ask.filter.until - MOMENT if ask.filter.until else ask.now
    last = last_moment.astimezone(ask.zone).date()
    if ask.filter.since is not None:
        return pieces(ask.filter.since.astimezone(ask.zone).date(), last, period)
    return pieces(min(happened), last, period) if happened else []


def _scores(ask: Inquiry, found: Sequence[Line]) -> dict[str, Score]:
    """The score of each kind of card asked about."""
    answers = answers_by(found, lambda line: line.type)
    return {kind: _score(ask, kind, answers.get(kind, Answers())) for kind in ask.kinds}


def _score(ask: Inquiry, kind: str, answers: Answers) -> Score:
    covered = Basis(ask.filter.since, ask.until, withheld=ask.withholds)
    return score_of(kind, answers, ask.score_clock, ask.view.thresholds, covered)


def _of(kind: str, lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if line.type == kind]


def _first(line: Line) -> Value:
    return line.values[0]
