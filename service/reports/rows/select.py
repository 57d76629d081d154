"""The one filtered select behind list, aggregates, export and dashboard. Executes nothing.

The key's accounts and the embargo always apply, and test traffic never counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from service.db import Micros
from service.models import feedback_request, result
from service.reports.disclosure.naming import HIDDEN, UNLINKED, UNREAD, named
from service.reports.filters import Filter
from service.reports.rows.conditions import answer_conditions, request_conditions
from service.reports.rows.order import WORST, Order
from service.reports.visible import View
from service.requests.rows import ASKED_BY

fr = feedback_request.c
res = result.c
REQUEST_COLUMNS = (
    fr.id, fr.conversation_id, fr.source, fr.account, fr.campaign, fr.team_id, fr.agent_id, fr.type,
    fr.question_variant_id, fr.display_name, fr.ended_at, fr.card_sent_at, fr.state, fr.reason, fr.language, fr.test,
    fr.channel, ASKED_BY,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows, in which order. `tombstones`: erased results too; `readable`: only rows whose comment may be read."""

    filter: Filter
    order: Order
    tombstones: bool = False
    readable: bool = False
    received_until: datetime | None = None


def select_listed(view: View, wanted: Selection) -> sa.Select[Any]:
    """Return the statement of a list, without its order: rows of people who may not be named are in none that names."""
    query = select_rows(view, wanted.filter, wanted.order, tombstones=wanted.tombstones)
    query = query.where(*_told_apart(wanted.filter))
    if wanted.readable:
        query = query.where(sa.not_(UNREAD))
    return query if wanted.received_until is None else query.where(fr.received_at <= wanted.received_until)


def select_rows(view: View, filter: Filter, order: Order, *, tombstones: bool = False) -> sa.Select[Any]:
    """Return the statement of all rows, whoever is named in them. `tombstones`: include erased results."""
    changed = _changed(view, order)
    columns = [_plain(each).label(each.key) for each in REQUEST_COLUMNS]
    answer = {
        "tags": sa.cast(fr.tags, sa.Text),
        "customer_ref": fr.customer_ref if view.sees_customers else sa.null(),
        "score": view.score,
        "score_at": view.score_at,
        "text": view.text,
        "text_at": view.text_at,
        "updated_at": changed,
        "update_count": sa.case((sa.and_(view.answered, view.settled), res.update_count), else_=0),
        "erased_at": fr.erased_at,
        "score_way": view.score_way,
        "answered": view.answered,
        "hidden": HIDDEN,
        "unlinked": UNLINKED,
        "unread": UNREAD,
    }
    columns += [_plain(each).label(name) for name, each in answer.items()]
    query = sa.select(*columns).where(view.mine, *request_conditions(filter, changed))
    told = answer_conditions(view, filter, changed)
    if order.kind == "results":
        inner = result.join(feedback_request, sa.and_(fr.id == res.request_id, view.came))
        # under an embargo a row that changed today is told tomorrow, at its own place in the order
        late = (view.settled,) if order.sort in {"updated_at", WORST} else ()
        shown = sa.and_(view.answered, *late, *told)
        return query.select_from(named(inner)).where(sa.or_(shown, fr.erased_at.is_not(None)) if tombstones else shown)
    return query.select_from(named(view.join)).where(*told)


def meets(view: View, filter: Filter, order: Order) -> sa.ColumnElement[bool]:
    """As SQL: whether a filter finds a row of `select_rows`."""
    changed = _changed(view, order)
    found = [*request_conditions(filter, changed), *answer_conditions(view, filter, changed)]
    return sa.and_(sa.true(), *found, *_told_apart(filter))


def _plain(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Times as microseconds, booleans as the database has them: a file needs no objects."""
    kind = column.type
    if isinstance(kind, Micros):
        return sa.type_coerce(column, sa.BigInteger)
    return sa.type_coerce(column, sa.Integer) if isinstance(kind, sa.Boolean) else column


def _changed(view: View, order: Order) -> sa.ColumnElement[Any]:
    """When the row changed, as far as this reader may know."""
    if order.kind == "requests":
        return fr.updated_at
    if order.kind == "both":
        return sa.case((sa.and_(view.settled, res.updated_at > fr.updated_at), res.updated_at), else_=fr.updated_at)
    return res.updated_at if order.sort in {"updated_at", WORST} else view.changed_at


def names_people(filter: Filter) -> bool:
    """Whether the filter would match somebody who may not be named."""
    return filter.names_people or bool(filter.conversation_ids)


def _told_apart(filter: Filter) -> Iterator[sa.ColumnElement[bool]]:
    """Leave out the rows that would say by being found whose they are."""
    if names_people(filter):
        yield sa.not_(UNLINKED if filter.conversation_ids else HIDDEN)
