"""Leases in the database: in, the column that says until when; out, the condition under which nobody is bound by it.

Two machines' clocks may differ a little: a lease that merely looks some seconds long must not be taken away. One that
looks over is: whoever held it may lose a turn by that, and never what X has said of a send (`outreach/claims.py`). One
that ends further ahead than any lease reaches was written before a clock was set back, and counts as over.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

CLOCKS_DIFFER = timedelta(minutes=10)  # more than machines that keep time ever do


def is_over(until: sa.ColumnElement[Any], now: datetime, longest: timedelta) -> sa.ColumnElement[bool]:
    """Not leased, or leased by somebody who died, or until a time that only a clock set back could explain."""
    return is_over_at(until, now, beyond(now, longest))


def is_over_at(until: sa.ColumnElement[Any], now: Any, far: Any) -> sa.ColumnElement[bool]:
    """The same for statements that are built once; `far` is `beyond(now, longest)`."""
    return sa.or_(until.is_(None), until <= now, until > far)


def is_held(until: sa.ColumnElement[Any], now: datetime, longest: timedelta) -> sa.ColumnElement[bool]:
    """The opposite: leased by somebody who may be alive."""
    return sa.and_(until > now, until <= beyond(now, longest))


def has_ended(until: datetime | None, now: datetime, longest: timedelta) -> bool:
    """The same of a lease that was read."""
    return until is None or until <= now or until > beyond(now, longest)


def beyond(now: datetime, longest: timedelta) -> datetime:
    """Return the moment no lease of this length reaches."""
    return now + longest + CLOCKS_DIFFER
