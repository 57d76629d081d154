"""Erasure that needs two people, where the settings say so: the second request by somebody else confirms the first.

A first request stands for a week under the person's keyed hash and is deleted once done. Two keys with the same name
count as one person, so rotating a key does not make two.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import insert_missing
from service.models import erasure_ask

STANDS = timedelta(days=7)
ea = erasure_ask.c


def agreed(connection: Connection, whom: str, asked_by: str, now: datetime) -> bool:
    """Whether somebody else asked for it recently; if not, remember this request."""
    prune(connection, now)
    first = connection.scalar(sa.select(ea.asked_by).where(ea.person == whom).with_for_update())
    if first is not None:
        return first != asked_by
    insert_missing(connection, erasure_ask, [{"person": whom, "asked_by": asked_by, "asked_at": now}])
    return False


def done(connection: Connection, whom: str) -> None:
    """Delete the request."""
    connection.execute(sa.delete(erasure_ask).where(ea.person == whom))


def prune(connection: Connection, now: datetime) -> None:
    """Delete requests that nobody confirmed in time."""
    connection.execute(sa.delete(erasure_ask).where(ea.asked_at < now - STANDS))
