"""Where a local day begins: in, a date and a zone; out, the moment in UTC. One place, whatever the clocks did there."""

from datetime import UTC, date, datetime, time, tzinfo


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return the moment at which a local day begins, in UTC."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)
