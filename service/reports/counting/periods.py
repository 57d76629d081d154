"""Cuts a period into the days, weeks, months or seven-day spans of a trend."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from service.errors import Invalid
from service.reports.days import ONE_DAY, midnight

PERIODS = ("day", "week", "month")
SEVEN_DAYS = "seven_days"
"""Weeks that end with the last day asked for, whatever day of the week that is: the last of them is always whole."""
LENGTHS = {"day": (1, 1), "week": (7, 7), SEVEN_DAYS: (7, 7), "month": (28, 31)}
"""Days of the shortest and of the longest."""

MOST_POINTS = 400
MOST_OF_GROUPS = 10_000


def start_of(day: date, period: str, last: date | None = None) -> date:
    """The first day of the day, week or month a day belongs to; seven-day spans are counted back from `last`."""
    if period == SEVEN_DAYS and last is not None:
        return last - ONE_DAY * (6 + 7 * ((last - day).days // 7))
    if period == "month":
        return day.replace(day=1)
    return day - ONE_DAY * day.weekday() if period == "week" else day


def pieces(first: date, last: date, period: str) -> list[tuple[date, date]]:
    """The periods from the one with `first` to the one with `last`, as [begin, end). Raises Invalid for too many."""
    if (last - first).days // LENGTHS[period][0] >= MOST_POINTS:
        raise Invalid(
            "range_too_long",
            f"A trend has at most {MOST_POINTS} points; shorten [since, until) or use longer periods than a {period}.",
        )
    found, begin = [], start_of(first, period, last)
    while begin <= last:
        end = start_of(begin + ONE_DAY * LENGTHS[period][1], period, last)
        found.append((begin, end))
        begin = end
    return found


def demand_few(points: int) -> None:
    """Raise Invalid for more points, over all groups, than one answer may have."""
    if points > MOST_OF_GROUPS:
        raise Invalid(
            "too_many_points",
            f"All groups together have {points} points, and an answer at most {MOST_OF_GROUPS}; shorten "
            "[since, until), use longer periods, or request fewer groups.",
        )


def first_whole_day(since: datetime | None, zone: ZoneInfo) -> date | None:
    """The first whole day after a moment; None: from the beginning."""
    if since is None:
        return None
    day = since.astimezone(zone).date()
    return day if midnight(day, zone) >= since else day + ONE_DAY


def end_of_whole_days(until: datetime | None, zone: ZoneInfo) -> date | None:
    """The first day that is not entirely before a moment; None: up to now."""
    return None if until is None else until.astimezone(zone).date()
