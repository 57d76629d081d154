"""The first page: whether asking works, one sentence, two figures, what differs, the worst comments.

Everything is compared with the same number of days before. Only asks `figures` and `rows`, and lays out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import flask
import structlog

from service.auth import log_access
from service.db import reading, writing
from service.db.outages import AWAY
from service.reports import timeline
from service.reports.counting.periods import SEVEN_DAYS
from service.reports.dashboard import sentences
from service.reports.dashboard.comment_pages import addressed
from service.reports.dashboard.comments import Comment, worst_open
from service.reports.dashboard.facets import choices
from service.reports.dashboard.figure_charts import of_score, over_weeks
from service.reports.dashboard.hindrances import first_run
from service.reports.dashboard.names import row_name
from service.reports.dashboard.page_context import PageContext
from service.reports.dashboard.question import PageQuery
from service.reports.days import midnight
from service.reports.dimensions import NAMED
from service.reports.figures import figures
from service.reports.figures.shapes import Summary, Trend
from service.reports.figures.then_now import Differences, ThenNow
from service.reports.report_query import ReportQuery
from service.reports.roles import sees_rows
from service.reports.statistics.definitions import define
from service.reports.statistics.judging import CHANCE, holm
from service.reports.thresholds import thresholds
from service.reports.timeline import TimelineNote
from service.web import reads
from service.web.replica_lag import read

log = structlog.get_logger(__name__)
DAYS = 7
WEEKS = 12
LOOKED_AT = ("team", "variant", "language")
EVERY = (("team", "teams"), ("agent", "agents"), ("variant", "questions"), ("language", "languages"))
MOST_ROWS = 5
MOST_COMMENTS = 3
MOST_REASONS = 3


@dataclass(frozen=True, slots=True)
class News:
    """A group that is outside the limits of chance, or that changed."""

    by: str
    type: str
    name: str
    address: str | None
    row: ThenNow
    table: Differences


def add(pages: flask.Blueprint, context: PageContext) -> None:
    """Register the page."""

    @pages.get("/")
    @context.door.signed_in()
    @reads
    def this_week() -> str:
        question, now = context.asked(days=DAYS), context.clock()
        found = read(
            context.engine, lambda connection: _facts(context.query(connection, question.filter, now), question)
        )
        found["worst"] = _worst(context, question, now)
        if found["worst"] and not _is_logged(context, question, found["worst"], now):
            found["worst"] = None
        limits = thresholds(context.settings)
        return flask.render_template(
            "dashboard/this_week.html",
            asked=question,
            thresholds=limits,
            definitions=define(limits),
            answer_window=context.settings.reports.answer_window,
            **found,
        )


def _is_logged(context: PageContext, question: PageQuery, worst: list[Comment], now: datetime) -> bool:
    """Log that comments were read, even if only three. If that fails, they are not shown."""
    detail = {"filter": question.filter.logged(), "rows": len(worst)}
    try:
        with writing(context.engine) as connection:
            log_access(connection, context.reader.actor, "dashboard.worst", detail, now)
    except AWAY:
        log.warning("comments_not_shown")
        return False
    return True


def _facts(query: ReportQuery, question: PageQuery) -> dict[str, Any]:
    summary, totals = figures.summary(query), figures.differences(query, "account").items
    tiles, notes = _lines(query, question, totals), _notes(query, question)
    differ = [(by, table) for by in LOOKED_AT for table in figures.differences_told(query, by)]
    rows = [row for _, table in differ for row in _groups(table)]
    not_told = _not_told([one for one, _ in tiles])
    return {
        "steps": first_run(query) if query.sees_rows else [],
        "summary": summary,
        "today": None if tiles or not query.sees_rows else _today(query, question),
        "tiles": [(one, over_weeks(line, notes), of_score(one.total.now)) for one, line in tiles],
        "notes": notes,
        "writes": query.sees_rows,
        "headline": sentences.headline([one.total for one, _ in tiles]),
        "news": news(question, differ),
        "every": [(by, them) for by, them in EVERY if figures.is_told(query.reader, query.filter, by)],
        "not_told": not_told,
        "groups_not_told": not_told or _not_told([table for _, table in differ]),
        "judged": any(_is_judged(row) for row in rows),
        "compared": any(row.change is not None for row in rows),
        "missing": _missing(query),
        "names": choices(query),
    }


def _worst(context: PageContext, question: PageQuery, now: datetime) -> list[Comment] | None:
    """The worst open comments; None for readers of none. From the primary: what was just marked done is gone."""
    if not sees_rows(context.reader):
        return None
    with reading(context.engine) as connection:
        found = worst_open(context.query(connection, question.filter, now), MOST_COMMENTS)
    return addressed(context, found, question.written_out())


def _today(query: ReportQuery, question: PageQuery) -> Summary | None:
    """What came today, if no whole day has an answer yet."""
    if question.end != query.now.astimezone(query.zone).date():
        return None
    found = figures.summary(query.filtered(replace(query.filter, since=query.filter.until, until=None)))
    return found if found.ended or found.delivered else None


def _lines(query: ReportQuery, question: PageQuery, totals: Iterable[Differences]) -> list[tuple[Differences, Trend]]:
    """Each kind of card with any answers, and its twelve weeks; if none has, those whose answers may be left out."""
    wanted = replace(query.filter, since=midnight(_first(question), query.zone))
    trends = figures.trend(query.filtered(wanted), SEVEN_DAYS).items
    by_type = {each.type: each for each in trends}
    lines = [(one, by_type[one.type]) for one in totals]
    return [line for line in lines if _is_asked(*line)] or [line for line in lines if line[0].total.now.withheld]


def _first(question: PageQuery) -> date:
    """The first day of the twelve weeks."""
    return question.end - timedelta(days=DAYS * WEEKS)


def _notes(query: ReportQuery, question: PageQuery) -> list[TimelineNote]:
    """The notes on the time line of these weeks and accounts."""
    accounts = tuple(map(str, query.filter.of("account"))) or query.view.accounts
    return timeline.listed(query.connection, accounts, _first(question), question.end)


def _is_asked(one: Differences, trend: Trend) -> bool:
    """A card that is never sent takes no room."""
    score = one.total.now
    said = (score.n, one.total.then.n, score.suppressed is not None)
    return any(said) or any(each.delivered or each.score.n for each in trend.points)


def news(question: PageQuery, tables: Iterable[tuple[str, Differences]]) -> list[News]:
    """At most five groups, those that surely changed or are outside first.

    All tables are read together, so significance is corrected over all rows: a group that is better or worse within its
    own table may be one of many here.
    """
    rows = [(by, table, row) for by, table in tables for row in _groups(table)]
    chances = holm([None if row.change is None else row.change.p for _, _, row in rows])
    found = [
        News(by, table.type, row_name(row, by), drill_down(question, by, row), row, table)
        for (by, table, row), chance in zip(rows, chances, strict=True)
        if _is_outside(row) or (_has_moved(row) and chance is not None and chance < CHANCE)
    ]
    return sorted(found, key=_weight)[:MOST_ROWS]


def _not_told(tables: Sequence[Differences]) -> str | None:
    """Why nothing at all is told of these days, where that is no want of answers."""
    reasons = {one.total.now.suppressed for one in tables}
    return next(iter(sorted(filter(None, reasons)))) if reasons and not reasons & {None, "too_few"} else None


def _groups(table: Differences) -> list[ThenNow]:
    """The groups of a table, if there is more than one to compare."""
    return [row for row in table.rows if row.rest is None] if len(table.rows) > 1 else []


def _is_judged(row: ThenNow) -> bool:
    return row.place is not None or row.judgement != "too_few_to_judge"


def _is_outside(row: ThenNow) -> bool:
    return row.place in {"below", "above"}


def _has_moved(row: ThenNow) -> bool:
    return row.judgement in {"better", "worse"}


def _weight(news: News) -> tuple[bool, float]:
    """Worse first, then by how sure it is."""
    bad = news.row.place == "below" or news.row.judgement == "worse"
    z = 0.0 if news.row.change is None else news.row.change.z
    return not bad, -abs(z)


def drill_down(question: PageQuery, by: str, row: ThenNow, and_by: str | None = None) -> str | None:
    """Return this page's address for one group; None if it cannot be filtered by."""
    names = [NAMED[each].parameter for each in (by, and_by) if each]
    if None in names or row.rest is not None:
        return None
    groups = zip(map(str, names), (row.key, row.and_key), strict=False)
    return f"{flask.url_for('dashboard.this_week')}?{question.narrowed(*groups)}"


def _missing(query: ReportQuery) -> list[tuple[str, str, int]]:
    """Why people were not asked: the reasons with most conversations."""
    found = figures.funnel(query)
    return sentences.most_frequent((*found.skipped, *found.failed))[:MOST_REASONS]
