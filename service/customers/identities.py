"""Which X user a handle was, according to X, as long as that is recent enough to believe.

Handles are renamed and reused, so an id is kept with the moment X told it, and never longer than the settings say.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import upsert
from service.db.batch_deletion import Overdue
from service.models import x_identity

KEPT = timedelta(minutes=15)  # ask X again after this: a handle may be somebody else's tomorrow
xi = x_identity.c


def known(connection: Connection, handle: str, now: datetime) -> str | None:
    """Return the id X gave for this handle, if that is recent enough."""
    lately = (xi.seen_at > now - KEPT, xi.seen_at <= now)
    newest = sa.select(xi.x_user_id).where(xi.handle == handle.lower(), *lately).order_by(xi.seen_at.desc()).limit(1)
    return connection.scalar(newest)


def remember(connection: Connection, handle: str, x_user_id: str, now: datetime) -> None:
    """Store the id X gave for a handle, and when."""
    upsert(connection, x_identity, {"handle": handle.lower()}, {"x_user_id": x_user_id, "seen_at": now})


def handles_of(connection: Connection, x_user_id: str) -> set[str]:
    """Return the handles that X resolved to this person."""
    return set(connection.scalars(sa.select(xi.handle).where(xi.x_user_id == x_user_id)))


def of_person(x_user_id: str) -> tuple[sa.Table, sa.ColumnElement[bool]]:
    """Say which rows tell a person's handles."""
    return x_identity, xi.x_user_id == x_user_id


def erase(connection: Connection, x_user_id: str) -> int:
    """Forget a person's handles; return how many there were."""
    _, theirs = of_person(x_user_id)
    return connection.execute(sa.delete(x_identity).where(theirs)).rowcount


def too_old(before: datetime) -> Overdue:
    """Which rows retention deletes: those from before a time."""
    return Overdue("handles", x_identity, xi.seen_at < before)
