"""Scores by group: in, a question and a dimension; out, one table a kind of card, small groups hidden."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from service.reports.asking import Asking
from service.reports.cells import Cell, Dimension, Value
from service.reports.counts import Counts, Groups
from service.reports.printed import hidden_rates, response, score
from service.reports.protection import Part, Question, Selection, along, along_people, is_chosen, select
from service.reports.shapes import Breakdown, BreakdownRow
from service.reports.suppression import Group, Reason, may_rank

LEDGER = "ended_at"


def breakdowns_of(ask: Asking, by: str) -> tuple[Breakdown, ...]:
    """Return every kind of card asked about."""
    people = ask.question("csat", by).people
    split: tuple[str, ...] = people if by in people else (by,)
    # zeros of people nobody asked about are protected too: the same question without their names must agree
    everybody = replace(ask.filter, accounts=(), teams=(), agents=()) if len(split) > 1 else ask.filter
    sent = ask.counts(everybody, ask.rate_clock, (*split, "type"))
    ended = ask.counts(everybody, LEDGER, split)
    cells = ask.cells(by)
    return tuple(
        _breakdown(ask, by, split, ask.question(kind, by), cells.get(kind, []), _of_kind(sent, kind), ended)
        for kind in ask.kinds
    )


def _breakdown(
    ask: Asking, by: str, split: tuple[str, ...], q: Question, cells: Sequence[Cell], sent: Groups, ended: Groups
) -> Breakdown:
    known = {*sent, *ended}
    selection = select(cells, q, known if len(split) > 1 else ())
    parts = _parts(selection, q, by, split, {key[0] for key in known})
    sent_by, ended_by = (_regrouped(groups, ask, split, by) for groups in (sent, ended))
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


def _parts(selection: Selection, q: Question, by: str, split: tuple[str, ...], known: set[Value]) -> Mapping[Any, Part]:
    dimension = cast("Dimension", by)
    if len(split) > 1:
        return along_people(selection, q, dimension)
    place = q.dimensions.index(dimension)
    return along(selection, q, lambda cell: cell.values[place], known)


def _of_kind(groups: Groups, kind: str) -> Groups:
    return {key[:-1]: counts for key, counts in groups.items() if key[-1] == kind}


def _regrouped(groups: Groups, ask: Asking, split: tuple[str, ...], by: str) -> dict[Value, Counts]:
    """The conversations of those asked for, by the one dimension that is shown."""
    found: dict[Value, Counts] = {}
    place = split.index(by)
    for key, counts in groups.items():
        if len(split) == 1 or is_chosen(key, cast("tuple[Dimension, ...]", split), ask.wanted):
            found.setdefault(key[place], Counts()).add(counts)
    return found


def _ordered(rows: list[BreakdownRow], *, ranked: bool) -> list[BreakdownRow]:
    if ranked:
        return sorted(rows, key=lambda row: (-(row.score.value or 0), str(row.key)))
    return sorted(rows, key=lambda row: (row.key is None, isinstance(row.key, str), row.key))
