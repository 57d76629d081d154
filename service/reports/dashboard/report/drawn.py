"""Twelve months as a line: in, a trend by month; out, a drawing. What cannot be shown is a gap. Calculates nothing."""

from zoneinfo import ZoneInfo

from markupsafe import Markup

from service.reports.dashboard import sentences, words
from service.reports.dashboard.lines import over_time
from service.reports.dashboard.pictures import SCALE, point_of
from service.reports.dashboard.svg import Caption
from service.reports.figures.shapes import Trend, TrendPoint


def of_months(trend: Trend) -> Markup:
    """The line of one kind of card, the last month labelled."""
    zone = ZoneInfo(trend.zone)
    title = f"{sentences.TITLES[trend.type]} by month"
    told = "; ".join(f"{_name(each, zone)}: {sentences.value(each.score)}" for each in trend.points)
    points = [point_of(each, "month", zone) for each in trend.points]
    return over_time(points, Caption(f"report-{trend.type}", title, f"{told}."), *SCALE[trend.type])


def _name(each: TrendPoint, zone: ZoneInfo) -> str:
    return words.period(each.since, "month", zone)
