"""Several figures from one state of the database, in one call. Calculates nothing."""

from dataclasses import dataclass, fields
from zoneinfo import ZoneInfo

from service.reports.figures import figures
from service.reports.figures.shapes import Breakdowns, Several
from service.reports.report_query import ReportQuery

FIGURES = tuple(each.name for each in fields(Several))


@dataclass(frozen=True, slots=True)
class WhichFigures:
    """Which figures. `by`: the dimensions of breakdowns; `period`, `zone` and `trend_by` are the trend's."""

    names: tuple[str, ...]
    by: tuple[str, ...] = ()
    trend_by: str | None = None
    coverage_by: str = "agent"
    period: str = "day"
    zone: ZoneInfo | None = None


def several(query: ReportQuery, wanted: WhichFigures) -> Several:
    """Return what is wanted. Raises Invalid as each figure does."""
    names, tables = wanted.names, (one for by in wanted.by for one in figures.breakdown(query, by).items)
    return Several(
        summary=figures.summary(query) if "summary" in names else None,
        funnel=figures.funnel(query) if "funnel" in names else None,
        trend=figures.trend(query, wanted.period, wanted.zone, wanted.trend_by) if "trend" in names else None,
        breakdown=Breakdowns(tuple(tables)) if "breakdown" in names else None,
        coverage=figures.coverage(query, wanted.coverage_by) if "coverage" in names else None,
        completeness=figures.completeness(query) if "completeness" in names else None,
    )
