"""Days and hours of a time zone, counted inside the database: in, a column of moments; out, SQL for its local day.

No database of ours knows a zone's rules, so they are written into the statement: a list of the moments at which the
zone's offset changed, the newest first. Never reads the clock.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from service.db import EPOCH, MICROSECOND

DAY = timedelta(days=1) // MICROSECOND
HOUR = timedelta(hours=1) // MICROSECOND
FIRST_YEAR = 2015  # before any conversation of ours
YEARS_AHEAD = 3
ORDINAL_OF_EPOCH = EPOCH.date().toordinal()


def local_day(column: sa.ColumnElement[Any], zone: ZoneInfo, now: datetime) -> sa.ColumnElement[int]:
    """The local day of a moment, as days since 1970; `day_of` makes a date of it."""
    return _local(column, zone, now) // _number(DAY)


def local_hour(column: sa.ColumnElement[Any], zone: ZoneInfo, now: datetime) -> sa.ColumnElement[int]:
    """The local hour of a moment, 0 to 23."""
    return (_local(column, zone, now) // _number(HOUR)) % _number(24)


def day_of(number: int) -> date:
    """The date of a day as the database counted it."""
    return date.fromordinal(ORDINAL_OF_EPOCH + number)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The moment at which a local day begins, in UTC."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _local(column: sa.ColumnElement[Any], zone: ZoneInfo, now: datetime) -> sa.ColumnElement[int]:
    moment = sa.type_coerce(column, sa.BigInteger)
    first, changes = _offsets(zone.key, now.year + YEARS_AHEAD)
    if not changes:
        return moment + _number(first)
    branches = [(moment >= _number(at), _number(offset)) for at, offset in reversed(changes)]
    return moment + sa.case(*branches, else_=_number(first))


def _number(value: int) -> sa.ColumnElement[int]:
    return sa.literal_column(str(value), sa.BigInteger)


@lru_cache(maxsize=64)
def _offsets(key: str, until_year: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """The first offset, then (moment, new offset) of each change, in microseconds."""
    zone, day = ZoneInfo(key), datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    found, before = [], _offset(day, zone)
    first = before
    while day.year < until_year:
        following = day + timedelta(days=1)
        if _offset(following, zone) != before:
            at = _changes_at(day, zone)
            before = _offset(following, zone)
            found.append(((at - EPOCH) // MICROSECOND, before // MICROSECOND))
        day = following
    return first // MICROSECOND, tuple(found)


def _changes_at(day: datetime, zone: ZoneInfo) -> datetime:
    """The first second of a day that has the offset of the day's end."""
    start, low, high = _offset(day, zone), 0, 86_400
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(day + timedelta(seconds=middle), zone) == start else (low, middle)
    return day + timedelta(seconds=high)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
