"""The two kinds of transaction, one that reads and one that writes: in, an engine; out, a connection inside of it.

Never opens one by itself, and never leaves one open.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine

from service.db import watchdog
from service.db.deadline import in_time
from service.db.sqlite import in_turn

log = structlog.get_logger(__name__)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads: one state of the database, whatever is committed meanwhile.

    On SQLite it never blocks a writer. Within `at_most`, it ends in time.
    """
    connection, transaction = begun(engine, dm_feedback_steady=True, dm_feedback_found={})
    with connection, transaction, in_time(connection):
        yield connection


@contextmanager
def reading_on(connection: Connection) -> Iterator[None]:
    """The same on a connection that is there already."""
    with connection.execution_options(dm_feedback_steady=True, dm_feedback_found={}).begin(), in_time(connection):
        yield


@contextmanager
def writing(engine: Engine, silent_s: float | None = None) -> Iterator[Connection]:
    """Open a transaction that writes. On SQLite it takes the write lock at once.

    A transaction that reads first and writes later fails there as soon as another commit comes between. `silent_s`:
    a server of PostgreSQL that leaves a statement unanswered for so long is given up, if not after the usual time.
    """
    committed: list[Callable[[], None]] = []
    bound = {} if silent_s is None else {watchdog.OPTION: silent_s}
    with in_turn(engine):
        connection, transaction = begun(engine, dm_feedback_writes=True, dm_feedback_committed=committed, **bound)
        with connection, transaction:
            yield connection
    for tell in committed:
        try:  # who wrote it must not take for failed what is there for good
            tell()
        except Exception as error:
            log.exception("not_told_of_a_commit", error=type(error).__name__)


def begun(engine: Engine, **options: object) -> tuple[Connection, sa.RootTransaction]:
    """Take a connection and begin. One that died while nobody used it is found out by that, and another one is taken.

    To ask each whether it lives before we begin would cost a way to the server and back.
    """
    try:
        return _begun(engine, options)
    except sa.exc.DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return _begun(engine, options)  # the pool has given up all that are as old


def _begun(engine: Engine, options: Mapping[str, object]) -> tuple[Connection, sa.RootTransaction]:
    connection = engine.connect().execution_options(**options)
    try:
        return connection, connection.begin()
    except BaseException:
        connection.close()
        raise


def once_committed(connection: Connection, tell: Callable[[], None]) -> None:
    """Call when what is being written is there for good, and never where it is rolled back."""
    waiting: list[Callable[[], None]] = connection.get_execution_options()["dm_feedback_committed"]
    waiting.append(tell)


def insert(connection: Connection, table: sa.Table) -> Any:
    """Return an INSERT that knows ON CONFLICT, which SQLAlchemy spells once per database."""
    return insert_of(connection.dialect.name, table)


def insert_of(dialect: str, table: sa.Table) -> Any:
    """The same for statements that are built before there is a connection, by the name of the dialect."""
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)
