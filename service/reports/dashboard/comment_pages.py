"""What customers wrote, for supervisors: in, a filter and a word to look for; out, the comments, one result, its notes.

Analysts never get here. Every reading is written to the access log before the page leaves.
"""

import re
from dataclasses import replace

import flask
from werkzeug.wrappers import Response

from service.auth import log_access
from service.db import reading, writing
from service.errors import Invalid, NotFound
from service.reports.dashboard.comments import comments, life, searched
from service.reports.dashboard.place import Place
from service.reports.dashboard.question import choices
from service.reports.roles import READERS_OF_ANSWERS
from service.reports.rows import notes, query
from service.web import reads

ID = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
NO_SUCH_RESULT = "There is no such result, or your key does not cover its account."
OWN = ("q", "cursor", "all")


def add(pages: flask.Blueprint, place: Place) -> None:
    """Register the pages."""
    supervisors = place.door.signed_in(*READERS_OF_ANSWERS)

    @pages.get("/comments")
    @supervisors
    @reads
    def comments() -> str:
        return _comments(place)

    @pages.get("/results/<request_id>")
    @supervisors
    @reads
    def result(request_id: str) -> str:
        return _result(place, _plain(request_id))

    @pages.post("/results/<request_id>/notes")
    @supervisors
    def add_note(request_id: str) -> Response | tuple[str, int]:
        return _add_note(place, _plain(request_id))


def _comments(place: Place) -> str:
    question, now = place.asked(OWN, with_today=True), place.clock()
    needle, everything = searched(flask.request.args), bool(question.given("all"))
    wanted = question.filter if everything else replace(question.filter, has_text=True)
    with reading(place.engine) as connection:
        found = comments(
            connection, place.settings, place.reader, wanted, now, needle=needle, cursor=question.given("cursor")
        )
        names = choices(connection, place.settings, place.reader, question.filter, place.clock())
    with writing(place.engine) as connection:
        detail = {"filter": wanted.described(), "searched": bool(needle), "rows": len(found.rows)}
        log_access(connection, place.reader.actor, "dashboard.comments", detail, now)
    return flask.render_template(
        "dashboard/comments.html",
        asked=question,
        names=names,
        scores=[str(score) for score in range(11)],
        found=found,
        needle=needle,
        everything=everything,
    )


def _plain(request_id: str) -> str:
    """Refuse what cannot be an id: a database would stumble over some of it. Raises NotFound."""
    if not ID.fullmatch(request_id):
        raise NotFound("no_such_result", NO_SUCH_RESULT)
    return request_id


def _result(place: Place, request_id: str, *, draft: str = "", sentence: str = "") -> str:
    now = place.clock()
    with reading(place.engine) as connection:
        row = query.get(connection, place.settings, place.reader, request_id, now)
        if row is None:
            raise NotFound("no_such_result", NO_SUCH_RESULT)
        lines = life(connection, place.settings, row, now)
        written = notes.listed(connection, request_id)
    with writing(place.engine) as connection:
        detail = {"request_id": request_id, "with_text": row.text is not None}
        log_access(connection, place.reader.actor, "dashboard.result", detail, now)
    return flask.render_template(
        "dashboard/result.html", row=row, lines=lines, notes=written, draft=draft, sentence=sentence
    )


def _add_note(place: Place, request_id: str) -> Response | tuple[str, int]:
    """Keep a note beside a result. A note that cannot be kept comes back with its words and why."""
    now, text = place.clock(), flask.request.form.get("text", "")
    with reading(place.engine) as connection:
        if query.get(connection, place.settings, place.reader, request_id, now) is None:
            raise NotFound("no_such_result", NO_SUCH_RESULT)
    try:
        with writing(place.engine) as connection:
            notes.add(connection, request_id, place.reader.actor, text, now)
            detail = {"request_id": request_id, "characters": len(text)}
            log_access(connection, place.reader.actor, "dashboard.note", detail, now)
    except Invalid as error:
        return _result(place, request_id, draft=text, sentence=error.sentence), error.status
    return flask.redirect(flask.url_for("dashboard.result", request_id=request_id, _anchor="notes"), 303)
