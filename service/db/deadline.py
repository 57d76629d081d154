"""How long the database may work on one answer: statements are stopped when the time is over.

A caller says `at_most`, and every read transaction inside keeps to it without knowing.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection

STEPS_BETWEEN_LOOKS = 20_000  # of SQLite's machine: well under a millisecond
CANCELLED = "57014"  # PostgreSQL: query_canceled
DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)


class OutOfTime(Exception):
    """The time of `at_most` is over before a statement begins."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Limit the time the database may work on everything read in this block; see `is_out_of_time`."""
    outside = DEADLINE.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        DEADLINE.reset(outside)


@contextmanager
def in_time(connection: Connection) -> Iterator[None]:
    """Limit one transaction to the time that is left, if there is a limit. Raises OutOfTime.

    On PostgreSQL a statement that is begun in time may take what was left at the beginning, so at most twice that.
    """
    deadline = DEADLINE.get()
    if deadline is None:
        yield
        return
    stopped = _stopped if connection.dialect.name == "postgresql" else _interrupted
    with _begun_in_time(connection, deadline), stopped(connection, deadline):
        yield


@contextmanager
def _begun_in_time(connection: Connection, deadline: float) -> Iterator[None]:
    """Begin no statement once the time is over: each is stopped by itself, and many short ones never are."""

    def demand_time(*_: Any) -> None:
        if time.monotonic() > deadline:
            raise OutOfTime

    event.listen(connection, "before_cursor_execute", demand_time)
    try:
        yield
    finally:
        event.remove(connection, "before_cursor_execute", demand_time)


@contextmanager
def _stopped(connection: Connection, deadline: float) -> Iterator[None]:
    left = max(1, int((deadline - time.monotonic()) * 1000))
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {left}")
    yield


@contextmanager
def _interrupted(connection: Connection, deadline: float) -> Iterator[None]:
    raw: Any = connection.connection.driver_connection
    raw.set_progress_handler(lambda: time.monotonic() > deadline, STEPS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        raw.set_progress_handler(None, 0)


def is_out_of_time(error: BaseException) -> bool:
    """Whether the database stopped because the time of `at_most`, or its own, was up."""
    if isinstance(error, OutOfTime):
        return True
    original = getattr(error, "orig", None)
    return getattr(original, "sqlstate", None) == CANCELLED or str(original) == "interrupted"
