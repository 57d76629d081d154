"""What changed, in the order of the commits: in, a place in that order; out, each request once, as it is now.

At least once and without gaps: whoever has read up to a number has missed nothing below it, whatever the clocks of the
machines say. Under an embargo the order ends before the first change that may not be known of yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.auth.keys import Reader
from service.errors import Gone
from service.models import feedback_request
from service.reports.disclosure.naming import HIDDEN
from service.reports.filters import Filter
from service.reports.rows.query import Kind, Order, Page, names_people, page_of, select_rows
from service.reports.rows.row import Row, rows_of
from service.reports.rows.search import with_words
from service.reports.rows.told import told
from service.reports.visible import View, told_until, view_of
from service.requests import seals
from service.settings import Settings

fr = feedback_request.c
What = Literal["result", "request", "erased"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the order of changes. Numbers mean nothing beyond their epoch."""

    epoch: str
    number: int


@dataclass(frozen=True, slots=True)
class ChangedRequest:
    """A request as it is now. result: answered; request: not, or not yet; erased: forget the answer you hold."""

    change: What
    row: Row


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """Some changes and where to go on. `more`: there are others already. `here`: all that was sealed by then.

    Under an embargo `next` stays behind `here` until tomorrow.
    """

    rows: Sequence[sa.Row[Any]]
    next: Mark
    more: bool
    here: Mark


def here(connection: Connection) -> Mark:
    """Return the place behind everything sealed so far. Take it before a full read, and go on from it after."""
    return Mark(seals.epoch(connection), seals.last(connection))


def is_news(connection: Connection, mark: Mark) -> bool:
    """Whether anything was sealed since: cheap, for whoever waits."""
    return here(connection) != mark


def feed(
    connection: Connection, settings: Settings, reader: Reader, mark: Mark | None, limit: int, now: datetime
) -> tuple[ChangesPage, tuple[ChangedRequest, ...]]:
    """Return up to `limit` changes of everything behind a place; None: from the beginning. Raises Gone."""
    view = view_of(connection, settings, reader, now)
    query = select_rows(view, Filter(include_test=True), Order("updated_at", "both"))
    found = _after(connection, view, query, mark or Mark(seals.epoch(connection), 0), limit)
    rows = rows_of(told(connection, found.rows, settings))
    return found, tuple(ChangedRequest(_what(raw), row) for raw, row in zip(found.rows, rows, strict=True))


def resumed(
    connection: Connection,
    settings: Settings,
    reader: Reader,
    filter: Filter,
    kind: Kind,
    mark: Mark,
    limit: int,
    now: datetime,
) -> tuple[ChangesPage, Page]:
    """Go on with a list where a full read of it began: what has changed since, tombstones too. Raises Gone."""
    view = view_of(connection, settings, reader, now)
    query = select_rows(view, replace(filter, updated_since=None), Order("ended_at", kind), tombstones=True)
    if names_people(filter):
        query = query.where(sa.not_(HIDDEN))
    found = _after(connection, view, query, mark, limit)
    page = page_of(connection, found.rows, settings, kind, None)
    return found, replace(page, columns=with_words(page.columns, filter.q))


def _after(connection: Connection, view: View, query: sa.Select[Any], mark: Mark, limit: int) -> ChangesPage:
    end = here(connection)  # before the rows: those up to it are all there
    if mark.epoch != end.epoch or mark.number > end.number:
        raise Gone(
            "changes_begin_anew",
            "The database was restored from a backup (`dm-feedback db restored`), and this cursor may tell of changes "
            "it does not know. Begin again without a cursor, and forget the rows that do not come again.",
        )
    wall = told_until(connection, view.cutoff)
    until = end.number if wall is None else max(mark.number, min(end.number, wall - 1))
    between = query.add_columns(fr.sealed).where(fr.sealed > mark.number, fr.sealed <= until)
    rows = connection.execute(between.order_by(fr.sealed).limit(limit + 1)).all()
    more = len(rows) > limit
    return ChangesPage(rows[:limit], Mark(end.epoch, rows[limit - 1].sealed if more else until), more, end)


def _what(raw: sa.Row[Any]) -> What:
    if raw.answered:
        return "result"
    return "request" if raw.erased_at is None else "erased"
