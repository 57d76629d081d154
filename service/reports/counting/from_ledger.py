"""Counts straight from the requests and answers: exact, and slow for long periods. Never writes.

For whatever no roll-up holds: the edges of a period that begin or end within a day, other time zones, and everything
while roll-ups are being built.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import feedback_request, result
from service.reports.counting.facts import COLUMNS, REASON, STATE
from service.reports.counting.lines import Line, Slice
from service.reports.counting.zones import local_day, local_hour
from service.reports.dimensions import NAMED
from service.reports.visible import UNINDEXED_ACCOUNT, View

fr = feedback_request.c
res = result.c


def ledger_lines(connection: Connection, view: View, q: Slice, *conditions: sa.ColumnElement[bool]) -> Iterator[Line]:
    """Answer from the ledger, as far as this view goes; `conditions`: from some of its requests alone."""
    moment = moment_of(view, q.clock)
    split = [local_hour(moment, q.zone) if name == "hour" else COLUMNS[name] for name in q.by]
    day = local_day(moment, q.zone) if q.daily or q.monthly else sa.null()
    always = (fr.type, COLUMNS["variant"], COLUMNS["way"])
    columns = [*split, day, *always, STATE, REASON, view.score, view.answered, view.commented]
    labelled = [column.label(f"c{place}") for place, column in enumerate(columns)]
    mine = view.mine_by_index if q.clock == "sent_at" and not conditions else view.mine
    query = (
        sa.select(*labelled, sa.func.count())
        .select_from(_tables(view, q.clock))
        .where(mine, *_conditions(view, q, moment), *conditions)
    )
    for *values, day_, kind, variant, way, state, reason, score, answered, commented, n in connection.execute(
        query.group_by(*(sa.text(str(place + 1)) for place in range(len(labelled))))
    ):
        scores = tuple(n if score == each else 0 for each in range(11))
        counts = (n, n * bool(answered), n * bool(commented), scores)
        yield Line(tuple(values), day_, kind, variant, way, state, reason, *counts)


def moment_of(view: View, clock: str) -> sa.ColumnElement[Any]:
    """The moment that decides when a conversation counts."""
    if clock == "scored_at":
        return view.score_at
    columns: dict[str, sa.ColumnElement[Any]]
    columns = {"sent_at": fr.card_sent_at, "ended_at": fr.ended_at, "updated_at": res.updated_at}
    return columns[clock]


def _tables(view: View, clock: str) -> sa.FromClause:
    if clock in {"scored_at", "updated_at"}:
        return result.join(feedback_request, sa.and_(fr.id == res.request_id, view.came))
    return view.join


def _conditions(view: View, q: Slice, moment: sa.ColumnElement[Any]) -> Iterator[sa.ColumnElement[bool]]:
    yield fr.test.is_(False)
    yield moment.is_not(None)
    yield from _within(moment, q)
    if q.clock == "scored_at":  # on the plain columns too, so that an index finds it
        yield sa.or_(
            sa.and_(*_within(res.score_at, q)), sa.and_(res.score_at.is_(None), *_within(res.first_seen_at, q))
        )
    elif q.clock == "updated_at":
        yield view.from_answers
    if q.types:
        yield fr.type.in_(q.types)
    for name, values in q.chosen.items():
        yield NAMED[name].is_one_of(values, UNINDEXED_ACCOUNT if name == "account" else None)


def _within(moment: sa.ColumnElement[Any], q: Slice) -> Sequence[sa.ColumnElement[bool]]:
    return [
        sa.true() if q.since is None else moment >= q.since,
        sa.true() if q.until is None else moment < q.until,
    ]
