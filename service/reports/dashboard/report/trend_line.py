"""Twelve months or weeks as a line, with a flag where the question changed. What cannot be shown is a gap."""

from zoneinfo import ZoneInfo

from markupsafe import Markup

from service.reports.dashboard import sentences
from service.reports.dashboard.figure_charts import SCALE, another_question, point_of
from service.reports.dashboard.line_chart import over_time
from service.reports.dashboard.svg import Caption
from service.reports.figures.shapes import Trend


def of_periods(trend: Trend) -> Markup:
    """The line of one kind of card, the last month or week labelled."""
    zone = ZoneInfo(trend.zone)
    title = f"{sentences.TITLES[trend.type]} by {'month' if trend.period == 'month' else 'week'}"
    asked = zip(trend.points, another_question(trend.points), strict=True)
    points = [point_of(each, trend.period, zone, another) for each, another in asked]
    told = "; ".join(f"{each.label}: {each.shown}{each.note and f', {each.note}'}" for each in points)
    return over_time(points, Caption(f"report-{trend.type}", title, f"{told}."), *SCALE[trend.type])
