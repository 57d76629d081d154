"""The report as HTML, the same on screen and in a file. Escapes whatever people wrote.

Every figure stands in a <data> element with its unrounded value, so a reader of the file can check it against the API.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from service.db import MICROSECOND
from service.reports.dashboard import figure_charts, sentences, words
from service.reports.dashboard.names import row_name
from service.reports.dashboard.report.content import ReportFacts
from service.reports.days import midnight
from service.reports.dimensions import FILTERED
from service.reports.figures.shapes import Score
from service.reports.figures.then_now import Differences, ThenNow
from service.reports.thresholds import Thresholds
from service.settings import Settings

TEMPLATES = Path(__file__).parents[2] / "templates"
MOST_TEAMS = 10
MOST_REASONS = 3
LONGEST_COMMENT = 180
FILTERS = {
    **{name: getattr(words, name) for name in ("number", "count", "days", "words", "middle", "span", "many")},
    **{name: getattr(sentences, name) for name in ("value", "bounds", "share", "judged", "in_full")},
    "strip": figure_charts.of_strip,
    "name": row_name,
}


@dataclass(frozen=True, slots=True)
class MadeBy:
    """Who made it and when, and for whom it speaks."""

    company: str
    by: str
    at: datetime
    zone: tzinfo


def sheet(facts: ReportFacts, made: MadeBy, limits: Thresholds, scope: str) -> Markup:
    """Return the report, without the page around it."""
    template = _environment().get_template("dashboard/report_sheet.html")
    drawn = {
        each.type: figure_charts.of_periods(each)
        for each in facts.trends
        if any(point.score.value is not None for point in each.points)
    }
    complete = facts.summary.completeness.complete_until
    told = template.render(
        facts=facts,
        made=made,
        made_at=words.moment(made.at, made.zone),
        is_over=midnight(facts.span.end, made.zone) <= made.at,
        title=title_of(facts),
        scope=scope,
        headline=sentences.headline([one.total for one in facts.totals]),
        drawn=drawn,
        teams=_tables(facts.teams),
        missing=sentences.most_frequent((*facts.funnel.skipped, *facts.funnel.failed))[:MOST_REASONS],
        limits=limits,
        releases=any(one.total.now.date_field == "seen_at" for one in facts.totals),
        sentences=sentences,
        complete=None if complete is None else words.moment(complete, made.zone),
        counted=lambda score: _counted(score, made.zone),
        cut=lambda text: text if len(text) <= LONGEST_COMMENT else text[: LONGEST_COMMENT - 1].rstrip() + "\u2026",
    )
    return Markup(told)  # noqa: S704 - made by a template that escapes


def title_of(facts: ReportFacts) -> str:
    """The days in words: a month by its name."""
    span = facts.span
    return span.words or words.days(span.first, span.last)


def scope_of(facts: ReportFacts, called: Mapping[tuple[str, str], str]) -> str:
    """The report's filter in words; empty: no filter."""
    shown = [
        called.get((parameter, str(group)), "without one" if group is None else str(group))
        for parameter, each in FILTERED.items()
        for group in facts.filter.of(each.name)
    ]
    return ", ".join([*shown, *(words.words(kind) for kind in facts.filter.types)])


def company_of(settings: Settings, accounts: tuple[str, ...]) -> str:
    """The company's name: the setting, or how the account calls itself to customers."""
    if settings.service.company:
        return settings.service.company
    mine = [settings.accounts[each] for each in accounts if each in settings.accounts] or [*settings.accounts.values()]
    return ", ".join(each.page_name or f"@{each.screen_name or each.name}" for each in mine)


@cache
def _environment() -> jinja2.Environment:
    built = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
    built.filters.update(FILTERS)
    return built


def _tables(found: Sequence[Differences]) -> list[tuple[Differences, list[ThenNow], int]]:
    """The tables of teams that tell anything, as many rows together as the page has room for."""
    told = [table for table in found if sum(row.now.value is not None for row in table.rows) > 1]
    return [(table, *_few(table, MOST_TEAMS // len(told))) for table in told]


def _few(table: Differences, most: int) -> tuple[list[ThenNow], int]:
    """The teams there is room for, those outside chance or moved first; and how many are left."""
    groups = [row for row in table.rows if row.now.value is not None]
    groups.sort(key=lambda row: row.place not in {"below", "above"} and row.judgement not in {"better", "worse"})
    shown = groups[:most]
    return sorted(shown, key=table.rows.index), len(table.rows) - len(shown)


def _counted(score: Score, zone: tzinfo) -> str:
    """The days of whole releases that a figure holds, where it is made of such."""
    if score.date_field != "seen_at" or score.since is None or score.until is None:
        return ""
    return f"{words.day(score.since, zone)} {words.DASH} {words.day(score.until - MICROSECOND, zone)}"
