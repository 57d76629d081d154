"""Local days and hours of a time zone, the same in Python and in SQL. Never reads the clock.

The databases do not share one set of zone rules, so the moments at which the offset changes are written into the
statement. Python reads the same list, and both always agree.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from service.db import EPOCH, MICROSECOND, to_micros

DAY = timedelta(days=1) // MICROSECOND
HOUR = timedelta(hours=1) // MICROSECOND
FIRST_YEAR, LAST_YEAR = 2015, 2050  # no conversation of ours is older; beyond, the last offset known goes on
ORDINAL_OF_EPOCH = EPOCH.date().toordinal()
Change = tuple[int, int]


def local_day(column: sa.ColumnElement[Any], zone: ZoneInfo) -> sa.ColumnElement[int]:
    """As SQL: the local day of a moment, in days since 1970."""
    return _local(column, zone) // _number(DAY)


def local_hour(column: sa.ColumnElement[Any], zone: ZoneInfo) -> sa.ColumnElement[int]:
    """As SQL: the local hour of a moment, 0 to 23."""
    return (_local(column, zone) // _number(HOUR)) % _number(24)


def day_and_hour(moment: datetime, zone: ZoneInfo) -> tuple[int, int]:
    """The local day of a moment, in days since 1970, and its hour."""
    at = to_micros(moment)
    first, changes = _offsets(zone.key)
    place = bisect_right(changes, at, key=lambda change: change[0])
    local = at + (changes[place - 1][1] if place else first)
    return local // DAY, local // HOUR % 24


def day_of(number: int) -> date:
    """The date of a day in days since 1970."""
    return date.fromordinal(ORDINAL_OF_EPOCH + number)


def number_of(day: date) -> int:
    """A date in days since 1970."""
    return day.toordinal() - ORDINAL_OF_EPOCH


def _local(column: sa.ColumnElement[Any], zone: ZoneInfo) -> sa.ColumnElement[int]:
    moment = sa.type_coerce(column, sa.BigInteger)
    return moment + OffsetAt(moment, sa.literal_column(zone.key))


class OffsetAt(FunctionElement[int]):
    """The offset of a zone at a moment, in microseconds.

    Its hundred cases are written when the statement is, which SQLAlchemy keeps; built of its expressions, they would be
    made and compared again with every question.
    """

    inherit_cache = True
    type = sa.BigInteger()


@compiles(OffsetAt)
def _cases(element: OffsetAt, compiler: SQLCompiler, **kw: Any) -> str:
    moment, key = element.clauses
    return _offset_at(compiler.process(moment, **kw), *_offsets(str(key)))


def _offset_at(moment: str, before: int, changes: Sequence[Change]) -> str:
    if not changes:
        return str(before)
    middle = len(changes) // 2
    at, offset = changes[middle]
    earlier, later = _offset_at(moment, before, changes[:middle]), _offset_at(moment, offset, changes[middle + 1 :])
    return f"CASE WHEN ({moment} < {at}) THEN {earlier} ELSE {later} END"


def _number(value: int) -> sa.ColumnElement[int]:
    return sa.literal_column(str(value), sa.BigInteger)


@lru_cache(maxsize=64)
def _offsets(key: str) -> tuple[int, tuple[Change, ...]]:
    """The first offset, then (moment, new offset) of each change, in microseconds."""
    zone, day = ZoneInfo(key), datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    found, before = [], _offset(day, zone)
    first = before
    while day.year < LAST_YEAR:
        following = day + timedelta(days=1)
        if _offset(following, zone) != before:
            at = _changes_at(day, zone)
            before = _offset(following, zone)
            found.append((to_micros(at), before // MICROSECOND))
        day = following
    return first // MICROSECOND, tuple(found)


def _changes_at(day: datetime, zone: ZoneInfo) -> datetime:
    """The first second of a day with the offset of the day's end."""
    start, low, high = _offset(day, zone), 0, 86_400
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(day + timedelta(seconds=middle), zone) == start else (low, middle)
    return day + timedelta(seconds=high)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
