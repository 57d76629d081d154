"""One filtered select behind list, aggregates, export and dashboard: in, a reader and a filter; out, rows or SQL.

The key's accounts and the embargo are always applied, test traffic never counts. Rows leave with the attribution of
small groups already blanked (see `attribution`). Never writes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.auth.keys import Reader
from service.db import EPOCH, Micros
from service.models import feedback_request, result
from service.reports.dimensions import NAMED
from service.reports.filters import Filter, from_values, parse
from service.reports.rows.attribution import Attribution, attribution_of
from service.reports.rows.row import Columns, Row, rows_of
from service.reports.rows.told import told
from service.reports.visible import UNINDEXED_ACCOUNT, View, view_of
from service.settings import Settings
from service.states import State

__all__ = ["Filter", "Order", "Page", "Position", "Row", "from_values", "get", "page", "parse", "rows"]

f = feedback_request.c
r = result.c
Kind = Literal["results", "requests", "both"]
REQUEST_COLUMNS = (
    *(f.id, f.conversation_id, f.source, f.account, f.campaign, f.team_id, f.agent_id, f.type, f.question_variant_id),
    *(f.display_name, f.ended_at, f.card_sent_at, f.state, f.reason, f.language, f.test, f.channel),
)
SORTS = ("updated_at", "ended_at")
DEFAULT_LIMIT, MOST = 50, 250


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the sort key and id of its last row."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is sorted. The id breaks ties, so that no row is lost or repeated between pages."""

    sort: str = "updated_at"
    kind: Kind = "results"
    newest_first: bool = False

    @property
    def columns(self) -> tuple[Any, Any]:
        """The sort key and the id, from the table whose index holds both."""
        if self.sort == "ended_at":
            return f.ended_at, f.id
        return (r.updated_at, r.request_id) if self.kind == "results" else (f.updated_at, f.id)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows and where the next page begins; `next` None: the end, whatever the number of rows.

    `withheld`: rows of small groups were left out, because the filter names agents, teams or conversations.
    """

    columns: Columns
    next: Position | None
    withheld: bool = False

    @property
    def rows(self) -> tuple[Row, ...]:
        """The page as rows."""
        return rows_of(self.columns)


def rows(
    connection: Connection,
    settings: Settings,
    reader: Reader,
    filter: Filter,
    now: datetime,
    *,
    after: Position | None = None,
    limit: int = DEFAULT_LIMIT,
    sort: str = "updated_at",
    kind: Kind = "results",
    newest_first: bool = False,
) -> Page:
    """Return one page, oldest first. `kind` results: answered requests only; requests: the whole ledger.

    The third, both, is the export's: the whole ledger, and `updated_at` is the later of request and answer.
    """
    view = view_of(connection, settings, reader, now)
    attribution = attribution_of(connection, view)
    order = Order(sort, kind, newest_first)
    return page(connection, settings, view, attribution, filter, order, after=after, limit=limit)


def page(
    connection: Connection,
    settings: Settings,
    view: View,
    attribution: Attribution,
    filter: Filter,
    order: Order,
    *,
    after: Position | None,
    limit: int,
    received_before: datetime | None = None,
) -> Page:
    """Return one page for a reader whose view and attribution are known already (exports read many)."""
    names_people = filter.names_people or bool(filter.conversation_ids)
    key, identity = order.columns
    query = select_rows(view, filter, order).limit(limit + 1)
    query = query.order_by(*(each.desc() if order.newest_first else each for each in (key, identity)))
    if names_people:
        query = query.where(sa.or_(_not_sent(), attribution.shown()))
    if received_before is not None:
        query = query.where(f.received_at <= received_before)
    if after is not None:
        here, there = sa.tuple_(key, identity), sa.tuple_(*_bound(key, after))
        query = query.where(here < there if order.newest_first else here > there)
    found = connection.execute(query).all()
    shown = told(found[:limit], settings, attribution)
    return Page(shown, _place(found, order, limit), names_people and attribution.hides)


def _place(found: Sequence[sa.Row[Any]], order: Order, limit: int) -> Position | None:
    """Where the next page begins, if there is one."""
    if len(found) <= limit:
        return None
    last = found[limit - 1]
    micros = last.ended_at if order.sort == "ended_at" else last.updated_at
    return Position(EPOCH + timedelta(microseconds=micros), last.id)


def get(
    connection: Connection, settings: Settings, reader: Reader, request_id: str, now: datetime, kind: Kind = "results"
) -> Row | None:
    """Return one row, protected as in the list; None if there is none this reader may know of."""
    one = Filter(request_ids=(request_id,), include_test=True)
    return next(iter(rows(connection, settings, reader, one, now, limit=1, kind=kind).rows), None)


def select_rows(view: View, filter: Filter, order: Order) -> sa.Select[Any]:
    """Return the statement of a list, without its order."""
    changed = _changed(view, order)
    columns = [_plain(each).label(each.key) for each in REQUEST_COLUMNS]
    answer = {
        "tags": sa.cast(f.tags, sa.Text),
        "customer_ref": f.customer_ref if view.sees_customers else sa.null(),
        "score": view.score,
        "score_at": view.score_at,
        "text": view.text,
        "text_at": view.text_at,
        "updated_at": changed,
        "update_count": sa.case((view.settled, r.update_count), else_=0),
    }
    columns += [_plain(each).label(name) for name, each in answer.items()]
    query = sa.select(*columns).where(view.mine, *conditions(view, filter, changed))
    if order.kind == "results":
        inner = result.join(feedback_request, sa.and_(f.id == r.request_id, view.came))
        # under an embargo a row that changed today is told tomorrow, at its own place in the order
        late = (view.settled,) if order.sort == "updated_at" else ()
        return query.select_from(inner).where(view.answered, *late)
    return query.select_from(view.join)


def _plain(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Times as the microseconds they are, flags as the database has them: a file has no need of objects."""
    kind = column.type
    if isinstance(kind, Micros):
        return sa.type_coerce(column, sa.BigInteger)
    return sa.type_coerce(column, sa.Integer) if isinstance(kind, sa.Boolean) else column


def _changed(view: View, order: Order) -> sa.ColumnElement[Any]:
    """When the row changed, as far as this reader may know."""
    if order.kind == "requests":
        return f.updated_at
    if order.kind == "both":
        return sa.case((sa.and_(view.settled, r.updated_at > f.updated_at), r.updated_at), else_=f.updated_at)
    if view.cutoff is None or order.sort == "updated_at":
        return r.updated_at
    return sa.case((view.settled, r.updated_at), else_=r.first_seen_at)


def conditions(view: View, filter: Filter, changed: sa.ColumnElement[Any]) -> list[sa.ColumnElement[bool]]:
    """Every filter as SQL. `changed` is the clock of `updated_at` and `updated_since`."""
    found = list(_listed(filter)) + list(_period(filter, _clock(view, filter.date_field, changed)))
    if not filter.include_test:
        found.append(f.test.is_(False))
    if filter.has_text is not None:
        found.append(view.text.is_not(None) if filter.has_text else view.text.is_(None))
    if filter.answered is not None:
        found.append(view.answered if filter.answered else sa.not_(view.answered))
    if filter.updated_since is not None:
        found.append(changed >= filter.updated_since)
    if filter.scores:
        found.append(view.score.in_(filter.scores))
    return found


def figure_conditions(view: View, filter: Filter, clock: str) -> list[sa.ColumnElement[bool]]:
    """The filters of a figure about conversations, with the period on one named clock. Test traffic never counts."""
    plain = replace(filter, date_field=clock, include_test=False)
    mine = view.mine_by_index if clock == "sent_at" else view.mine
    return [mine, *conditions(view, plain, f.updated_at)]


def _listed(filter: Filter) -> Iterable[sa.ColumnElement[bool]]:
    for name, groups in filter.chosen.items():
        yield NAMED[name].is_one_of(groups, UNINDEXED_ACCOUNT if name == "account" else None)
    columns: tuple[tuple[sa.ColumnElement[Any], Sequence[Any]], ...] = (
        (f.type, filter.types),
        (f.state, filter.states),
        (f.reason, filter.reasons),
        (f.id, filter.request_ids),
        (f.conversation_id, filter.conversation_ids),
    )
    for column, values in columns:
        if values:
            yield column.in_(values)


def _period(filter: Filter, clock: sa.ColumnElement[Any]) -> Iterable[sa.ColumnElement[bool]]:
    if filter.since is not None:
        yield clock >= filter.since
    if filter.until is not None:
        yield clock < filter.until


def _clock(view: View, date_field: str | None, changed: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    clocks: dict[str, sa.ColumnElement[Any]] = {
        "ended_at": f.ended_at,
        "sent_at": f.card_sent_at,
        "scored_at": view.score_at,
        "updated_at": changed,
    }
    return clocks[date_field or "updated_at"]


def _bound(key: Any, after: Position) -> Sequence[sa.ColumnElement[Any]]:
    return (sa.bindparam("after_at", after.at, type_=key.type), sa.bindparam("after_id", after.id, type_=f.id.type))


def _not_sent() -> sa.ColumnElement[bool]:
    """Nobody was asked, so there is no answer that the attribution could be paired with."""
    return f.state.not_in((State.CARD_SENT, State.UNKNOWN))
