"""How asking goes: accounts, completeness, who was asked, and why the others were not, with links to each.

The conversations themselves are for those who may list rows; nothing else here comes from answers.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import flask
from sqlalchemy.engine import Connection, Engine
from werkzeug.wrappers import Response

from service.errors import Invalid
from service.metrics.health import is_silent, last_worker
from service.replica import of_primary
from service.reports.dashboard import figure_charts
from service.reports.dashboard.account_standing import standings
from service.reports.dashboard.facets import choices
from service.reports.dashboard.names import REST, group_name
from service.reports.dashboard.page_context import PageContext, shared_query
from service.reports.dashboard.question import PageQuery
from service.reports.dashboard.sentences import most_frequent
from service.reports.dimensions import COVERED, NAMED
from service.reports.figures import figures
from service.reports.report_query import ReportQuery
from service.reports.roles import READERS_OF_ANSWERS
from service.reports.rows.cursor import cursors
from service.reports.rows.order import Order
from service.reports.rows.query import rows
from service.reports.statistics.definitions import define
from service.reports.thresholds import thresholds
from service.web import reads
from service.web.replica_lag import read

TABS = tuple((name, NAMED[name].label) for name in COVERED)
NEWEST = Order("ended_at", "requests", newest_first=True)
Facts = Callable[[ReportQuery, PageQuery], dict[str, Any]]
Ask = Callable[[Connection], dict[str, Any]]
Asking = Callable[[Engine, Ask], dict[str, Any]]
FORMER = {"breakdown": "explore", "completeness": "operations", "accounts": "operations"}


def add(pages: flask.Blueprint, context: PageContext) -> None:
    """Register the pages."""
    everybody, supervisors = context.door.signed_in(), context.door.signed_in(*READERS_OF_ANSWERS)

    @pages.get("/operations")
    @everybody
    @reads
    def operations() -> str:
        return _page(context, "operations", (), _operations, of_primary)

    @pages.get("/coverage")
    @everybody
    @reads
    def coverage() -> str:
        return _page(context, "coverage", ("by",), _coverage, read)

    @pages.get("/conversations")
    @supervisors
    @reads
    def conversations() -> str:
        return _page(context, "conversations", ("cursor",), _conversations, of_primary)

    @pages.get("/breakdown", defaults={"page": "breakdown"})
    @pages.get("/completeness", defaults={"page": "completeness"})
    @pages.get("/accounts", defaults={"page": "accounts"})
    @everybody
    def former(page: str) -> Response:
        context.asked(("by",))
        by = flask.request.args.get("by", "") if page == "breakdown" else ""
        address = flask.url_for(f"dashboard.{FORMER[page]}") + shared_query()
        more = f"{'&' if '?' in address else '?'}by={by}" if by in NAMED else ""
        return flask.redirect(address + more, 301)


def _page(context: PageContext, name: str, own: tuple[str, ...], facts: Facts, ask: Asking) -> str:
    question, now = context.asked(own, with_today=name != "coverage"), context.clock()

    def found_in(connection: Connection) -> dict[str, Any]:
        query = context.query(connection, question.filter, now)
        return {"names": choices(query), **facts(query, question)}

    found = ask(context.engine, found_in)
    known = define(thresholds(context.settings))
    return flask.render_template(
        f"dashboard/{name}.html", asked=question, definitions=known, pictures=figure_charts, **found
    )


def _operations(query: ReportQuery, _question: PageQuery) -> dict[str, Any]:
    connection, settings, now = query.connection, query.settings, query.now
    worker, funnel, found = last_worker(connection), figures.funnel(query), figures.completeness(query)
    complete = {each.account: each for each in found.accounts}
    asked = [(each.name, each.screen_name) for each in settings.accounts.values() if each.name in complete]
    silent = is_silent(worker, now)
    return {
        "lines": standings(connection, asked, now, silent=silent),
        "former": [name for name in complete if name not in settings.accounts],
        "worker": worker,
        "silent": silent,
        "complete": complete,
        "found": found,
        "now": now,
        "answer_window": settings.reports.answer_window,
        "funnel": funnel,
        "left": most_frequent((*funnel.skipped, *funnel.failed)),
        "lists": query.sees_rows,
    }


def _coverage(query: ReportQuery, question: PageQuery) -> dict[str, Any]:
    lists = query.sees_rows
    by = question.given("by") or ("agent" if lists else "team")  # of whom releases are four times as long
    if by not in COVERED:
        raise Invalid(
            "unknown_breakdown",
            f"There is no grouping by '{by}' here; there are {', '.join(name for _, name in TABS)}.",
        )
    found = figures.coverage(query, by)
    outside = figure_charts.unusual(found.rows)
    return {
        "by": by,
        "tabs": [(name, label) for name, label in TABS if lists or NAMED[name].people],
        "coverage": found,
        "unusual": outside,
        "inside": [row for row in found.rows if row not in outside],
        "left": most_frequent((*found.total.skipped, *found.total.failed)),
        "lists": lists,
        "covered_name": lambda row: REST[row.rest] if row.rest else row.name or group_name(row.key, by),
        "reasons_of": lambda row: most_frequent((*row.skipped, *row.failed))[:3],
    }


def _conversations(query: ReportQuery, question: PageQuery) -> dict[str, Any]:
    known = cursors(query.settings.service.secret_key, query.reader, query.filter, NEWEST)
    ended = query.filtered(replace(query.filter, date_field="ended_at"))
    page = rows(ended, NEWEST, after=known.read(question.given("cursor")))
    limits = thresholds(query.settings)
    return {"rows": page.rows, "next": known.write(page.next), "withheld": page.withheld, "thresholds": limits}
