"""Where a local day begins, as a moment in UTC, whatever the clocks did that day; and how long a day is."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

ONE_DAY = timedelta(days=1)


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return the moment at which a local day begins, in UTC."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)
