"""How long the headers of a 429 or 503 ask us to wait; None if they do not say.

`Retry-After` in seconds or as a date; otherwise vendors' own reset headers, in seconds or as a moment (in seconds or
milliseconds), and HubSpot's window in milliseconds. A time in the past or more than a day ahead is ignored.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

RESETS = ("x-ratelimit-retry-after", "x-rate-limit-reset", "x-ratelimit-reset", "ratelimit-reset")
WINDOW_MS = "x-hubspot-ratelimit-interval-milliseconds"
LONGEST = timedelta(days=1)
A_MOMENT, IN_MS = 10**9, 10**11  # seconds since 1970 are larger, spans never; milliseconds larger still


def wait(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return how long to wait, counted from `now`."""
    hints = [_span(headers.get(name, "").strip(), now) for name in ("retry-after", *RESETS)]
    hints.append(_milliseconds(headers.get(WINDOW_MS, "")))
    return next((each for each in hints if each is not None and timedelta() < each <= LONGEST), None)


def _milliseconds(text: str) -> timedelta | None:
    try:
        return timedelta(milliseconds=float(text))
    except (ValueError, OverflowError):
        return None


def _span(text: str, now: datetime) -> timedelta | None:
    try:
        number = float(text)
        seconds = number / 1000 if number > IN_MS else number
        return datetime.fromtimestamp(seconds, UTC) - now if number > A_MOMENT else timedelta(seconds=number)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
