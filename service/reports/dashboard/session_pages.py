"""A reader's sessions, and how every figure is defined."""

import flask
from werkzeug.wrappers import Response

from service.auth.keys import ROLES
from service.reports.dashboard.page_context import PageContext
from service.reports.statistics.definitions import define
from service.reports.thresholds import thresholds


def add(pages: flask.Blueprint, context: PageContext) -> None:
    """Register the pages."""
    everybody = context.door.signed_in()

    @pages.get("/sessions")
    @everybody
    def sessions() -> str:
        may = ROLES[context.reader.role]
        return flask.render_template("dashboard/sessions.html", lines=context.door.sessions(), may=may)

    @pages.post("/sessions/<session_id>/end")
    @everybody
    def end_session(session_id: str) -> Response:
        context.door.end_session(session_id)
        return flask.redirect(flask.url_for("dashboard.sessions"), 303)

    @pages.get("/definitions")
    @everybody
    def definitions() -> str:
        known = define(thresholds(context.settings))
        return flask.render_template("dashboard/definitions.html", definitions=known.values())
