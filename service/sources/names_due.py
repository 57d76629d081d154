"""Whose turn it is to ask a CRM for its staff's names. Asks nobody itself.

One reader at a time across all workers: it moves the due time a little ahead, so a dead one costs a few minutes.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db.leases import has_ended
from service.models import source_state
from service.sources.holds import LONGEST_PAUSE

LEASE = timedelta(minutes=5)
"""Outlasts the slowest page and the wait for a minute that has room for it."""

ss = source_state.c


def is_due(connection: Connection, source: str, now: datetime, every: timedelta, mine: datetime | None) -> bool:
    """Whether it is time to ask, or (`mine`) we are already asking.

    A time later than we ever postpone was set by a clock since set back.
    """
    row = connection.execute(sa.select(ss.names_due_at).where(ss.source == source)).one_or_none()
    return row is not None and (has_ended(row[0], now, max(every, LONGEST_PAUSE)) or row[0] == mine)


def put_off(connection: Connection, source: str, until: datetime) -> datetime:
    """Ask no more before then."""
    connection.execute(sa.update(source_state).where(ss.source == source).values(names_due_at=until))
    return until
