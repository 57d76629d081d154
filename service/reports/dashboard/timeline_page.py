"""Notes on the time line as a page: what happened on which day, and a form to write more.

Whoever reads figures reads them; supervisors write and remove. An invalid note comes back with the reason.
"""

from datetime import date

import flask
from werkzeug.wrappers import Response

from service.auth import log_access
from service.db import reading, writing
from service.errors import Invalid
from service.reports import timeline
from service.reports.dashboard.door import safe_path
from service.reports.dashboard.page_context import PageContext
from service.reports.filters import Filter
from service.reports.roles import READERS_OF_ANSWERS, sees_rows
from service.web import reads


def add(pages: flask.Blueprint, context: PageContext) -> None:
    """Register the page and its forms."""
    supervisors = context.door.signed_in(*READERS_OF_ANSWERS)

    @pages.get("/timeline")
    @context.door.signed_in()
    @reads
    def timeline_notes() -> str:
        return _page(context)

    @pages.post("/timeline")
    @supervisors
    def add_timeline_note() -> Response | tuple[str, int]:
        return _add(context)

    @pages.post("/timeline/<note_id>/remove")
    @supervisors
    def remove_timeline_note(note_id: str) -> Response:
        with writing(context.engine) as connection:
            gone = timeline.remove(connection, context.reader, note_id)
            log_access(connection, context.reader.actor, "timeline.remove", timeline.logged(gone), context.clock())
        return flask.redirect(flask.url_for("dashboard.timeline_notes"), 303)


def _page(context: PageContext, sentence: str = "") -> str:
    now, reader = context.clock(), context.reader
    with reading(context.engine) as connection:
        notes = timeline.listed(connection, context.query(connection, Filter(), now).view.accounts)
    return flask.render_template(
        "dashboard/timeline.html",
        notes=notes,
        accounts=[name for name in context.settings.accounts if reader.may_see(name)],
        of_all=not reader.accounts,
        writes=sees_rows(reader),
        today=now.astimezone(context.settings.service.time_zone).date(),
        given=flask.request.form,
        sentence=sentence,
        longest=timeline.LONGEST,
    )


def _add(context: PageContext) -> Response | tuple[str, int]:
    form, now, reader = flask.request.form, context.clock(), context.reader
    try:
        with writing(context.engine) as connection:
            text, account = form.get("text", ""), form.get("account") or None
            note = timeline.add(connection, context.settings, reader, _day(form.get("day", "")), text, account, now)
            log_access(connection, reader.actor, "timeline.add", timeline.logged(note), now)
    except Invalid as error:
        return _page(context, error.sentence), error.status
    here = flask.url_for("dashboard.timeline_notes")
    return flask.redirect(safe_path(form.get("back") or here), 303)


def _day(given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise Invalid("invalid_day", "A day is a date like 2026-11-22.") from error
