"""The database: in, a URL; out, an engine and the two kinds of transaction.

SQLite runs in WAL with `synchronous=FULL` and a library without the WAL-reset bug; PostgreSQL with
`synchronous_commit=on`. A 2xx of ours rests on both. Never opens a transaction by itself and never keeps a connection
across a fork: engines are made in the process that uses them.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Dialect, Engine

from service import standing_still
from service.deadline import in_time
from service.driver_errors import give_up_read_only
from service.errors import Unavailable
from service.on_postgresql import SETTINGS, open_postgresql
from service.several_hosts import parse

try:  # the bundled SQLite; elsewhere than Linux x86-64 the interpreter's own, behind the gate below
    import pysqlite3.dbapi2 as sqlite_driver
except ImportError:  # pragma: no cover - platforms without a wheel
    import importlib

    sqlite_driver = importlib.import_module("sqlite3.dbapi2")

log = structlog.get_logger(__name__)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
BUSY_TIMEOUT_S = 5
KEPT = 6  # connections that stay open: each keeps up to 2 MB of pages, and a slow moment would leave twenty of them
LOOK_AGAIN_S = 0.0005
BEGIN_WRITING = "BEGIN IMMEDIATE"
PRIMARY = 0xFF  # of a result code of SQLite; what stands above it says more
WRITE = "one such as sqlite:///feedback.db or postgresql://user:password@host/name"
FIXED_FROM = (3, 51, 3)
FIXED_BRANCHES = {(3, 50): 7, (3, 44): 6}


@dataclass(frozen=True, slots=True)
class ConnectionWait:
    """How long a server may take to let us in, a connection of ours to get free, a statement to be answered: seconds.

    `silent_s` None: for as long as the server itself lets a statement work.
    """

    connect_s: int = 5
    pool_s: int = 30
    silent_s: float | None = None


PATIENT = ConnectionWait()


class Micros(sa.types.TypeDecorator[datetime]):
    """An aware datetime, stored as UTC microseconds since 1970: no database drops its zone or its order."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002, D102 - SQLAlchemy's
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002, D102 - SQLAlchemy's
        return None if value is None else from_micros(value)


def to_micros(moment: datetime) -> int:
    """Return an aware moment as it is stored."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(stored: int) -> datetime:
    """Return what is stored as a moment in UTC."""
    return EPOCH + timedelta(microseconds=stored)


def sqlite_is_sound(version: tuple[int, int, int]) -> bool:
    """Say whether this SQLite is free of the WAL-reset corruption bug (fixed in 3.51.3, 3.50.7, 3.44.6)."""
    return version >= FIXED_FROM or version[2] >= FIXED_BRANCHES.get(version[:2], 1_000_000)


def open_engine(url: str, wait: ConnectionWait = PATIENT) -> Engine:
    """Open the database at `url` (`sqlite:///file.db` or `postgresql://…`). Raises Unavailable with a sentence."""
    try:
        parsed = parse(url)
    except (sa.exc.ArgumentError, ValueError) as error:  # its words would show the password
        raise Unavailable("database_url", f"database.url is no address; write {WRITE}.") from error
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed)
    if parsed.get_backend_name() == "postgresql":
        return open_postgresql(parsed, wait.connect_s, wait.pool_s, wait.silent_s)
    raise Unavailable(
        "database_kind",
        f"'{parsed.get_backend_name()}' is no database of ours; write {WRITE}.",
    )


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
    bound = {} if silent_s is None else {standing_still.SILENT_S: silent_s}
    with _in_turn(engine):
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


@contextmanager
def _in_turn(engine: Engine) -> Iterator[None]:
    """Let the threads of one process write to SQLite one after the other.

    SQLite has no queue for its write lock: who does not get it tries again and again. Only processes, of which there
    are few, should meet it in that way.
    """
    turn: threading.Lock | None = engine.get_execution_options().get("dm_feedback_turn")
    mine = turn is not None and turn.acquire(timeout=BUSY_TIMEOUT_S)
    try:
        yield  # without our turn, SQLite's own waiting decides
    finally:
        if turn is not None and mine:
            turn.release()


def insert(connection: Connection, table: sa.Table) -> Any:
    """Return an INSERT that knows ON CONFLICT, which SQLAlchemy spells once per database."""
    return insert_of(connection.dialect.name, table)


def insert_of(dialect: str, table: sa.Table) -> Any:
    """The same for statements that are built before there is a connection, by the name of the dialect."""
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)


def _open_sqlite(url: URL) -> Engine:
    version = tuple(sqlite_driver.sqlite_version_info)
    if not sqlite_is_sound(version):
        raise Unavailable(
            "sqlite_unsound",
            f"SQLite {sqlite_driver.sqlite_version} can corrupt a WAL database that several processes use. "
            "Install the pysqlite3 wheel (Linux x86-64), a Python with SQLite 3.51.3 or newer, or use PostgreSQL.",
        )
    if url.database and url.database != ":memory:":
        url = url.set(database=str(_place(Path(url.database).expanduser())))
    engine = sa.create_engine(
        url,
        module=sqlite_driver,
        hide_parameters=True,  # the text of an error goes into logs; what a customer wrote must not
        connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT_S},
        pool_size=KEPT,
        max_overflow=40 - KEPT,
        pool_use_lifo=True,  # who wrote last has the newest pages and statements at hand
        execution_options={"dm_feedback_turn": threading.Lock()},
    )
    event.listen(engine, "do_connect", _make_for_us_alone)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", give_up_read_only)
    return engine


def _place(file: Path) -> Path:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        sentence = f"The directory of the database, {file.parent}, cannot be made: {error.strerror}."
        raise Unavailable("database_place", sentence) from error
    return file


def _make_for_us_alone(_dialect: Dialect, _record: Any, arguments: list[Any], _named: dict[str, Any]) -> None:
    """A new file is for nobody else to read, from its first byte; SQLite gives the ones beside it the same rights."""
    with suppress(OSError):  # there already, or not to be written: opening it says what is the matter
        os.close(os.open(arguments[0], os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _set_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "temp_store=MEMORY",  # its cache stays at SQLite's own 2 MB: there is one for each connection
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("dm_feedback_writes", False):
        _take_write_lock(connection)
    else:
        connection.exec_driver_sql("BEGIN")


def _take_write_lock(connection: Connection) -> None:
    """Ask for the write lock again and again: SQLite's own waiting falls asleep for longer and longer.

    The driver is asked, not SQLAlchemy: nearly every try beside another process ends in an error, which would cost ten
    times as much to be told of.
    """
    give_up_at = time.monotonic() + BUSY_TIMEOUT_S
    raw = connection.connection.cursor()
    raw.execute("PRAGMA busy_timeout=0")
    try:
        while _is_taken(raw) and time.monotonic() < give_up_at:
            time.sleep(LOOK_AGAIN_S)
        if not connection.connection.in_transaction:
            connection.exec_driver_sql(BEGIN_WRITING)  # raises what is the matter, as everywhere
    finally:
        with suppress(sqlite_driver.ProgrammingError):  # closed by now where it was opened read-only
            raw.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")
            raw.close()


def _is_taken(cursor: Any) -> bool:
    """Begin to write, and say whether somebody else does. Any other error is not ours to tell."""
    try:
        cursor.execute(BEGIN_WRITING)
    except sqlite_driver.DatabaseError as error:
        return bool(getattr(error, "sqlite_errorcode", 0) & PRIMARY == sqlite_driver.SQLITE_BUSY)
    return False


def demand_settings(engine: Engine) -> None:
    """Refuse a server, or a pooler before it, that does not keep our settings for a transaction. Raises Unavailable."""
    if engine.dialect.name != "postgresql":
        return
    with reading(engine) as connection:
        found = {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in SETTINGS}
    if found != SETTINGS:
        sentence = f"PostgreSQL does not keep our settings ({found}): a pooler must keep a transaction on one server."
        raise Unavailable("database_settings", sentence)
