"""The wall clock, a stopwatch, the names of time zones, and the type of an argument that tells the time.

Code that decides by time takes it as an argument, `now` or a `Clock`; this is the one used in production.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from zoneinfo import available_timezones

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the wall clock."""
    return datetime.now(UTC)


def since_boot() -> float:
    """Return seconds that nobody's setting of the clock moves; on Linux those count in which the machine slept."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@cache
def zone_names() -> frozenset[str]:
    """Return the names of all time zones: to look through their files takes ten milliseconds."""
    return frozenset(available_timezones())


def rfc3339(moment: datetime) -> str:
    """Return e.g. `2026-11-29T12:00:00.000000Z`; one width, as readers guess a column's type by its first value."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
