"""Several figures from one state of the database, in one call. Calculates nothing."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from service.auth.keys import Reader
from service.reports.figures import figures
from service.reports.figures.shapes import Breakdowns, Several
from service.reports.filters import Filter
from service.settings import Settings

FIGURES = ("summary", "funnel", "trend", "breakdown", "coverage", "completeness")
Who = tuple[Connection, Settings, Reader, Filter, datetime]


@dataclass(frozen=True, slots=True)
class WhichFigures:
    """Which figures. `by`: the dimensions of breakdowns; `period`, `zone` and `trend_by` are the trend's."""

    names: tuple[str, ...]
    by: tuple[str, ...] = ()
    trend_by: str | None = None
    coverage_by: str = "agent"
    period: str = "day"
    zone: ZoneInfo | None = None


def several(
    connection: Connection, settings: Settings, reader: Reader, filter: Filter, now: datetime, wanted: WhichFigures
) -> Several:
    """Return what is wanted. Raises Invalid as each figure does."""
    who = (connection, settings, reader, filter, now)
    names = wanted.names
    return Several(
        summary=figures.summary(*who) if "summary" in names else None,
        funnel=figures.funnel(*who) if "funnel" in names else None,
        trend=figures.trend(*who, wanted.period, wanted.zone, wanted.trend_by) if "trend" in names else None,
        breakdown=_breakdowns(who, wanted.by) if "breakdown" in names else None,
        coverage=figures.coverage(*who, wanted.coverage_by) if "coverage" in names else None,
        completeness=figures.completeness(*who) if "completeness" in names else None,
    )


def _breakdowns(who: Who, by: tuple[str, ...]) -> Breakdowns:
    return Breakdowns(tuple(item for each in by for item in figures.breakdown(*who, each).items))
