"""Comments and single results, worst first, as `query` has redacted them, with the search.

A search only looks at what the reader may read, so a word in a hidden comment is never found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import result_update, transition
from service.reports.filters import ANSWERED
from service.reports.report_query import ReportQuery
from service.reports.rows import query
from service.reports.rows.cursor import cursors
from service.reports.rows.marks import ReviewMark, marks_of
from service.reports.rows.mood import mood_of, place_of
from service.reports.rows.order import WORST, Order
from service.reports.rows.position import Position
from service.reports.rows.row import Row

PER_PAGE = 25
ORDERS = {"worst": Order(WORST, "results"), "newest": Order("updated_at", "results", newest_first=True)}
CAME = {
    "webhook": "told by X",
    "events": "fetched from X",
    "show": "fetched from X",
    "page": "from our own page",
    "dm": "by a DM",
}
BECAME = {
    "older": "kept; the known answer counts",
    "repeat": "known already",
    "anomaly": "contradicts an earlier answer; the earlier one counts",
}
tr, upd = transition.c, result_update.c


@dataclass(frozen=True, slots=True)
class Comment:
    """An answer as people read it, with what they do about it. `address` keeps the filter, `link` is for others."""

    row: Row
    mark: ReviewMark
    mood: str
    address: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Comments:
    """One page. `next` goes on, None is the end."""

    rows: tuple[Comment, ...]
    next: str | None
    withheld: bool


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of a request's life. Never a customer's words."""

    at: datetime
    what: str
    detail: str


def comments(
    asked: ReportQuery, *, order: Order, cursor: str = "", limit: int = PER_PAGE, readable: bool = False
) -> Comments:
    """Return one page of answers; `readable`: only those whose comment may be read."""
    known = cursors(asked.settings.service.secret_key, asked.reader, asked.filter, order)
    page = query.rows(asked, order, after=known.read(cursor), limit=limit, readable=readable)
    return Comments(marked(asked.connection, page.rows), known.write(page.next) or None, page.withheld)


def marked(connection: Connection, rows: Sequence[Row]) -> tuple[Comment, ...]:
    """Return answers with their marks and moods."""
    marks = marks_of(connection, [row.request_id for row in rows])
    return tuple(Comment(row, marks[row.request_id], mood_of(row.type, row.score)) for row in rows)


def worst_open(asked: ReportQuery, limit: int) -> tuple[Comment, ...]:
    """Return the unhappiest open comments that may be read."""
    of_day = asked.filter.date_field or ANSWERED
    wanted = replace(asked.filter, has_text=True, done=False, moods=("unhappy", "neutral"), date_field=of_day)
    return comments(asked.filtered(wanted), order=ORDERS["worst"], limit=limit, readable=True).rows


def neighbours(asked: ReportQuery, order: Order, row: Row) -> tuple[str | None, str | None]:
    """Return the ids before and after an answer in a list."""
    at = place_of(row.type, row.score, row.updated_at) if order.sort == WORST else row.updated_at
    here = Position(at, row.request_id)

    def beside(newest_first: bool) -> str | None:  # noqa: FBT001 - the direction
        there = replace(order, newest_first=newest_first)
        page = query.rows(asked, there, after=here, limit=1)
        return next((each.request_id for each in page.rows), None)

    return beside(not order.newest_first), beside(order.newest_first)


def life(asked: ReportQuery, row: Row) -> list[HistoryLine]:
    """Return what happened to a request and when, the oldest first: the machine's steps and X's news of the answer."""
    taken = sa.select(tr.at, tr.to_state, tr.reason).where(tr.request_id == row.request_id).order_by(tr.id)
    steps = asked.connection.execute(taken)  # several may be of one moment
    lines = [HistoryLine(row.ended_at, "conversation_ended", "")]
    lines += [HistoryLine(at, state, reason or "") for at, state, reason in steps]
    lines += [HistoryLine(at, what, channel) for at, what, channel in _news(asked, row.request_id)]
    return sorted(lines, key=lambda line: line.at)


def _news(asked: ReportQuery, request_id: str) -> Iterator[tuple[datetime, str, str]]:
    """Updates X reported, as far as the embargo allows; their content is in the result itself."""
    until = asked.view.cutoff or asked.now + timedelta(days=1)
    query_ = sa.select(upd.seen_at, upd.score, upd.text.is_not(None), upd.channel, upd.verdict).where(
        upd.request_id == request_id, upd.seen_at < until
    )
    for at, score, with_text, channel, verdict in asked.connection.execute(query_.order_by(upd.id)):
        brought = [*(["score"] if score is not None else []), *(["comment"] if with_text else [])]
        what = f"{' and '.join(brought)} came" if brought else "X reported the answer without content"
        yield at, what, ", ".join(filter(None, (CAME.get(channel, channel), BECAME.get(verdict))))
