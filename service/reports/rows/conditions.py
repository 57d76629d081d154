"""Filters as SQL conditions: one grammar for lists, files and counts."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from service.models import feedback_request, result
from service.reports.counting.from_ledger import NARROWED_BY
from service.reports.dimensions import NAMED, is_among
from service.reports.filters import ANSWERED, Filter
from service.reports.rows import marks, mood
from service.reports.visible import View

fr = feedback_request.c
CLOCKS_DIFFER = timedelta(days=1)  # X's and ours, at most


def request_conditions(filter: Filter, changed: sa.ColumnElement[Any]) -> list[sa.ColumnElement[bool]]:
    """The filters an erased answer still matches: a mirror with the same filter must hear of it."""
    found = list(_listed(filter))
    if not filter.include_test:
        found.append(fr.test.is_(False))
    if filter.updated_since is not None:
        found.append(changed >= filter.updated_since)
    return found


def answer_conditions(view: View, filter: Filter, changed: sa.ColumnElement[Any]) -> list[sa.ColumnElement[bool]]:
    """The filters by what was answered, and when."""
    found = list(_period(filter, _clock(view, filter.date_field, changed)))
    if filter.has_text is not None:
        found.append(view.text.is_not(None) if filter.has_text else view.text.is_(None))
    if filter.answered is not None:
        found.append(view.answered if filter.answered else sa.not_(view.answered))
    if filter.scores:
        found.append(view.score.in_(filter.scores))
    if filter.score_from is not None:
        found.append(view.score >= filter.score_from)
    if filter.score_to is not None:
        found.append(view.score <= filter.score_to)
    if filter.moods:
        found.append(mood.is_one_of(view, filter.moods))
    if filter.done is not None:
        found.append(marks.is_done(filter.done))
    if filter.owner is not None:
        found.append(marks.is_owned_by(filter.owner))
    if filter.q is not None:
        found.append(view.text.is_not(None))
    return found


def _listed(filter: Filter) -> Iterable[sa.ColumnElement[bool]]:
    for name, groups in filter.chosen.items():
        yield is_among(NARROWED_BY[name], NAMED[name].named(groups), without=None in groups)
    columns: tuple[tuple[sa.ColumnElement[Any], Sequence[Any]], ...] = (
        (fr.type, filter.types),
        (fr.state, filter.states),
        (fr.reason, filter.reasons),
        (fr.id, filter.request_ids),
        (fr.conversation_id, filter.conversation_ids),
    )
    for column, values in columns:
        if values:
            yield column.in_(values)


def _period(filter: Filter, clock: sa.ColumnElement[Any]) -> Iterable[sa.ColumnElement[bool]]:
    if filter.since is not None:
        yield clock >= filter.since
        if filter.date_field == ANSWERED:
            yield result.c.updated_at >= filter.since - CLOCKS_DIFFER  # an index holds this one
    if filter.until is not None:
        yield clock < filter.until


def _clock(view: View, date_field: str | None, changed: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    clocks: dict[str, sa.ColumnElement[Any]] = {
        "ended_at": fr.ended_at,
        "sent_at": fr.card_sent_at,
        "scored_at": view.score_at,
        "updated_at": changed,
        ANSWERED: view.answered_at,
    }
    return clocks[date_field or "updated_at"]
