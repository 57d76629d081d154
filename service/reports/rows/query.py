"""Rows by the page: a question in, the next rows out, searched where words are asked for.

Rows leave with the names of people who must not be named already blanked (see `disclosure.naming`). Never writes.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import from_micros
from service.errors import NotFound
from service.models import feedback_request
from service.reports.disclosure.naming import hides_somebody
from service.reports.filters import Filter
from service.reports.report_query import ReportQuery
from service.reports.rows.mood import place_of
from service.reports.rows.order import OLDEST, WORST, Kind, Order
from service.reports.rows.position import Erased, Page, Position
from service.reports.rows.redaction import told
from service.reports.rows.row import COLUMNS, Columns, Row
from service.reports.rows.search import TEXT
from service.reports.rows.search import found as having
from service.reports.rows.select import Selection, names_people, select_listed
from service.reports.rows.worst_first import worst_first
from service.reports.visible import View
from service.settings import Settings

fr = feedback_request.c
DEFAULT_LIMIT, MOST = 50, 250
MOST_PAGES_READ = 20  # of a search, for one page that is told


def rows(
    asked: ReportQuery,
    order: Order = OLDEST,
    *,
    after: Position | None = None,
    limit: int = DEFAULT_LIMIT,
    tombstones: bool = False,
    readable: bool = False,
) -> Page:
    """Return one page; `readable`: only rows whose comment may be read."""
    wanted = Selection(asked.filter, order, tombstones=tombstones, readable=readable)
    read = partial(page, asked.connection, asked.settings, asked.view, wanted)
    if asked.filter.q is not None:
        return _searched(read, asked.filter.q, order, after, limit)
    return read(after=after, limit=limit)


def page(
    connection: Connection, settings: Settings, view: View, wanted: Selection, *, after: Position | None, limit: int
) -> Page:
    """Return one page for a reader whose view is already known (exports read many)."""
    _by_one_process(connection)
    found = _in_order(connection, select_listed(view, wanted), wanted, after, limit + 1)
    following, withheld = _place(found, wanted.order, limit), withholds(connection, view, wanted.filter)
    return page_of(connection, found[:limit], settings, wanted.order.kind, following, withheld=withheld)


def _in_order(
    connection: Connection, query: sa.Select[Any], wanted: Selection, after: Position | None, limit: int
) -> Sequence[sa.Row[Any]]:
    order = wanted.order
    if order.sort == WORST:
        return worst_first(connection, query, wanted.filter, after, limit, backwards=order.newest_first)
    key, identity = order.columns
    if after is not None:
        at = sa.bindparam("after_at", after.at, type_=key.type)
        here, there = sa.tuple_(key, identity), sa.tuple_(at, sa.bindparam("after_id", after.id, type_=fr.id.type))
        query = query.where(here < there if order.newest_first else here > there)
    query = query.order_by(*(each.desc() if order.newest_first else each for each in (key, identity)))
    return connection.execute(query.limit(limit)).all()


def withholds(connection: Connection, view: View, filter: Filter) -> bool:
    """Whether the filter would match somebody who may not be named: those rows are left out."""
    return names_people(filter) and hides_somebody(connection, view.accounts)


def _by_one_process(connection: Connection) -> None:
    """Forbid parallel workers: a page is read before PostgreSQL has started them."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL max_parallel_workers_per_gather = 0")


def _searched(read: Callable[..., Page], typed: str, order: Order, after: Position | None, limit: int) -> Page:
    """Return the next rows with these words. Reads a limited number, so a page may be short or empty and still go on.

    A tombstone has no words and may belong to a row after the page's end: it is then told again.
    """
    columns: Columns = tuple([] for _ in COLUMNS)
    erased: dict[str, Erased] = {}
    for _ in range(MOST_PAGES_READ):
        found = read(after=after, limit=MOST)
        room = limit - len(columns[0])
        here = having(found.columns[TEXT], typed)
        both = zip(columns, found.columns, strict=True)
        columns = tuple([*held, *(column[at] for at in here[:room])] for held, column in both)
        erased |= {each.request_id: each for each in found.erased}
        if len(here) > room or (len(here) == room and found.next is not None):
            return Page(columns, _behind(columns, order), found.withheld, (*erased.values(),))
        after = found.next
        if after is None:
            break
    return Page(columns, after, found.withheld, (*erased.values(),))


def _behind(columns: Columns, order: Order) -> Position:
    """The place of the last row."""
    last = dict(zip(COLUMNS, (column[-1] for column in columns), strict=True))
    at = last["updated_at"] if order.sort == WORST else last[order.sort]
    return _position(order, last["type"], last["score"], at, last["request_id"])


def _position(order: Order, kind: str | None, score: int | None, micros: int, request_id: str) -> Position:
    at = from_micros(micros)
    return Position(place_of(kind, score, at) if order.sort == WORST else at, request_id)


def page_of(
    connection: Connection,
    found: Sequence[sa.Row[Any]],
    settings: Settings,
    kind: Kind,
    next: Position | None,
    *,
    withheld: bool = False,
) -> Page:
    """Return what was found as a page; a result that is no longer answered becomes a tombstone."""
    gone = [each for each in found if kind == "results" and not each.answered]
    shown = [each for each in found if each.answered] if gone else found
    erased = tuple(Erased(each.id, from_micros(each.erased_at)) for each in gone)
    return Page(told(connection, shown, settings), next, withheld, erased)


def _place(found: Sequence[sa.Row[Any]], order: Order, limit: int) -> Position | None:
    """Where the next page begins, if there is one."""
    if len(found) <= limit:
        return None
    last = found[limit - 1]
    micros = last.ended_at if order.sort == "ended_at" else last.updated_at
    return _position(order, last.type, last.score, micros, last.id)


def get(asked: ReportQuery, request_id: str, kind: Kind = "results") -> Row:
    """Return one row, protected as in the list; the filter does not matter. Raises NotFound."""
    one = asked.filtered(Filter(request_ids=(request_id,), include_test=True))
    for row in rows(one, Order("ended_at", kind), limit=1).rows:
        return row
    if kind == "results":
        raise NotFound("no_such_result", "There is no such result, or your key does not cover its account.")
    raise NotFound("no_such_request", "There is no such request, or your key does not cover its account.")
