"""Times as CRMs write them: an aware UTC datetime, or None.

Reads ISO 8601 (with nanoseconds, `+0000` or a space), Unix seconds, milliseconds and float seconds, and `/Date(ms)/`.
Never guesses a zone: a time without one is unreadable unless the definition names the zone.
"""

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from service.db import EPOCH

FORMATS = ("auto", "iso8601", "iso8601_compact_offset", "unix_s", "unix_ms", "unix_float", "digits_auto")
ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?"
    r"(?: ?(Z|z|UTC|GMT)| ?([+-])(\d\d):?(\d\d)?)?",
    re.ASCII,
)
DIGITS = re.compile(r"-?[0-9]{1,19}(?:\.[0-9]{1,12})?", re.ASCII)
# milliseconds; the zone is for showing
DATAVERSE = re.compile(r"\\?/Date\((-?[0-9]{1,16})(?:[+-][0-9]{4})?\)\\?/", re.ASCII)
EARLIEST, LATEST = datetime(2006, 3, 21, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)  # X's first day; a typing slip
# a number is seconds, milliseconds, microseconds or nanoseconds by its size; these are the years 5138 and later
UNIT_BOUNDS = ((10**11, 1), (10**14, 10**3), (10**17, 10**6))


def event_time(value: Any, fmt: str, zone: ZoneInfo | None = None) -> datetime | None:
    """Read the time of something that happened on X; a time before X existed or far ahead is a mistake, so None."""
    found = parse_time(value, fmt, zone)
    return found if found and EARLIEST <= found <= LATEST else None


def parse_time(value: Any, fmt: str, zone: ZoneInfo | None = None) -> datetime | None:
    """Read `value` as `fmt` (one of FORMATS). `zone` is for times without one."""
    try:
        return _parse(value, fmt, zone)
    except (ValueError, OverflowError):  # 30 February, a year of 10**12
        return None


def _parse(value: Any, fmt: str, zone: ZoneInfo | None) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and (wrapped := DATAVERSE.fullmatch(text)):
        text, fmt = wrapped[1], "unix_ms"
    number = _number(text)
    if fmt.startswith("iso8601") or (fmt == "auto" and number is None):
        return _iso(text, zone) if isinstance(text, str) else None
    if number is None:
        return None
    return EPOCH + timedelta(microseconds=round(number * 10**6 / _per_second(number, fmt)))


def _number(value: str | float) -> int | float | None:
    if isinstance(value, str):
        if not DIGITS.fullmatch(value):
            return None
        return float(value) if "." in value else int(value)
    return value if math.isfinite(value) else None


def _per_second(number: float, fmt: str) -> int:
    if fmt in {"unix_s", "unix_float"}:
        return 1
    if fmt == "unix_ms":
        return 10**3
    return next((unit for bound, unit in UNIT_BOUNDS if abs(number) < bound), 10**9)


def _iso(text: str, zone: ZoneInfo | None) -> datetime | None:
    match = ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, utc, sign, off_hours, off_minutes = match.groups()
    moment = datetime(  # noqa: DTZ001 - the zone follows below
        int(year), int(month), int(day), int(hour), int(minute), min(int(second or 0), 59),
        int((fraction or "0")[:6].ljust(6, "0")),
    )  # fmt: skip
    if utc:
        return moment.replace(tzinfo=UTC)
    if sign:
        offset = timedelta(hours=int(off_hours), minutes=int(off_minutes or 0))
        return moment.replace(tzinfo=timezone(-offset if sign == "-" else offset)).astimezone(UTC)
    return moment.replace(tzinfo=zone).astimezone(UTC) if zone else None
