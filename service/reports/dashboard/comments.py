"""Comments and single results: in, a question and where to go on; out, rows as `query` protected them, newest first.

A search looks at what the reader may read and at nothing else: a word of a hidden comment is never found. It reads a
bounded number of rows a page and says where it stopped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.auth import Reader
from service.errors import Invalid
from service.models import result_update, transition
from service.reports.filters import Filter
from service.reports.rows import query
from service.reports.rows.cursor import cursors
from service.reports.rows.query import Order, Position
from service.reports.rows.row import Row
from service.reports.rows.search import begun, has
from service.reports.visible import cutoff
from service.settings import Settings

PER_PAGE = 25
READ_AT_ONCE = 250
MOST_READ = 5000
NEWEST_FIRST = Order("updated_at", "results", newest_first=True)
LONGEST_NEEDLE = 100
tr, upd = transition.c, result_update.c


@dataclass(frozen=True, slots=True)
class Comments:
    """One page. `read` rows were looked at; `next` goes on, None is the end."""

    rows: tuple[Row, ...]
    next: str | None
    read: int
    withheld: bool


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of a request's life. Never a customer's words."""

    at: datetime
    what: str
    detail: str


def comments(
    connection: Connection,
    settings: Settings,
    reader: Reader,
    filter: Filter,
    now: datetime,
    *,
    needle: str = "",
    cursor: str = "",
) -> Comments:
    """Return one page of answers, those with `needle` in their comment if there is one."""
    found: list[Row] = []
    known = cursors(settings.service.secret_key, reader, filter, NEWEST_FIRST)
    read, withheld, after = 0, False, known.read(cursor)
    wanted = begun(needle)
    for page in _pages(connection, settings, reader, filter, now, after, READ_AT_ONCE if wanted else PER_PAGE):
        withheld = withheld or page.withheld
        for row in page.rows:
            read, after = read + 1, Position(row.updated_at, row.request_id)
            if not wanted or has(row.text, needle):
                found.append(row)
            if len(found) == PER_PAGE or read == MOST_READ:
                last = page.next is None and row is page.rows[-1]
                return Comments(tuple(found), None if last else known.write(after), read, withheld)
    return Comments(tuple(found), None, read, withheld)


def _pages(
    connection: Connection,
    settings: Settings,
    reader: Reader,
    filter: Filter,
    now: datetime,
    after: Position | None,
    limit: int,
) -> Iterator[query.Page]:
    while True:
        page = query.rows(
            connection, settings, reader, filter, now, after=after, limit=limit, sort="updated_at", newest_first=True
        )
        yield page
        if page.next is None:
            return
        after = page.next


def life(connection: Connection, settings: Settings, row: Row, now: datetime) -> list[HistoryLine]:
    """Return what happened to a request and when, the oldest first: the machine's steps and X's news of the answer."""
    steps = connection.execute(sa.select(tr.at, tr.to_state, tr.reason).where(tr.request_id == row.request_id))
    lines = [HistoryLine(row.ended_at, "conversation_ended", "")]
    lines += [HistoryLine(at, state, reason or "") for at, state, reason in steps]
    lines += [HistoryLine(at, what, channel) for at, what, channel in _news(connection, settings, row.request_id, now)]
    return sorted(lines, key=lambda line: line.at)


def _news(
    connection: Connection, settings: Settings, request_id: str, now: datetime
) -> Iterator[tuple[datetime, str, str]]:
    """Updates X told us of, as far as the embargo lets them be seen; what they say stands in the result itself."""
    until = cutoff(settings, now) or now + timedelta(days=1)
    query_ = sa.select(upd.seen_at, upd.score, upd.text.is_not(None), upd.channel, upd.verdict).where(
        upd.request_id == request_id, upd.seen_at < until
    )
    for at, score, with_text, channel, verdict in connection.execute(query_.order_by(upd.id)):
        brought = [*(["score"] if score is not None else []), *(["comment"] if with_text else [])]
        yield at, f"news of {' and '.join(brought) or 'nothing'}", f"{channel}, {verdict}"


def searched(args: Any) -> str:
    """Return what to search for. Raises Invalid for words no database can hold."""
    needle = str(args.get("q", "")).strip()
    if len(needle) > LONGEST_NEEDLE or "\0" in needle:
        raise Invalid("invalid_search", f"Search for at most {LONGEST_NEEDLE} characters.")
    return needle
