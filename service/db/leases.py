"""Leases in the database: the SQL condition under which a lease is not, or no longer, held.

Clocks of two machines may differ a little. A lease that looks over is taken; its holder may lose a turn by that, but
never what X said about a send (`outreach/claims.py`). One that looks a few minutes too long is respected; one that ends
later than any lease could was written before a clock was set back, and counts as over.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

CLOCKS_DIFFER = timedelta(minutes=10)  # more than machines that keep time ever do


def is_over(until: sa.ColumnElement[Any], now: datetime, longest: timedelta) -> sa.ColumnElement[bool]:
    """Not leased, or the lease has expired, or it ends so late that only a clock set back can explain it."""
    return is_over_at(until, now, beyond(now, longest))


def is_over_at(until: sa.ColumnElement[Any], now: Any, far: Any) -> sa.ColumnElement[bool]:
    """The same for statements that are built once; `far` is `beyond(now, longest)`."""
    return sa.or_(until.is_(None), until <= now, until > far)


def is_held(until: sa.ColumnElement[Any], now: datetime, longest: timedelta) -> sa.ColumnElement[bool]:
    """The opposite: leased by somebody who may still be alive."""
    return sa.and_(until > now, until <= beyond(now, longest))


def has_ended(until: datetime | None, now: datetime, longest: timedelta) -> bool:
    """Whether a lease that was read has ended."""
    return until is None or until <= now or until > beyond(now, longest)


def beyond(now: datetime, longest: timedelta) -> datetime:
    """Return a moment that no lease of this length reaches."""
    return now + longest + CLOCKS_DIFFER
