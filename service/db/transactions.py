"""The two kinds of transaction, reading and writing: an engine in, an open connection out, closed at the end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """Open a read transaction, which sees one state of the database, whatever is committed meanwhile.

    On SQLite it never blocks a writer. Within `at_most` it ends in time.
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
    """Open a write transaction. On SQLite it takes the write lock at once.

    Otherwise a transaction that reads first and writes later would fail there as soon as another commits in between.
    `silent_s`: a PostgreSQL server that leaves a statement unanswered for so long is given up.
    """
    committed: list[Callable[[], None]] = []
    bound = {} if silent_s is None else {watchdog.OPTION: silent_s}
    with in_turn(engine):
        connection, transaction = begun(engine, dm_feedback_writes=True, dm_feedback_committed=committed, **bound)
        with connection, transaction:
            yield connection
    for tell in committed:
        try:  # the writer must not take a committed change for a failed one
            tell()
        except Exception as error:
            log.exception("not_told_of_a_commit", error=type(error).__name__)


def begun(engine: Engine, **options: object) -> tuple[Connection, sa.RootTransaction]:
    """Take a connection and begin. If it died while idle, that shows now, and another one is taken.

    Asking each connection first whether it is alive would cost a round trip.
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
    """Call this after the commit, and never after a rollback."""
    waiting: list[Callable[[], None]] = connection.get_execution_options()["dm_feedback_committed"]
    waiting.append(tell)


def upsert(
    connection: Connection,
    table: sa.Table,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    *,
    once: Mapping[str, Any] | None = None,
) -> None:
    """Write a row, or change the one that has this key. `once`: what only a new row gets."""
    statement = insert(connection, table).values({**key, **(once or {}), **values})
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=dict(values)))


def insert_missing(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write those rows whose key is not there yet."""
    if rows:
        connection.execute(insert(connection, table).on_conflict_do_nothing(), rows)


def insert(connection: Connection, table: sa.Table) -> Any:
    """Return an INSERT with ON CONFLICT, which SQLAlchemy spells differently for each database."""
    return insert_of(connection.dialect.name, table)


def insert_of(dialect: str, table: sa.Table) -> Any:
    """The same for statements built before there is a connection, by dialect name."""
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)
