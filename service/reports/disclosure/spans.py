"""Days, weeks, four and twelve weeks that nest: the span a day belongs to. Pure.

Weeks begin on Monday; four weeks make a block, three blocks make twelve weeks, counted from the first Monday of 1970.
So a day belongs to the same week, block and twelve weeks for ever.
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

FIRST_MONDAY = date(1970, 1, 5)
SETTLE = timedelta(hours=1)
"""How long a day that is over stays open: transactions that began in it are committed by then."""


def span_of(day: date, weeks: int) -> tuple[date, date]:
    """Return the span of so many weeks that a day is in, as [first, end)."""
    length = 7 * weeks
    first = FIRST_MONDAY + timedelta(days=(day - FIRST_MONDAY).days // length * length)
    return first, first + timedelta(days=length)


def over_at(now: datetime, zone: ZoneInfo) -> date:
    """Return the first day that is not over yet; all days before it are, and have settled."""
    return (now - SETTLE).astimezone(zone).date()
