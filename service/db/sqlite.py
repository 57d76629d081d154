"""SQLite as we use it: WAL with `synchronous=FULL`, and writers that take turns.

Refuses a library with the WAL-reset bug. The only file that imports an SQLite driver: two in one process lose committed
rows.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Dialect, Engine

from service.db.driver_errors import give_up_outdated
from service.db.outages import PRIMARY, REPLACED
from service.errors import Unavailable

try:  # the bundled SQLite; where there is no wheel of it the interpreter's own, behind the gate below
    import pysqlite3.dbapi2 as sqlite_driver
except ImportError:  # pragma: no cover - platforms without a wheel
    import importlib

    sqlite_driver = importlib.import_module("sqlite3.dbapi2")

BUSY_TIMEOUT_S = 5
KEPT = 6  # connections that stay open: each keeps up to 2 MB of pages, and a slow moment would leave twenty of them
LOOK_AGAIN_S = 0.0005
BEGIN_WRITING = "BEGIN IMMEDIATE"
LOG_KEPT = 64 * 1024 * 1024  # bytes of FILE-wal that stay after a reader who kept it growing has gone
FIXED_FROM = (3, 51, 3)
FIXED_BRANCHES = {(3, 50): 7, (3, 44): 6}


def is_sound(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite is free of the WAL-reset corruption bug (fixed in 3.51.3, 3.50.7, 3.44.6)."""
    return version >= FIXED_FROM or version[2] >= FIXED_BRANCHES.get(version[:2], 1_000_000)


def open_sqlite(url: URL) -> Engine:
    """Open SQLite, creating its directory. Raises Unavailable with a sentence."""
    version = tuple(sqlite_driver.sqlite_version_info)
    if not is_sound(version):
        raise Unavailable(
            "sqlite_unsound",
            f"SQLite {sqlite_driver.sqlite_version} can corrupt a WAL database that several processes use. "
            "Install the pysqlite3 wheel (Linux x86-64, Apple silicon), a Python with SQLite 3.51.3 or newer, or use "
            "PostgreSQL.",
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
        pool_use_lifo=True,  # the last writer has the newest pages and statements cached
        execution_options={"dm_feedback_turn": threading.Lock()},
    )
    if is_a_file(engine):
        one = OneFile(Path(engine.url.database or ""))
        event.listen(engine, "do_connect", one.demand)  # first, as the next makes a file where there is none
        event.listen(engine, "connect", one.opened)
        event.listen(engine, "begin", one.demand_for_writing)
    event.listen(engine, "do_connect", _make_for_us_alone)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", give_up_outdated)
    return engine


def is_a_file(engine: Engine) -> bool:
    """Whether it is SQLite's file at a path."""
    return engine.dialect.name == "sqlite" and not (engine.url.database or ":").startswith((":", "file:"))


def is_there(engine: Engine) -> bool:
    """Whether the database exists: for a mistyped address SQLite would create an empty file."""
    return not is_a_file(engine) or Path(engine.url.database or "").exists()


def log_bytes(engine: Engine) -> int | None:
    """Return the size of the log beside an SQLite file, which grows while somebody reads and does not end."""
    if not is_a_file(engine):
        return None
    try:
        return Path(f"{engine.url.database}-wal").stat().st_size
    except OSError:
        return 0


def empty_log(engine: Engine) -> None:
    """Empty the log beside an SQLite file, whose end keeps what was deleted until somebody happens to write over it.

    Waits for nobody: while somebody reads or writes it stays.
    """
    if not is_a_file(engine):
        return
    with suppress(sa.exc.DBAPIError, sqlite_driver.Error):
        raw = engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA busy_timeout=0")
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            raw.cursor().execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")
            raw.close()


@contextmanager
def in_turn(engine: Engine) -> Iterator[None]:
    """Let the threads of a process write to SQLite one after the other; PostgreSQL needs no turns.

    SQLite has no queue for its write lock: whoever does not get it keeps trying. Only processes, of which there are
    few, should compete like that.
    """
    turn: threading.Lock | None = engine.get_execution_options().get("dm_feedback_turn")
    mine = turn is not None and turn.acquire(timeout=BUSY_TIMEOUT_S)
    try:
        yield  # without our turn, SQLite's own waiting decides
    finally:
        if turn is not None and mine:
            turn.release()


class OneFile:
    """Refuses to write once another file, or none, lies where the one we opened was.

    What we committed to a file that has lost its name would be gone with our last connection. Never goes over to the
    new file by itself: it may be a backup, and `db restored` has to be said first.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ours: tuple[int, int] | None = None

    def opened(self, _connection: Any, _record: Any) -> None:
        """Remember the file of the first connection."""
        self._ours = self._ours or self._there()

    def demand(self, *_: Any) -> None:
        """Demand that the file is that one, before another connection to it. Raises the driver's OperationalError."""
        if self._ours is not None and self._there() != self._ours:
            raise sqlite_driver.OperationalError(f"the file was {REPLACED}")

    def demand_for_writing(self, connection: Connection) -> None:
        """The same before a write transaction. Raises OperationalError."""
        if connection.get_execution_options().get("dm_feedback_writes", False):
            try:
                self.demand()
            except sqlite_driver.OperationalError as error:
                raise sa.exc.OperationalError(BEGIN_WRITING, None, error) from error

    def _there(self) -> tuple[int, int] | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _place(file: Path) -> Path:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        sentence = (
            f"The directory of the database, {file.parent}, cannot be made ({error.strerror}): give database.url a "
            "place this account may write to."
        )
        raise Unavailable("database_place", sentence) from error
    return file


def _make_for_us_alone(_dialect: Dialect, _record: Any, arguments: list[Any], _named: dict[str, Any]) -> None:
    """Make a new file private from its first byte; SQLite gives the files beside it the same rights."""
    with suppress(OSError):  # exists already, or cannot be written: opening it will tell
        os.close(os.open(arguments[0], os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _set_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"journal_size_limit={LOG_KEPT}",
        "secure_delete=ON",  # else what was erased stays in free pages, where the bundled library leaves it by default
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
    """Keep asking for the write lock, because SQLite's own waiting sleeps longer and longer.

    Asks the driver, not SQLAlchemy: beside another process nearly every try ends in an error, which costs ten times as
    much there.
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
    """Begin a write transaction, and say whether somebody else is writing. Other errors pass through."""
    try:
        cursor.execute(BEGIN_WRITING)
    except sqlite_driver.DatabaseError as error:
        return bool(getattr(error, "sqlite_errorcode", 0) & PRIMARY == sqlite_driver.SQLITE_BUSY)
    return False
