"""The log of who read comments, exported, or changed something by hand: in, an act; out, a row an admin can list."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import access_log

c = access_log.c


def log_access(connection: Connection, actor: str, action: str, detail: Mapping[str, Any], now: datetime) -> None:
    """Write one line. `detail` holds filters and counts, never a customer's words."""
    connection.execute(sa.insert(access_log).values(at=now, actor=actor[:96], action=action, detail=dict(detail)))


def listed(connection: Connection, before_id: int | None, limit: int) -> list[sa.Row[Any]]:
    """Return lines, the newest first; page by the id of the last one."""
    query = sa.select(access_log).order_by(c.id.desc()).limit(limit)
    return list(connection.execute(query if before_id is None else query.where(c.id < before_id)))


def prune(connection: Connection, before: datetime, *, dry_run: bool) -> int:
    """Remove lines older than their retention; return how many there are."""
    if dry_run:
        return connection.scalar(sa.select(sa.func.count()).select_from(access_log).where(c.at < before)) or 0
    return connection.execute(sa.delete(access_log).where(c.at < before)).rowcount
