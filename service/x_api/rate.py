"""X's rate headers: what is left of a window, and when it opens again, as plain facts or None.

Never raises: a header that cannot be read, or one that would silence us for years, is treated as absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

FARTHEST = timedelta(hours=25)
"""X's longest window is a day; a time beyond that is a mistake, and believing it would stop the account for good."""

WINDOWS = ("x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour")
"""What X's headers of a limit begin with: of the endpoint, and over v2 of the account's and the app's day."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One window: calls allowed, calls left, when it starts anew."""

    limit: int | None
    remaining: int | None
    reset_at: datetime | None


def rate_from(headers: Mapping[str, str], now: datetime) -> RateLimit | None:
    """The window this answer reports; None without such headers, as from both routes that write."""
    rate = RateLimit(
        limit=_count(headers.get("x-rate-limit-limit")),
        remaining=_count(headers.get("x-rate-limit-remaining")),
        reset_at=_epoch(headers.get("x-rate-limit-reset"), now),
    )
    return None if rate == RateLimit(None, None, None) else rate


def reset_from(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """When to come back after a refusal: the latest reset of a used-up window, else `retry-after`, else unknown.

    A window with calls left is not what refused us, so its reset says nothing. Nor does a time in the past: X's clock
    may be behind ours, and we would be back too early.
    """
    used_up = [each for each in WINDOWS if not _count(headers.get(f"{each}-remaining"))]
    resets = [_epoch(headers.get(f"{each}-reset"), now) for each in used_up]
    named = (max(filter(None, resets), default=None), _retry_after(headers.get("retry-after"), now))
    return next((each for each in named if each is not None and each > now), None)


def _count(value: object) -> int | None:
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None  # noqa: PLR2004 - fits 64 bits


def _epoch(value: object, now: datetime) -> datetime | None:
    seconds = _count(value)
    if seconds is None or seconds > (now + FARTHEST).timestamp():
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _retry_after(value: str | None, now: datetime) -> datetime | None:
    seconds = _count(value)
    if seconds is not None:
        return now + timedelta(seconds=seconds) if seconds <= FARTHEST.total_seconds() else None
    return _http_date(value, now)


def _http_date(value: str | None, now: datetime) -> datetime | None:
    try:
        when = parsedate_to_datetime(value or "")
        when = when.replace(tzinfo=when.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return when if when <= now + FARTHEST else None
