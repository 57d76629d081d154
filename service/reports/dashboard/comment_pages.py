"""What customers wrote, for supervisors: an inbox, one answer with its neighbours, notes and marks.

Analysts never get here. Every reading and every mark is in the access log before the page leaves.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

import flask
from sqlalchemy.engine import Connection
from werkzeug.wrappers import Response

from service.auth import log_access
from service.db import reading, writing
from service.errors import Invalid, NotFound
from service.reports.dashboard.comments import ORDERS, Comment, comments, life, marked, neighbours
from service.reports.dashboard.door import safe_path
from service.reports.dashboard.facets import choices
from service.reports.dashboard.page_context import PageContext
from service.reports.dashboard.question import PageQuery
from service.reports.filters import ANSWERED, MOODS, Filter
from service.reports.roles import READERS_OF_ANSWERS
from service.reports.rows import marks, notes
from service.reports.rows.order import Order
from service.reports.rows.query import get
from service.reports.rows.row import Row
from service.web import reads

ID = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
OWN = ("cursor", "all", "order", "marked")
MARKED = (("open", "Open"), ("done", "Done"), ("all", "Open and done"))


def add(pages: flask.Blueprint, context: PageContext) -> None:
    """Register the pages."""
    supervisors = context.door.signed_in(*READERS_OF_ANSWERS)

    @pages.get("/comments")
    @supervisors
    @reads
    def comments() -> str:
        return _comments(context)

    @pages.get("/results/<request_id>")
    @supervisors
    @reads
    def result(request_id: str) -> str:
        return _result(context, _plain(request_id))

    @pages.post("/results/<request_id>/notes")
    @supervisors
    def add_note(request_id: str) -> Response | tuple[str, int]:
        return _add_note(context, _plain(request_id))

    @pages.post("/results/<request_id>/mark")
    @supervisors
    def mark(request_id: str) -> Response:
        return _mark(context, _plain(request_id))


def wanted_of(question: PageQuery) -> Filter:
    """The answers of a list: those with a comment of these days that are open, unless something else is asked."""
    wanted = question.filter if question.given("all") else replace(question.filter, has_text=True)
    done = {"open": False, "done": True}.get(question.given("marked") or "open")
    return replace(wanted, done=done, date_field=wanted.date_field or ANSWERED)


def as_file(question: PageQuery) -> list[tuple[str, str | None]]:
    """The parameters with which the download holds the answers of this page."""
    wanted = wanted_of(question)
    flags = (("answered", True), ("has_text", wanted.has_text), ("done", wanted.done))
    said = [(name, None if value is None else str(value).lower()) for name, value in flags]
    return [*said, ("date_field", wanted.date_field)]


def order_of(question: PageQuery) -> Order:
    """Worst first, or newest first. Raises Invalid."""
    name = question.given("order") or "worst"
    if name not in ORDERS:
        raise Invalid("unknown_order", f"Comments are sorted {' or '.join(ORDERS)} first.")
    return ORDERS[name]


def addressed(context: PageContext, found: Iterable[Comment], query_string: str) -> list[Comment]:
    """Comments with their addresses: `address` keeps the filter, `link` is for sending to somebody else."""
    own = context.settings.service.public_url.rstrip("/")
    return [
        replace(
            each,
            address=flask.url_for("dashboard.result", request_id=each.row.request_id) + f"?{query_string}",
            link=own + flask.url_for("dashboard.result", request_id=each.row.request_id),
        )
        for each in found
    ]


def _comments(context: PageContext) -> str:
    question, now = context.asked(OWN, with_today=True), context.clock()
    wanted, order = wanted_of(question), order_of(question)
    with reading(context.engine) as connection:
        found = comments(context.query(connection, wanted, now), order=order, cursor=question.given("cursor"))
        names = choices(context.query(connection, question.filter, now))
        owners = marks.owners(connection, context.query(connection, Filter(), now).view.accounts, now)
    with writing(context.engine) as connection:
        detail = {"filter": wanted.logged(), "rows": len(found.rows)}
        log_access(connection, context.reader.actor, "dashboard.comments", detail, now)
    return flask.render_template(
        "dashboard/comments.html",
        asked=question,
        names=names,
        owners=owners,
        moods=MOODS,
        marked=MARKED,
        rows=addressed(context, found.rows, question.written_out(("cursor", None))),
        found=found,
        file=as_file(question),
    )


def _plain(request_id: str) -> str:
    """Refuse what cannot be an id, as databases choke on some of it. Raises NotFound."""
    if not ID.fullmatch(request_id):
        raise NotFound("no_such_result", "There is no such result, or your key does not cover its account.")
    return request_id


def _result(context: PageContext, request_id: str, *, draft: str = "", sentence: str = "") -> str:
    question, now = context.asked(OWN, with_today=True), context.clock()
    with reading(context.engine) as connection:
        query = context.query(connection, wanted_of(question), now)
        row = get(query, request_id)
        (one,) = addressed(context, marked(connection, [row]), "")
        lines = life(query, row)
        written, owners = notes.listed(connection, request_id), marks.owners(connection, [row.account], now)
        beside = neighbours(query, order_of(question), row)
    with writing(context.engine) as connection:
        detail = {"request_id": request_id, "with_text": row.text is not None}
        log_access(connection, context.reader.actor, "dashboard.result", detail, now)
    return flask.render_template(
        "dashboard/result.html",
        asked=question, row=row, one=one, lines=lines, notes=written, owners=owners, beside=beside,
        draft=draft, sentence=sentence,
    )  # fmt: skip


def _add_note(context: PageContext, request_id: str) -> Response | tuple[str, int]:
    """Store a note on a result. An invalid note comes back with its words and the reason."""
    now, text = context.clock(), flask.request.form.get("text", "")
    _demand(context, request_id)
    try:
        with writing(context.engine) as connection:
            notes.add(connection, request_id, context.reader.actor, text, now)
            detail = {"request_id": request_id, "characters": len(text)}
            log_access(connection, context.reader.actor, "dashboard.note", detail, now)
    except Invalid as error:
        return _result(context, request_id, draft=text, sentence=error.sentence), error.status
    return flask.redirect(f"{_back(request_id)}#notes", 303)


def _mark(context: PageContext, request_id: str) -> Response:
    """Finish, reopen or hand over an answer, and return to where the button was."""
    form, now, by = flask.request.form, context.clock(), context.reader.name
    row = _demand(context, request_id)
    with writing(context.engine) as connection:
        detail = {"request_id": request_id, **_marked(connection, row, form, by, now)}
        log_access(connection, context.reader.actor, "dashboard.mark", detail, now)
    return flask.redirect(_back(request_id), 303)


def _back(request_id: str) -> str:
    """The page whose form was sent."""
    return safe_path(flask.request.form.get("back") or flask.url_for("dashboard.result", request_id=request_id))


def _marked(connection: Connection, row: Row, form: Mapping[str, str], by: str, now: datetime) -> dict[str, str | None]:
    """Do what the button said; return it for the access log. Raises Invalid."""
    what = form.get("do", "")
    if what == "finish":
        marks.finish(connection, row.request_id, by, now)
    elif what == "reopen":
        marks.reopen(connection, row.request_id)
    elif what == "give":
        marks.give(connection, row, form.get("owner") or None, by, now)
    else:
        raise Invalid("unknown_mark", "Use finish, reopen or a new owner for an answer.")
    return {"do": what, **({"owner": form.get("owner") or None} if what == "give" else {})}


def _demand(context: PageContext, request_id: str) -> Row:
    """Return an answer. Raises NotFound for what this reader may not know of."""
    with reading(context.engine) as connection:
        return get(context.query(connection, Filter(), context.clock()), request_id)
