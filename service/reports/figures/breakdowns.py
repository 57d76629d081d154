"""Scores by group: in, a question and a dimension; out, one table a kind of card, small groups hidden."""

from collections.abc import Sequence
from typing import cast

from service.reports.counting.cells import Cell, Dimension, Value, dimensions_of
from service.reports.counting.counts import Counts, Groups
from service.reports.disclosure.protection import Part, Question, along_dimension, select
from service.reports.disclosure.suppression import Group, Reason, may_rank
from service.reports.figures.asking import Asking
from service.reports.figures.printed import hidden_rates, response, score
from service.reports.figures.shapes import Breakdown, BreakdownRow
from service.reports.filters import Filter

LEDGER = "ended_at"


def breakdowns_of(ask: Asking, by: str) -> tuple[Breakdown, ...]:
    """Return every kind of card asked about."""
    split = dimensions_of(ask.wanted, by)
    # what nobody asked about is counted too: its zeros are protected, and the same question without a filter must agree
    everything = Filter(since=ask.filter.since, until=ask.filter.until)
    sent, ended = ask.counts(everything, ask.rate_clock, (*split, "type")), ask.counts(everything, LEDGER, split)
    cells = ask.cells(by)
    return tuple(
        _breakdown(ask, by, ask.question(kind, by), cells.get(kind, []), _of_kind(sent, kind), ended)
        for kind in ask.kinds
    )


def _breakdown(ask: Asking, by: str, q: Question, cells: Sequence[Cell], sent: Groups, ended: Groups) -> Breakdown:
    selection = select(cells, q, {*sent, *ended})
    parts = along_dimension(selection, q, cast("Dimension", by))
    sent_by, ended_by = _regrouped(sent, q, by), _regrouped(ended, q, by)
    hidden = hidden_rates({repr(key): counts for key, counts in sent_by.items()}, ask.view.thresholds)
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
                score=score(ask, q.kind, part),
                response_rate=response(ask, counts, reason),
            )
        )
    ranked = may_rank([Group(repr(row.key), (row.score.n or 0,)) for row in rows], ask.view.thresholds)
    return Breakdown(q.kind, by, ranked, tuple(_ordered(rows, ranked=ranked)), score(ask, q.kind, selection.whole))


def _of_kind(groups: Groups, kind: str) -> Groups:
    return {key[:-1]: counts for key, counts in groups.items() if key[-1] == kind}


def _regrouped(groups: Groups, q: Question, by: str) -> dict[Value, Counts]:
    """The conversations of those asked for, by the one dimension that is shown."""
    found: dict[Value, Counts] = {}
    place = q.dimensions.index(cast("Dimension", by))
    for key, counts in groups.items():
        if q.is_chosen(key):
            found.setdefault(key[place], Counts()).add(counts)
    return found


def _ordered(rows: list[BreakdownRow], *, ranked: bool) -> list[BreakdownRow]:
    if ranked:
        return sorted(rows, key=lambda row: (-(row.score.value or 0), str(row.key)))
    return sorted(rows, key=lambda row: (row.key is None, isinstance(row.key, str), row.key))
