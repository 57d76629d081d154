"""The access log: who read comments, exported data or changed something by hand.

Each line says who, what, from which address and with what outcome; `chain.py` makes the lines tamper-evident.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.auth.keys import LONGEST_ACTOR
from service.models import access_log

DONE = "done"
CAME_FROM: ContextVar[str | None] = ContextVar("came_from", default=None)
acs = access_log.c


def came_from(address: str | None) -> None:
    """Remember where this call came from, so that nobody in between has to pass it on."""
    CAME_FROM.set(address)


def log_access(
    connection: Connection, actor: str, action: str, detail: Mapping[str, Any], now: datetime, *, outcome: str = DONE
) -> None:
    """Write one line. `detail` holds filters and counts, never a customer's words."""
    line = {"at": now, "actor": actor[:LONGEST_ACTOR], "action": action, "detail": dict(detail)}
    connection.execute(sa.insert(access_log).values(**line, address=CAME_FROM.get(), outcome=outcome))


def listed(connection: Connection, before_id: int | None, limit: int) -> list[sa.Row[Any]]:
    """Return lines, the newest first; page by the id of the last one."""
    query = sa.select(access_log).order_by(acs.id.desc()).limit(limit)
    return list(connection.execute(query if before_id is None else query.where(acs.id < before_id)))
