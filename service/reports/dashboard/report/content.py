"""What a report holds: figures, teams, comments and who was asked, for a reader, a filter and days. Formats nothing.

An analyst's report consists of whole releases and has no comments. Comments are chosen: a mixture of moods, the worst,
by hand, or none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from service.errors import Invalid
from service.reports.dashboard.comments import ORDERS
from service.reports.dashboard.report.spans import ReportSpan
from service.reports.days import ONE_DAY, midnight
from service.reports.figures import figures
from service.reports.figures.shapes import Funnel, Summary, Trend
from service.reports.figures.then_now import Differences
from service.reports.filters import ANSWERED, Filter
from service.reports.report_query import ReportQuery
from service.reports.rows.query import rows
from service.reports.rows.row import Row

MOST_COMMENTS = 5
CANDIDATES = 12
MIXTURE = (("unhappy", 2), ("neutral", 1), ("happy", 2))
CHOICES = (("mixed", "Of every mood"), ("worst", "The worst"), ("none", "No comments"))


@dataclass(frozen=True, slots=True)
class CommentChoice:
    """Which comments to show: by a word, or by the ids of their requests."""

    word: str = "mixed"
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """One report. `totals` and `trends`: one per kind of card that was answered; `comments` None: not shown."""

    span: ReportSpan
    filter: Filter
    summary: Summary
    totals: tuple[Differences, ...]
    trends: tuple[Trend, ...]
    teams: tuple[Differences, ...]
    funnel: Funnel
    comments: tuple[Row, ...] | None
    withheld: bool
    waits: bool

    @property
    def before_last(self) -> date:
        """The last day of those it is held against."""
        return self.span.first - ONE_DAY


def facts(query: ReportQuery, span: ReportSpan, choice: CommentChoice) -> ReportFacts:
    """Gather a report of these days. Raises Invalid or NotAllowed as the figures do."""
    since, period = span.drawn
    first, end, earlier, begin = (midnight(day, query.zone) for day in (span.first, span.end, span.before, since))
    before = replace(query.filter, since=earlier, until=first)
    trends = figures.trend(query.filtered(replace(query.filter, since=begin, until=end)), period).items
    here = query.filtered(replace(query.filter, since=first, until=end))
    totals = figures.differences(here, "account", before).items
    answered = {each.type for each in trends if any(point.score.n for point in each.points)}
    asked = answered | {one.type for one in totals if _has(one)}
    return ReportFacts(
        span=span,
        filter=here.filter,
        summary=figures.summary(here),
        totals=tuple(one for one in totals if one.type in asked),
        trends=tuple(each for each in trends if each.type in asked),
        teams=tuple(one for one in figures.differences_told(here, "team", before) if one.type in asked),
        funnel=figures.funnel(here),
        comments=chosen(here, choice) if query.sees_rows else None,
        withheld=any(one.total.now.withheld for one in totals),
        waits=any(one.total.now.suppressed == "waits" for one in totals),
    )


def chosen(query: ReportQuery, choice: CommentChoice) -> tuple[Row, ...]:
    """Return the comments of a report. Raises Invalid for a choice we do not know."""
    if choice.word not in dict(CHOICES):
        raise Invalid("unknown_choice", f"Comments are {', '.join(dict(CHOICES))}, not '{choice.word}'.")
    if choice.ids:
        found = {row.request_id: row for row in _read(query, "worst", request_ids=choice.ids)}
        return tuple(found[each] for each in choice.ids if each in found)[:MOST_COMMENTS]
    if choice.word == "none":
        return ()
    if choice.word == "worst":
        return tuple(_read(query, "worst", moods=("unhappy", "neutral"))[:MOST_COMMENTS])
    moods = (_read(query, "newest", moods=(mood,))[:least] for mood, least in MIXTURE)
    return tuple(row for those in moods for row in those)


def candidates(query: ReportQuery) -> tuple[Row, ...]:
    """Return comments to choose from, the newest of every mood."""
    each = CANDIDATES // len(MIXTURE)
    found = (_read(query, "newest", moods=(mood,))[:each] for mood, _ in MIXTURE)
    return tuple(row for those in found for row in those)


def _read(query: ReportQuery, order: str, **narrowed: Any) -> Sequence[Row]:
    """Comments written in these days, as far as they may be read."""
    wanted = replace(query.filter, has_text=True, date_field=ANSWERED, **narrowed)
    return rows(query.filtered(wanted), ORDERS[order], readable=True).rows


def _has(one: Differences) -> bool:
    """A card that is never sent takes no room."""
    row = one.total
    said = (row.now.n, row.then.n, row.response_now.n)
    return any(said) or row.now.suppressed not in {None, "waits"}
