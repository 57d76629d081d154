"""The pages of figures: in, a filter from the address; out, overview, breakdown, coverage, completeness.

Open to everybody who is signed in: what leaves `figures` is made for analysts too. Calls them and lays out, no more.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import flask
from sqlalchemy.engine import Connection

from service.db import reading
from service.errors import Invalid
from service.reports.dashboard import pictures
from service.reports.dashboard.place import Place
from service.reports.dashboard.question import DEFAULT_DAYS, WITHOUT, PageQuery, choices
from service.reports.dimensions import DIMENSIONS, NAMED
from service.reports.figures import figures
from service.reports.figures.figures import BreakdownRow, Comparison
from service.reports.filters import Filter
from service.reports.statistics.definitions import define
from service.reports.thresholds import thresholds
from service.states import sentence_of
from service.web import reads

BREAKDOWNS = tuple((each.name, each.label) for each in DIMENSIONS)
COVERAGES = tuple((each.name, each.label) for each in reversed(DIMENSIONS) if each.people)
DAYS_FOR_AGENTS = 90
LONGEST_DAILY, LONGEST_WEEKLY = 14, 400


def add(pages: flask.Blueprint, place: Place) -> None:
    """Register the pages."""
    everybody = place.door.signed_in()

    @pages.get("/")
    @everybody
    @reads
    def overview() -> str:
        return _page(place, "overview", (), _overview)

    @pages.get("/breakdown")
    @everybody
    @reads
    def breakdown() -> str:
        return _page(place, "breakdown", ("by",), _breakdown)

    @pages.get("/coverage")
    @everybody
    @reads
    def coverage() -> str:
        return _page(place, "coverage", ("by",), _coverage)

    @pages.get("/completeness")
    @everybody
    @reads
    def completeness() -> str:
        return _page(place, "completeness", (), _completeness)


Facts = Callable[[Place, Connection, PageQuery, datetime], dict[str, Any]]


def _page(place: Place, name: str, own: tuple[str, ...], facts: Facts) -> str:
    """What all of them need, and what each of them asks for, from one state of the database."""
    # an agent has few answers in a month, and what is too few is hidden
    days = DAYS_FOR_AGENTS if name == "breakdown" and flask.request.args.get("by") == "agent" else DEFAULT_DAYS
    question, now = place.asked(own, days=days), place.clock()
    with reading(place.engine) as connection:
        found = facts(place, connection, question, now)
        names = choices(connection, place.settings, place.reader, question.filter, now)
    limits = thresholds(place.settings)
    return flask.render_template(
        f"dashboard/{name}.html",
        asked=question,
        names=names,
        thresholds=limits,
        definitions=define(limits),
        pictures=pictures,
        **found,
    )


def _overview(place: Place, connection: Connection, question: PageQuery, now: datetime) -> dict[str, Any]:
    who = (connection, place.settings, place.reader)
    summary = figures.summary(*who, question.filter, now)
    funnel = figures.funnel(*who, question.filter, now)
    period = _period_of(question)
    return {
        "summary": summary,
        "scores": [score for score in (summary.csat, summary.nps) if score is not None],
        "changes": _changes(place, connection, question, now),
        "funnel": funnel,
        "left": _reasons(funnel.skipped, funnel.failed),
        "trends": figures.trend(*who, question.filter, now, period).items,
        "period": period,
        "answer_window": place.settings.reports.answer_window,
    }


def _breakdown(place: Place, connection: Connection, question: PageQuery, now: datetime) -> dict[str, Any]:
    by = breakdown_asked(question)
    groups = figures.breakdown(connection, place.settings, place.reader, question.filter, now, by).items

    def into(row: BreakdownRow) -> str | None:
        return drill_down(question, by, row.key) if row.rest is None else None

    return {
        "by": by,
        "tabs": BREAKDOWNS,
        "groups": groups,
        "drill": into,
    }


def _coverage(place: Place, connection: Connection, question: PageQuery, now: datetime) -> dict[str, Any]:
    by = _chosen(question, COVERAGES, "agent")
    found = figures.coverage(connection, place.settings, place.reader, question.filter, now, by)
    return {
        "by": by,
        "tabs": COVERAGES,
        "coverage": found,
        "unusual": pictures.unusual(found.rows),
        "left": _reasons(found.total.skipped, found.total.failed),
    }


def _completeness(place: Place, connection: Connection, question: PageQuery, now: datetime) -> dict[str, Any]:
    found = figures.completeness(connection, place.settings, place.reader, question.filter, now)
    known = place.settings.accounts
    return {
        "found": found,
        "accounts": [(each, known.get(each.account)) for each in found.accounts],
        "now": now,
        "answer_window": place.settings.reports.answer_window,
    }


def drill_down(question: PageQuery, by: str, key: str | int | None) -> str | None:
    """Return the overview's address for one group of a breakdown; None where nothing can be narrowed to it."""
    name = NAMED[by].parameter
    if name is None:
        return None
    query = question.with_((name, WITHOUT if key is None else str(key)), ("by", None))
    return f"{flask.url_for('dashboard.overview')}?{query}"


def breakdown_asked(question: PageQuery) -> str:
    """Return what to break down by. Raises Invalid."""
    return _chosen(question, BREAKDOWNS, "team")


def _changes(place: Place, connection: Connection, question: PageQuery, now: datetime) -> dict[str, Comparison]:
    """Each kind of card against the same number of days before; nothing where there is no such stretch."""
    earlier = before(question.filter)
    if earlier is None:
        return {}
    found = figures.compare(connection, place.settings, place.reader, earlier, question.filter, now)
    return {each.type: each for each in found.comparisons}


def before(wanted: Filter) -> Filter | None:
    """Return the same question about the stretch of the same length before it."""
    if wanted.since is None or wanted.until is None or wanted.until - wanted.since > timedelta(days=LONGEST_WEEKLY):
        return None
    return replace(wanted, since=wanted.since - (wanted.until - wanted.since), until=wanted.since)


def _period_of(question: PageQuery) -> str:
    """Days for a fortnight, weeks for a year, months beyond."""
    days = (question.last - question.first).days + 1
    if days <= LONGEST_DAILY:
        return "day"
    return "week" if days <= LONGEST_WEEKLY else "month"


def _chosen(question: PageQuery, tabs: tuple[tuple[str, str], ...], default: str) -> str:
    by = question.given("by") or default
    if by not in dict(tabs):
        raise Invalid("unknown_breakdown", f"There is no '{by}' here; there are {', '.join(dict(tabs))}.")
    return by


def _reasons(*groups: tuple[figures.Reasoned, ...]) -> list[tuple[str, str, int]]:
    """Reason, sentence and number, the most frequent first."""
    lines = [(one.reason, sentence_of(one.reason), one.n) for group in groups for one in group]
    return sorted(lines, key=lambda line: (-line[2], line[0]))
