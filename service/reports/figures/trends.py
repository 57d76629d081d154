"""Scores over time: in, a question and a period; out, one line a kind of card, unfinished points marked as such."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from service.reports.counting.counts import Counts
from service.reports.counting.periods import pieces, start_of
from service.reports.counting.zones import day_of, midnight
from service.reports.disclosure.protection import Part, Selection, along_periods
from service.reports.disclosure.suppression import Reason
from service.reports.figures.asking import Asking
from service.reports.figures.completeness import completeness_of
from service.reports.figures.printed import hidden_rates, response, score
from service.reports.figures.shapes import Trend, TrendPoint

Sent = Mapping[date, Counts]


def trends_of(ask: Asking, period: str, answer_window: timedelta) -> tuple[Trend, ...]:
    """Return every kind of card asked about. Raises Invalid for more points than anybody reads."""
    sent = _sent(ask, period)
    until = completeness_of(ask.connection, ask.view, ask.filter).complete_until
    ripe = ask.now - answer_window
    return tuple(
        _trend(ask, kind, selection, period, sent.get(kind, {}), _Ripeness(ask, until, ripe))
        for kind, selection in ask.selections().items()
    )


class _Ripeness:
    """Which periods still wait for answers."""

    def __init__(self, ask: Asking, complete_until: datetime | None, ripe: datetime) -> None:
        self._now, self._complete_until, self._ripe = ask.now, complete_until, ripe
        self._by_cohort = ask.score_clock in {"sent_at", "ended_at"}

    def waits(self, until: datetime) -> bool:
        """Whether customers asked in this period may still answer."""
        return until > self._ripe

    def fills(self, until: datetime) -> bool:
        """Whether answers that belong to this period may still be missing."""
        unread = self._complete_until is not None and until > self._complete_until
        return until > self._now or unread or (self._by_cohort and self.waits(until))


def _sent(ask: Asking, period: str) -> Mapping[str, Sent]:
    """Cards of each kind by the period of their cohort."""
    found: dict[str, dict[date, Counts]] = {}
    for (day, kind), counts in ask.counts(ask.filter, ask.rate_clock, ("day", "type")).items():
        begin = start_of(day_of(int(day or 0)), period)
        found.setdefault(str(kind), {}).setdefault(begin, Counts()).add(counts)
    return found


def _trend(ask: Asking, kind: str, selection: Selection, period: str, sent: Sent, ripeness: _Ripeness) -> Trend:
    spans = _spans(ask, selection, [*sent], period)
    known = [begin for begin, _ in spans]
    parts = along_periods(selection, ask.question(kind), lambda day: start_of(day, period), known)
    hidden = hidden_rates({str(begin): sent.get(begin, Counts()) for begin in known}, ask.view.thresholds)
    points = []
    for begin, end in spans:
        since, until = midnight(begin, ask.zone), midnight(end, ask.zone)
        part, counts = parts.get(begin, Part()), sent.get(begin, Counts())
        reason = part.reason or (Reason.SUPPRESSED if str(begin) in hidden else None)
        points.append(
            TrendPoint(
                label=begin.isoformat(),
                since=since,
                until=until,
                score=replace(score(ask, kind, part), since=since, until=until),
                delivered=counts.delivered,
                response_rate=response(ask, counts, reason),
                immature=ripeness.fills(until),
                response_immature=ripeness.waits(until),
            )
        )
    return Trend(kind, period, ask.zone.key, tuple(points), score(ask, kind, selection.whole))


def _spans(ask: Asking, selection: Selection, sent: Sequence[date], period: str) -> list[tuple[date, date]]:
    """All periods asked for; where the question has no beginning, from the first thing that happened."""
    happened = [*(cell.day for cell in selection.whole.cells), *sent]
    last_moment = ask.filter.until - timedelta(microseconds=1) if ask.filter.until else ask.now
    last = last_moment.astimezone(ask.zone).date()
    if ask.filter.since is not None:
        return pieces(ask.filter.since.astimezone(ask.zone).date(), last, period)
    return pieces(min(happened), last, period) if happened else []
