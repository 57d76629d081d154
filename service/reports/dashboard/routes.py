"""Which page lives where and who may open it: the blueprint at /dashboard. Wiring only.

Every view declares how it authenticates. Answers with a customer's words or a figure are never stored by a browser or
a proxy.
"""

from collections.abc import Mapping
from typing import Any

import flask
from sqlalchemy.engine import Engine
from werkzeug.wrappers import Response

from service.auth import Reader, declares
from service.clock import Clock
from service.db import MICROSECOND, reading
from service.errors import NotAuthenticated, NotFound, ServiceError, TooMany
from service.reports.dashboard import (
    comment_pages,
    downloads,
    explore,
    figure_charts,
    invalid_filter,
    names,
    operations,
    resubmitted_form,
    sentences,
    session_pages,
    this_week,
    timeline_page,
    words,
)
from service.reports.dashboard.assets import add_assets
from service.reports.dashboard.door import WHY, Door
from service.reports.dashboard.hindrances import Hindrance, hindrances
from service.reports.dashboard.page_context import PAGES, PageContext, shared_query
from service.reports.dashboard.report import page as report_page
from service.reports.dimensions import NAMED
from service.settings import Settings

CHALLENGE = "WWW-Authenticate"  # a browser would ask for a password of its own, over our page
HEADLINES = {
    403: "Your key may not see this",
    404: "There is no such page",
    422: "This request is not valid",
    429: "Too many requests",
}


def blueprint(settings: Settings, engine: Engine, clock: Clock) -> flask.Blueprint:
    """Return every page of the dashboard."""
    pages = flask.Blueprint("dashboard", __name__, url_prefix="/dashboard", template_folder="../templates")
    context = PageContext(settings, engine, clock, Door(settings, engine, clock))
    for name in ("number", "signed", "count", "day", "span", "ago", "words", "heading", "said", "middle", "many"):
        pages.add_app_template_filter(getattr(words, name), name)
    for name in ("value", "bounds", "share", "judged", "in_full", "before", "difference"):
        pages.add_app_template_filter(getattr(sentences, name), name)
    pages.add_app_template_filter(figure_charts.of_strip, "strip")
    pages.add_app_template_filter(figure_charts.of_response, "response_strip")
    pages.add_app_template_filter(figure_charts.of_share, "share_strip")
    pages.add_app_template_filter(figure_charts.of_groups, "funnel_plot")
    pages.add_app_template_filter(names.isolated, "isolated")
    pages.add_app_template_filter(names.person, "person")
    pages.add_app_template_filter(lambda kind: sentences.TITLES[kind], "title_of")
    pages.add_app_template_filter(lambda name: NAMED[name].label, "label")
    zone = settings.service.time_zone
    pages.add_app_template_filter(lambda value: words.moment(value, zone), "moment")
    pages.add_app_template_filter(lambda value: words.day(value, zone), "local_day")
    pages.add_app_template_filter(lambda value: words.day(value - MICROSECOND, zone), "day_before")
    pages.add_app_template_filter(lambda since, until: words.covered(since, until, zone), "covered")
    pages.context_processor(lambda: _everywhere(context))
    pages.register_error_handler(ServiceError, _told)
    pages.after_request(_kept_by_nobody)
    add_assets(pages)
    _add_door(pages, context)
    this_week.add(pages, context)
    explore.add(pages, context)
    operations.add(pages, context)
    comment_pages.add(pages, context)
    session_pages.add(pages, context)
    timeline_page.add(pages, context)
    downloads.add(pages, context)
    report_page.add(pages, context)
    _add_nowhere(pages)
    return pages


def _add_door(pages: flask.Blueprint, context: PageContext) -> None:
    door = context.door

    @pages.get("/sign-in")
    @declares("nobody: sign-in page")
    def sign_in() -> str:
        why = WHY.get(flask.request.args.get("why", ""))
        return door.page(flask.request.args.get("next", ""), why)

    @pages.post("/sign-in")
    @declares("nobody: sign-in page")
    def sign_in_with_key() -> Response | tuple[str, int, Mapping[str, str]]:
        onward = flask.request.form.get("next", "")
        try:
            return door.sign_in(flask.request.form.get("key", ""), flask.request.remote_addr or "", onward)
        except (NotAuthenticated, TooMany) as error:
            page = door.page(onward, error.sentence, wrong=True, left=resubmitted_form.of_sign_in())
            return page, error.status, {name: value for name, value in error.headers.items() if name != CHALLENGE}

    @pages.post("/sign-out")
    @door.signed_in()
    def sign_out() -> Response:
        return door.sign_out()


def _add_nowhere(pages: flask.Blueprint) -> None:
    @pages.get("/<path:anywhere>")
    @declares("nobody: says only that there is no such page")
    def nowhere(anywhere: str) -> str:  # noqa: ARG001 - the router's
        raise NotFound("no_such_page", "The address is wrong, or the page has moved.")


def _everywhere(context: PageContext) -> dict[str, Any]:
    """What every template may use."""
    reader = flask.g.get("reader")
    here = (flask.request.endpoint or "").removeprefix("dashboard.")
    return {
        "reader": reader,
        "pages": [(f"dashboard.{name}", title) for name, title, roles in PAGES if reader and reader.role in roles],
        "here": f"dashboard.{here}",
        "link_to": lambda endpoint: flask.url_for(endpoint) + shared_query(),
        "form_token": context.door.form_token,
        "hindrances": _hindrances(context, reader),
        "zone": context.settings.service.time_zone.key,
    }


def _hindrances(context: PageContext, reader: Reader | None) -> list[Hindrance]:
    """What is shown at the top of every page to whoever is signed in."""
    if reader is None:
        return []
    with reading(context.engine) as connection:
        return hindrances(connection, context.settings, reader, context.clock())


def _told(error: ServiceError) -> tuple[str, int, Mapping[str, str]]:
    """A refusal as a page, in the same words as over the API."""
    headline = HEADLINES.get(error.status, error.title)
    args = flask.request.args
    again = invalid_filter.fields(error, args) if flask.request.method == "GET" else []
    page = flask.render_template(
        "dashboard/error.html", error=error, headline=headline, sentence=invalid_filter.sentence_of(error),
        again=again, kept=invalid_filter.kept(args), action=flask.request.path,
        chips=invalid_filter.narrowings(error, args),
    )  # fmt: skip
    return page, error.status, error.headers


def _kept_by_nobody(response: flask.Response) -> flask.Response:
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("Referrer-Policy", "same-origin")  # no-referrer would break forms over https
    response.vary.add("Cookie")
    return response
