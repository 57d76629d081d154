"""What changed, in commit order: from a place in that order on, each request once, as it is now.

At least once and without gaps: whoever has read up to a number has missed nothing below it, whatever the machines'
clocks say. Under an embargo the order ends before the first change that must not be known yet. Whoever continues a
filtered list also learns what is no longer in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.errors import Gone
from service.models import feedback_request
from service.reports.filters import Filter
from service.reports.report_query import ReportQuery
from service.reports.rows.order import Kind, Order
from service.reports.rows.position import Page
from service.reports.rows.query import page_of
from service.reports.rows.redaction import told
from service.reports.rows.row import COLUMNS, objects_of
from service.reports.rows.search import with_words
from service.reports.rows.select import meets, select_rows
from service.reports.visible import View, told_until
from service.requests import seals

fr = feedback_request.c
ID = COLUMNS.index("request_id")
What = Literal["result", "request", "erased"]
Changes = list[dict[str, Any]]
"""Requests as they are now, as JSON objects: a row's columns, and `change`. result: answered; request: not, or not yet;
erased: delete the answer you hold."""


@dataclass(frozen=True, slots=True)
class ChangePosition:
    """A place in the order of changes. Numbers mean nothing beyond their epoch."""

    epoch: str
    number: int


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """Some changes and where to continue. `more`: there are others already. `here`: everything sealed by then.

    Under an embargo `next` stays behind `here` until tomorrow.
    """

    rows: Sequence[sa.Row[Any]]
    next: ChangePosition
    more: bool
    here: ChangePosition


def here(connection: Connection) -> ChangePosition:
    """Return the place behind everything sealed so far."""
    return ChangePosition(seals.epoch(connection), seals.last(connection))


def begun(asked: ReportQuery) -> ChangePosition:
    """Return the place after everything that may be told. Take it before a full read, and continue from it after."""
    return _told(asked.connection, here(asked.connection), asked.view)


def _told(connection: Connection, end: ChangePosition, view: View) -> ChangePosition:
    """The place before what is held back of the reader's accounts: of others nothing is told, nor that it waits."""
    wall = told_until(connection, view.cutoff, view.mine)
    return end if wall is None else replace(end, number=min(end.number, wall - 1))


def is_news(connection: Connection, position: ChangePosition) -> bool:
    """Whether anything was sealed since; cheap, for waiting clients."""
    return here(connection) != position


def feed(asked: ReportQuery, position: ChangePosition | None, limit: int) -> tuple[ChangesPage, Changes]:
    """Return up to `limit` changes after a place; None: from the beginning. Raises Gone."""
    connection, view = asked.connection, asked.view
    query = select_rows(view, Filter(include_test=True), Order("updated_at", "both"))
    found = _after(connection, view, query, position or ChangePosition(seals.epoch(connection), 0), limit)
    rows = objects_of(told(connection, found.rows, asked.settings), COLUMNS)
    return found, [{"change": _what(raw), **row} for raw, row in zip(found.rows, rows, strict=True)]


def resumed(asked: ReportQuery, kind: Kind, position: ChangePosition, limit: int) -> tuple[ChangesPage, Page]:
    """Continue a list from where a full read of it began: what has changed since, with tombstones. Raises Gone.

    Looks at everything that changed, not only what the filter matches: `left` has what is no longer in the list.
    """
    connection, view, filter_ = asked.connection, asked.view, asked.filter
    order = Order("ended_at", kind)
    query = select_rows(view, _everything(filter_), order, tombstones=True)
    is_in = meets(view, replace(filter_, updated_since=None), order)
    found = _after(connection, view, query.add_columns(is_in.label("is_in")), position, limit)
    told = [row for row in found.rows if row.is_in or (kind == "results" and not row.answered)]
    page = page_of(connection, told, asked.settings, kind, None)
    columns = with_words(page.columns, filter_.q)
    told_of = {*columns[ID], *(each.request_id for each in page.erased)}
    return found, replace(page, columns=columns, left=tuple(row.id for row in found.rows if row.id not in told_of))


def _everything(filter: Filter) -> Filter:
    """The rows that can ever be in a list, whatever else the filter asks of them."""
    chosen = {"account": filter.of("account")} if filter.of("account") else {}
    return Filter(chosen=chosen, include_test=True)  # what is a test shows once a campaign has taken it


def _after(
    connection: Connection, view: View, query: sa.Select[Any], position: ChangePosition, limit: int
) -> ChangesPage:
    end = here(connection)  # before the rows: those up to it are all there
    if position.epoch != end.epoch or position.number > end.number:
        raise Gone(
            "changes_begin_anew",
            "The database was restored from a backup (`dm-feedback db restored`), and this cursor may refer to "
            "changes that no longer exist. Start again without a cursor, and delete the rows that do not come again.",
        )
    until = max(position.number, _told(connection, end, view).number)
    between = query.add_columns(fr.sealed).where(fr.sealed > position.number, fr.sealed <= until)
    rows = connection.execute(between.order_by(fr.sealed).limit(limit + 1)).all()
    more = len(rows) > limit
    return ChangesPage(rows[:limit], ChangePosition(end.epoch, rows[limit - 1].sealed if more else until), more, end)


def _what(raw: sa.Row[Any]) -> What:
    if raw.answered:
        return "result"
    return "request" if raw.erased_at is None else "erased"
