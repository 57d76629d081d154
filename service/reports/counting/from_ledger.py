"""Counts straight from the requests and answers: exact, and slow for long periods. Never writes.

For whatever no roll-up holds: the edges of a period that begin or end within a day, other time zones, and everything
while roll-ups are being built.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import feedback_request, result
from service.reports.counting.facts import COLUMNS, REASON, STATE
from service.reports.counting.lines import Line, QuestionForm, Slice
from service.reports.counting.zones import local_day, local_hour
from service.reports.visible import UNINDEXED_ACCOUNT, View, in_general

fr = feedback_request.c
res = result.c
NARROWED_BY: dict[str, sa.ColumnElement[Any]] = {**COLUMNS, "account": UNINDEXED_ACCOUNT, "type": fr.type}


def ledger_lines(
    connection: Connection, view: View, q: Slice, some: sa.ColumnElement[bool] | None = None
) -> Iterator[Line]:
    """Answer from the ledger, as far as this view goes; `some`: from these of its requests alone."""
    query = _statement(q.form, some, embargoed=view.cutoff is not None)
    for *values, day_, kind, variant, way, state, reason, score, answered, commented, n in connection.execute(
        query, {**view.values, **q.values}
    ):
        scores = tuple(n if score == each else 0 for each in range(11))
        counts = (n, n * bool(answered), n * bool(commented), scores)
        yield Line(tuple(values), day_, kind, variant, way, state, reason, *counts)


@lru_cache(maxsize=256)
def _statement(form: QuestionForm, some: sa.ColumnElement[bool] | None, *, embargoed: bool) -> sa.Select[Any]:
    view = in_general(embargoed=embargoed)
    moment = moment_of(view, form.clock)
    split = [local_hour(moment, form.zone) if name == "hour" else COLUMNS[name] for name in form.by]
    day = local_day(moment, form.zone) if form.dated else sa.null()
    always = (fr.type, COLUMNS["variant"], COLUMNS["way"])
    columns = [*split, day, *always, STATE, REASON, view.score, view.answered, view.commented]
    labelled = [column.label(f"c{place}") for place, column in enumerate(columns)]
    mine = view.mine_by_index if form.clock == "sent_at" and some is None else view.mine
    asked = [*_conditions(view, form, moment), *([] if some is None else [some])]
    query = sa.select(*labelled, sa.func.count()).select_from(_tables(view, form.clock)).where(mine, *asked)
    return query.group_by(*(sa.text(str(place + 1)) for place in range(len(labelled))))


def moment_of(view: View, clock: str) -> sa.ColumnElement[Any]:
    """The moment that decides when a conversation counts."""
    if clock == "scored_at":
        return view.score_at
    columns: dict[str, sa.ColumnElement[Any]]
    columns = {"sent_at": fr.card_sent_at, "ended_at": fr.ended_at, "updated_at": view.changed_at}
    return columns[clock]


def _tables(view: View, clock: str) -> sa.FromClause:
    if clock in {"scored_at", "updated_at"}:
        return result.join(feedback_request, sa.and_(fr.id == res.request_id, view.came))
    return view.join


def _conditions(view: View, form: QuestionForm, moment: sa.ColumnElement[Any]) -> Iterator[sa.ColumnElement[bool]]:
    yield fr.test.is_(False)
    yield moment.is_not(None)
    yield from _within(moment, form)
    if form.clock == "scored_at":  # on the plain columns too, so that an index finds it
        yield sa.or_(
            sa.and_(*_within(res.score_at, form)), sa.and_(res.score_at.is_(None), *_within(res.first_seen_at, form))
        )
    elif form.clock == "updated_at":
        yield view.from_answers
    yield from form.narrowed(NARROWED_BY)


def _within(moment: sa.ColumnElement[Any], form: QuestionForm) -> Sequence[sa.ColumnElement[bool]]:
    since, until = sa.bindparam("since", type_=moment.type), sa.bindparam("until", type_=moment.type)
    return [moment >= since if form.since else sa.true(), moment < until if form.until else sa.true()]
