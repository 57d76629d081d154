"""The days a report covers and the days it is compared with. Pure.

A month is compared with the month before, a quarter with the quarter before, any other days with as many days just
before: however they were asked for, so no link of a page changes what its figures are compared with. `last` belongs to
the report; `end` does not.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from service.errors import Invalid
from service.reports.counting.periods import SEVEN_DAYS
from service.reports.days import ONE_DAY
from service.reports.query_values import YEARS

MONTHS = WEEKS = 12
WEEK = 7 * ONE_DAY
LONGEST = 366
ORDINALS = ("First", "Second", "Third", "Fourth")


@dataclass(frozen=True, slots=True)
class ReportSpan:
    """Days of a report: [first, end), and [before, first) to compare them with."""

    first: date
    end: date
    before: date
    words: str

    @property
    def last(self) -> date:
        """The last day that belongs to it."""
        return self.end - ONE_DAY

    @property
    def drawn(self) -> tuple[date, str]:
        """Since when and in which pieces its line is drawn: the last twelve weeks for a week, else twelve months."""
        if self.end - self.first == WEEK:
            return self.end - WEEKS * WEEK, SEVEN_DAYS
        return back(self.last.replace(day=1), MONTHS - 1), "month"


def back(first: date, months: int) -> date:
    """The first day of the month so many months earlier."""
    number = first.year * 12 + first.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def last_month(today: date) -> ReportSpan:
    """The calendar month before today's."""
    return _month(back(today.replace(day=1), 1))


def last_week(today: date) -> ReportSpan:
    """The last Monday to Sunday that is over."""
    monday = today - ONE_DAY * today.weekday()
    return ReportSpan(monday - 7 * ONE_DAY, monday, monday - 14 * ONE_DAY, "")


def last_quarter(today: date) -> ReportSpan:
    """The calendar quarter before today's."""
    return _quarter(back(today.replace(month=today.month - (today.month - 1) % 3, day=1), 3))


def month_of(given: str) -> ReportSpan:
    """A month by its number, such as 2026-10. Raises Invalid."""
    found = re.fullmatch(r"([0-9]{4})-(0[1-9]|1[0-2])", given, re.ASCII)
    if found is None or int(found[1]) not in YEARS:
        raise Invalid("invalid_parameter", "'month' is a month like 2026-10.", errors={"month": ["no month"]})
    return _month(date(int(found[1]), int(found[2]), 1))


def days_of(first: date, last: date) -> ReportSpan:
    """Some days, both of them included. Raises Invalid."""
    if first > last or (last - first).days >= LONGEST:
        raise Invalid("invalid_parameter", f"A report covers 1 to {LONGEST} days; 'from' must not be after 'to'.")
    end = last + ONE_DAY
    months = (end.year - first.year) * 12 + end.month - first.month if first.day == end.day == 1 else 0
    if months == 1:
        return _month(first)
    if months == 3 and first.month % 3 == 1:  # noqa: PLR2004 - of a quarter
        return _quarter(first)
    return ReportSpan(first, end, first - (end - first), "")


LAST: Mapping[str, Callable[[date], ReportSpan]] = {"month": last_month, "week": last_week, "quarter": last_quarter}


def _month(first: date) -> ReportSpan:
    return ReportSpan(first, back(first, -1), back(first, 1), f"{first:%B %Y}")


def _quarter(first: date) -> ReportSpan:
    words = f"{ORDINALS[(first.month - 1) // 3]} quarter {first.year}"
    return ReportSpan(first, back(first, -3), back(first, 3), words)
