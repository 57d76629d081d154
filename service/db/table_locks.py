"""Locking a table for a moment while others use it: in, what to do; out, its result, or that somebody holds the table.

On PostgreSQL everybody queues behind a process that waits for a table. So we wait briefly, let the others pass and try
again, for a limited time. SQLite's writers take turns anyway.
"""

import time
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db.transactions import writing
from service.errors import Conflict

A_MOMENT = "1500ms"
"""Longer than the second after which PostgreSQL detects deadlocks and cancels its own vacuum for us."""

REST_S = 3.0
TRIES = 40
"""Three minutes of waiting. What is done before it meets the table may take long, and is no waiting."""

HELD = {"55P03", "40P01"}  # PostgreSQL: lock_not_available, deadlock_detected
BUSY = "Something keeps one of the tables busy (an export, a backup?). Run this again when it has finished."
Done = TypeVar("Done")


def patiently(engine: Engine, do: Callable[[Connection], Done]) -> Done:
    """Run a transaction that hardly waits for table locks, and try again while somebody holds one. Raises Conflict."""
    for tried in range(TRIES):
        time.sleep(REST_S if tried else 0)
        try:
            with writing(engine) as connection:
                hardly_wait(connection)
                return do(connection)
        except sa.exc.OperationalError as error:
            if not is_held(error):
                raise
    raise Conflict("table_busy", BUSY)


def hardly_wait(connection: Connection) -> None:
    """Limit the wait for any table lock in this transaction to a moment."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{A_MOMENT}'")


def is_held(error: sa.exc.DBAPIError) -> bool:
    """Whether the error says that somebody else held the lock."""
    return getattr(error.orig, "sqlstate", "") in HELD
