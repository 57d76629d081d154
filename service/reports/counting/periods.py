"""Days, weeks and months: in, the period somebody asked for; out, whole days, and the pieces a trend is made of."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from service.db import EPOCH
from service.errors import Invalid
from service.reports.disclosure.covers import Asked
from service.reports.disclosure.suppression import week_of, whole_days
from service.reports.filters import Filter
from service.reports.visible import View

PERIODS = ("day", "week", "month")
MOST_POINTS = 400
ONE_DAY = timedelta(days=1)


def asked_of(filter: Filter, view: View, now: datetime, zone: ZoneInfo) -> Asked:
    """Whole days of the asked period; with an embargo only those that are over."""
    latest = view.cutoff or now
    until = latest if filter.until is None else min(filter.until, latest)
    first, end = whole_days(filter.since or EPOCH, until, latest, zone)
    is_open = filter.until is None or filter.until >= latest
    live = view.cutoff is None
    return Asked(date.min if filter.since is None else first, end, is_open and live, live)


def start_of(day: date, period: str) -> date:
    """The first day of the day, week or month that a day belongs to."""
    if period == "month":
        return day.replace(day=1)
    return week_of(day) if period == "week" else day


def pieces(first: date, last: date, period: str) -> list[tuple[date, date]]:
    """The periods from the one with `first` to the one with `last`, as [begin, end). Raises Invalid for too many."""
    if (last - first).days // {"day": 1, "week": 7, "month": 28}[period] >= MOST_POINTS:
        raise Invalid(
            "range_too_long",
            f"A trend has at most {MOST_POINTS} points; shorten [since, until) or take longer periods than a {period}.",
        )
    found, begin = [], start_of(first, period)
    while begin <= last:
        end = _next(begin, period)
        found.append((begin, end))
        begin = end
    return found


def _next(begin: date, period: str) -> date:
    return start_of(begin + {"day": ONE_DAY, "week": ONE_DAY * 7, "month": ONE_DAY * 31}[period], period)
