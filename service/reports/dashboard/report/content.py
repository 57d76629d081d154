"""What a report holds: figures, teams, comments and who was asked, for a reader, a filter and days. Formats nothing.

An analyst's report consists of whole releases and has no comments. Comments are chosen: a mixture of moods, the worst,
by hand, or none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.engine import Connection

from service.auth import Reader
from service.errors import Invalid
from service.reports.dashboard.comments import ORDERS
from service.reports.dashboard.report.spans import ReportSpan
from service.reports.days import ONE_DAY, midnight
from service.reports.figures import figures
from service.reports.figures.shapes import Funnel, Summary, Trend
from service.reports.figures.then_now import Differences
from service.reports.filters import ANSWERED, Filter
from service.reports.roles import sees_rows
from service.reports.rows import query
from service.reports.rows.row import Row
from service.settings import Settings

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
    """One report. `totals` and `months`: one per kind of card that was answered; `comments` None: not shown."""

    span: ReportSpan
    filter: Filter
    summary: Summary
    totals: tuple[Differences, ...]
    months: tuple[Trend, ...]
    teams: tuple[Differences, ...]
    funnel: Funnel
    comments: tuple[Row, ...] | None
    withheld: bool

    @property
    def before_last(self) -> date:
        """The last day of those it is held against."""
        return self.span.first - ONE_DAY


def facts(
    connection: Connection,
    settings: Settings,
    reader: Reader,
    wanted: Filter,
    span: ReportSpan,
    now: datetime,
    choice: CommentChoice,
) -> ReportFacts:
    """Gather a report. Raises Invalid or NotAllowed as the figures do."""
    zone = settings.service.time_zone
    moments = [midnight(day, zone) for day in (span.first, span.end, span.before, span.year_ago)]
    here = replace(wanted, since=moments[0], until=moments[1])
    before = replace(wanted, since=moments[2], until=moments[0])
    who = (connection, settings, reader)
    months = figures.trend(*who, replace(here, since=moments[3]), now, "month").items
    totals = figures.differences(*who, here, now, "account", before).items
    answered = {each.type for each in months if any(point.score.n for point in each.points)}
    asked = answered | {one.type for one in totals if _has(one)}
    return ReportFacts(
        span=span,
        filter=here,
        summary=figures.summary(*who, here, now),
        totals=tuple(one for one in totals if one.type in asked),
        months=tuple(each for each in months if each.type in asked),
        teams=tuple(one for one in figures.differences_told(*who, here, now, "team", before) if one.type in asked),
        funnel=figures.funnel(*who, here, now),
        comments=chosen(*who, here, now, choice) if sees_rows(reader) else None,
        withheld=any(one.total.now.withheld for one in totals),
    )


def chosen(
    connection: Connection, settings: Settings, reader: Reader, here: Filter, now: datetime, choice: CommentChoice
) -> tuple[Row, ...]:
    """Return the comments of a report. Raises Invalid for a choice we do not know."""
    if choice.word not in dict(CHOICES):
        raise Invalid("unknown_choice", f"Comments are {', '.join(dict(CHOICES))}, not '{choice.word}'.")
    who = (connection, settings, reader)
    if choice.ids:
        found = {row.request_id: row for row in _read(who, replace(here, request_ids=choice.ids), now, "worst")}
        return tuple(found[each] for each in choice.ids if each in found)[:MOST_COMMENTS]
    if choice.word == "none":
        return ()
    if choice.word == "worst":
        return tuple(_read(who, replace(here, moods=("unhappy", "neutral")), now, "worst")[:MOST_COMMENTS])
    moods = (_read(who, replace(here, moods=(mood,)), now, "newest")[:least] for mood, least in MIXTURE)
    return tuple(row for rows in moods for row in rows)


def candidates(
    connection: Connection, settings: Settings, reader: Reader, here: Filter, now: datetime
) -> tuple[Row, ...]:
    """Return comments to choose from, the newest of every mood."""
    who, each = (connection, settings, reader), CANDIDATES // len(MIXTURE)
    found = (_read(who, replace(here, moods=(mood,)), now, "newest")[:each] for mood, _ in MIXTURE)
    return tuple(row for rows in found for row in rows)


def _read(who: tuple[Connection, Settings, Reader], wanted: Filter, now: datetime, order: str) -> Sequence[Row]:
    """Comments written in these days, as far as they may be read."""
    asked = replace(wanted, has_text=True, date_field=ANSWERED)
    return query.rows(*who, asked, now, ORDERS[order], readable=True).rows


def _has(one: Differences) -> bool:
    """A card that is never sent takes no room."""
    row = one.total
    said = (row.now.n, row.then.n, row.response_now.n)
    return any(said) or row.now.suppressed not in {None, "waits"}
