"""/dashboard/report: the report for chosen days and comments, and how to print or save it.

Whoever reads comments here is in the access log, as everywhere.
"""

from datetime import date, datetime
from typing import Any

import flask
from werkzeug.datastructures import MultiDict

from service.auth import log_access
from service.db import MICROSECOND, reading, writing
from service.errors import Invalid
from service.reports.dashboard.facets import choices
from service.reports.dashboard.page_context import PageContext
from service.reports.dashboard.question import PageQuery
from service.reports.dashboard.report import paper
from service.reports.dashboard.report.content import (
    CHOICES,
    MOST_COMMENTS,
    CommentChoice,
    ReportFacts,
    candidates,
    facts,
)
from service.reports.dashboard.report.html import MadeBy, company_of, scope_of, sheet, title_of
from service.reports.dashboard.report.spans import LAST, MONTHS, ReportSpan, back, days_of, month_of
from service.reports.report_query import ReportQuery
from service.reports.thresholds import thresholds
from service.web import in_a_slot, reads

OWN = ("month", "last", "comments", "comment", "paper")
DAYS = {"since", "until", "to"}
CONTENT_TYPES = {"html": "text/html; charset=utf-8", "pdf": "application/pdf"}


def add(pages: flask.Blueprint, context: PageContext) -> None:
    """Register the page and its file."""
    everybody = context.door.signed_in()

    @pages.get("/report")
    @everybody
    @reads
    def report() -> str:
        return _page(context)

    @pages.get("/report.html")
    @everybody
    @reads
    def report_file() -> flask.Response:
        return _file(context, "html")

    @pages.get("/report.pdf")
    @everybody
    def report_pdf() -> flask.Response:
        return in_a_slot(lambda: _file(context, "pdf"))  # drawing a page takes its time: as many at once as of exports


def _page(context: PageContext) -> str:
    now, span = context.clock(), _span(context)
    question = _asked(context, span)
    with reading(context.engine) as connection:
        query = context.query(connection, question.filter, now)
        found, names, rows = _facts(query, span), choices(query), query.sees_rows
        offered = candidates(query.filtered(found.filter)) if rows else ()
    chosen = {row.request_id for row in found.comments or ()}
    _log(context, found, len(chosen.union(row.request_id for row in offered)), now)
    return flask.render_template(
        "dashboard/report.html",
        asked=question, names=names, sheet=_sheet(context, found, question, now), title=title_of(found),
        offered=offered, chosen=chosen, rows=rows, most=MOST_COMMENTS,
        **_choosing(context, question, span),
    )  # fmt: skip


def _file(context: PageContext, kind: str) -> flask.Response:
    """The report as one file. Raises Invalid if a PDF cannot be made, or for an unknown paper size."""
    size = paper.size_of(flask.request.args.get("paper", ""))
    now, span = context.clock(), _span(context)
    question = _asked(context, span)
    with reading(context.engine) as connection:
        found = _facts(context.query(connection, question.filter, now), span)
    _log(context, found, len(found.comments or ()), now)
    made = paper.document(_sheet(context, found, question, now), f"Customer feedback, {title_of(found)}", size)
    content = made if kind == "html" else paper.pdf(made)
    response = flask.Response(content, content_type=CONTENT_TYPES[kind])
    name = f"customer-feedback-{span.first}-to-{span.last}.{kind}"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _facts(query: ReportQuery, span: ReportSpan) -> ReportFacts:
    args = flask.request.args
    choice = CommentChoice(args.get("comments") or "mixed", tuple(args.getlist("comment"))[:MOST_COMMENTS])
    return facts(query, span, choice)


def _sheet(context: PageContext, found: ReportFacts, question: PageQuery, now: datetime) -> Any:
    accounts = tuple(map(str, found.filter.of("account"))) or context.reader.accounts
    made = MadeBy(company_of(context.settings, accounts), context.reader.name, now, context.settings.service.time_zone)
    return sheet(found, made, thresholds(context.settings), scope_of(found, question.called))


def _log(context: PageContext, found: ReportFacts, comments: int, now: datetime) -> None:
    """Write down that comments are read."""
    if comments:
        detail = {"filter": found.filter.logged(), "rows": comments}
        with writing(context.engine) as connection:
            log_access(connection, context.reader.actor, "dashboard.report", detail, now)


def _span(context: PageContext) -> ReportSpan:
    """The days asked for: a month, the last of something, or from and to. Raises Invalid."""
    args, today = flask.request.args, _today(context)
    if args.get("month"):
        return month_of(args["month"])
    if DAYS & args.keys():
        asked, zone = context.asked(OWN), context.settings.service.time_zone
        until = asked.filter.until  # may be days to come: the report says that they are not over
        return days_of(asked.first, (until - MICROSECOND).astimezone(zone).date() if until else asked.last)
    word = args.get("last") or "month"
    if word not in LAST:
        raise Invalid("unknown_period", f"There is no last '{word[:20]}'; there are {', '.join(LAST)}.")
    return LAST[word](today)


def _asked(context: PageContext, span: ReportSpan) -> PageQuery:
    """The filter of the address, with the report's days in it."""
    given = [(name, value) for name, value in flask.request.args.items(multi=True) if name not in DAYS]
    days = [("since", str(span.first)), ("until", str(span.end))]
    return context.asked(OWN, given=MultiDict([*given, *days]))


def _choosing(context: PageContext, question: PageQuery, span: ReportSpan) -> dict[str, Any]:
    """What can be chosen: days and comments, each as a link that keeps the rest."""
    today = _today(context)
    none = (("month", None), ("last", None), ("since", None), ("until", None), ("comment", None))
    presets = [
        (f"Last {word}", question.with_(*none, ("last", word)), days(today) == span) for word, days in LAST.items()
    ]
    months = [back(today.replace(day=1), number) for number in range(MONTHS + 1)]
    word = flask.request.args.get("comments") or "mixed"
    by_hand = bool(flask.request.args.getlist("comment"))
    return {
        "span": span,
        "presets": presets,
        "months": [(f"{each:%Y-%m}", f"{each:%B %Y}") for each in months],
        "moods": [(name, question.with_(("comments", key), ("comment", None)), key == word and not by_hand)
                  for key, name in CHOICES],
        "files": _files(),
    }  # fmt: skip


def _files() -> list[tuple[str, str]]:
    """Links to this report as files, with their names."""
    query = flask.request.query_string.decode("ascii", "replace")
    found = [(f"{flask.url_for('dashboard.report_file')}?{query}", "Save as a file")]
    if paper.can_make_pdf():
        address = f"{flask.url_for('dashboard.report_pdf')}?{query}{'&' if query else ''}paper="
        found += [(address + size, f"PDF, {size}") for size in paper.PAPERS]
    return found


def _today(context: PageContext) -> date:
    return context.clock().astimezone(context.settings.service.time_zone).date()
