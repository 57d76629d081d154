"""PostgreSQL for tests: one server per run, and databases that are emptied after a test instead of created anew.

Takes a migrated template and hands out databases like it. Creating and dropping one costs a quarter of a second of CPU,
emptying one a fiftieth. Nothing of a test is left behind: rows are deleted, sequences reset, and a database whose
schema, rights, settings or statistics have changed is dropped. Sessions of a test's own engine are reset and kept (see
`postgresql_sessions.py`); all others are ended, and nobody who knew the address can come back, because the database
gets another name. `test_isolation.py` proves it.
"""

import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from service.models import metadata
from tests import postgres_wheel
from tests.postgresql_sessions import Shelf
from tests.processes.orphans import end_with_us

NOT_DURABLE = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}
"""A server of tests need not outlive the machine: it does not wait for the disk, and does nothing unasked."""

OF_OURS = (
    "relnamespace NOT IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace, 'information_schema'::regnamespace)"
)
SIZED = f"""
    SELECT oid::regclass::text AS name, pg_relation_size(oid) AS size FROM pg_class WHERE relkind = 'r' AND {OF_OURS}
"""
FEW = 8 * 8192
"""Bytes up to which a table's rows are deleted one by one. Truncating makes its files anew, those of its indexes, and
those of all tables that refer to it: 60 for one request."""
CATALOGS = """
    SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r'
    AND NOT relisshared AND relname <> 'pg_class' AND has_table_privilege(oid, 'SELECT') ORDER BY relname
"""
NEWEST = "age('3'::xid) - nullif(min(age(xmin)), 2147483647)"
"""Which transaction wrote the newest row, counted from the first there is; those of the server's making have no age."""
RELATIONS = f"""
    SELECT md5(string_agg(row(relname, relkind, relowner, relacl, reloptions, relrowsecurity, relispartition,
        CASE WHEN relkind = 'r' THEN reltuples END)::text, ','
        ORDER BY oid))
    FROM pg_class WHERE {OF_OURS}
"""  # not the file's number, which emptying changes
ITSELF = """
    SELECT md5(row(datacl, datconnlimit, (SELECT count(*) FROM pg_db_role_setting WHERE setdatabase = d.oid))::text)
    FROM pg_database AS d WHERE datname = current_database()
"""
WRITTEN = """
    SELECT sum(pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid) + pg_stat_get_tuples_deleted(oid))
    FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND NOT relisshared
    AND relname <> 'pg_class'
"""
"""How many rows of its catalogs the server has seen written; each session says so when it ends or is reset."""
OUTLINE = f"SELECT ({RELATIONS}), ({ITSELF}), ({WRITTEN})".encode()
NUMBERS = "SELECT seqrelid::regclass::text, seqstart, pg_sequence_last_value(seqrelid) FROM pg_sequence ORDER BY 1"
PLACES = {table.name: place for place, table in enumerate(metadata.sorted_tables)}
OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> ALL(%s)"


def start(folder: str, settings: Mapping[str, str] = NOT_DURABLE) -> Any:
    """Start a server of the wheel's in an empty folder."""
    server = postgres_wheel.module().get_server(folder, cleanup_mode="delete", start=False)
    server.ensure_pgdata_inited()
    with (Path(folder) / "postgresql.conf").open("a") as conf:
        conf.writelines(f"{name} = {value}\n" for name, value in settings.items())
    patiently(server.start)
    end_with_us(server.get_pid())
    return server


def patiently(begin: Callable[[], object]) -> None:
    """Start a server: the wheel itself waits for ten seconds, which may be too short on a busy machine."""
    for _ in range(12):
        with suppress(subprocess.TimeoutExpired):
            begin()
            return
    raise AssertionError("PostgreSQL has not started within two minutes.")


def address_of(server: str, name: str) -> str:
    """Return the address of another database of a server."""
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def connect(url: str) -> psycopg.Connection[Any]:
    """By the driver alone: an engine would ask a server five questions first, twice a test."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=True)


def on_server(server: str, statement: str) -> None:
    """Run a statement outside of any transaction."""
    with connect(server) as connection:
        connection.execute(statement.encode())


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a database: the rows of those of its tables that have any, the numbers drawn."""

    rows: Mapping[str, bytes]
    numbers: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a database is like: its relations and itself, its catalogs, and what is in it."""

    outline: tuple[Any, ...]
    catalogs: tuple[Any, ...]
    contents: Contents


@dataclass
class Place:
    """A database for one test at a time, with the sessions that wait there for the next engine."""

    server: str
    name: str
    shelf: Shelf = field(default_factory=Shelf)
    told: bool = False
    written: int = 0

    @property
    def address(self) -> str:
        """Its URL."""
        return address_of(self.server, self.name)

    def tell(self) -> str:
        """Its URL for whoever may come by themselves, and come again when the test is over."""
        self.told = True
        return self.address


@dataclass
class Kept:
    """The databases of one process of tests."""

    server: str
    template: str
    made: int = 0
    _free: list[Place] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._desk = connect(self.server)
        with connect(address_of(self.server, self.template)) as connection:
            self._catalogs_asked = _catalogs_question(connection)
            *outline, _ = _one(connection, OUTLINE)
            self._wanted = Likeness(tuple(outline), self._catalogs(connection), contents_of(connection))

    @contextmanager
    def database(self) -> Iterator[Place]:
        """Lend a database like the template."""
        place = self._free.pop() if self._free else self._make()
        yield place
        self._take_back(place)

    def close(self) -> None:
        """Drop what is there."""
        for place in self._free:
            self._drop(place)
        self._desk.close()

    def _make(self) -> Place:
        place = Place(self.server, _new_name())
        self.made += 1
        self._do("CREATE DATABASE {} TEMPLATE {}", place.name, self.template)
        return place

    def _take_back(self, place: Place) -> None:
        seen = self._end_strangers(place)
        if (place.told or seen) and not self._renamed(place):
            return self._drop(place)
        with _looking(place) as connection:
            fit = self._unchanged(place, connection)
            if fit:
                put(connection, self._wanted.contents)
        return self._free.append(place) if fit else self._drop(place)

    def _end_strangers(self, place: Place) -> bool:
        """End every session that is not on the shelf; say whether there was one."""
        seen = False
        while self._desk.execute(OTHERS, [place.name, place.shelf.pids]).fetchall():
            seen = True
            time.sleep(0.002)
        return seen

    def _renamed(self, place: Place) -> bool:
        """Give it a name that nobody knows, unless somebody comes in again and again."""
        place.shelf.close()
        self._end_strangers(place)
        new = _new_name()
        try:
            self._do("ALTER DATABASE {} RENAME TO {}", place.name, new)
        except psycopg.errors.ObjectInUse:
            return False
        place.name, place.told = new, False
        return True

    def _unchanged(self, place: Place, connection: psycopg.Connection[Any]) -> bool:
        """Whether it is as it was made. What its catalogs say is asked only where one was written: half of the work."""
        *outline, written = _one(connection, OUTLINE)
        before, place.written = place.written, written
        alike = tuple(outline) == self._wanted.outline
        return alike and (written == before or self._catalogs(connection) == self._wanted.catalogs)

    def _catalogs(self, connection: psycopg.Connection[Any]) -> tuple[Any, ...]:
        return tuple(connection.execute(self._catalogs_asked).fetchall())

    def _drop(self, place: Place) -> None:
        place.shelf.close()
        self._do("DROP DATABASE {} WITH (FORCE)", place.name)

    def _do(self, statement: str, *names: str) -> None:
        self._desk.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))  # type: ignore[arg-type]


@contextmanager
def _looking(place: Place) -> Iterator[psycopg.Connection[Any]]:
    """A session there: one that is there already where there is one."""
    if (found := place.shelf.any_of()) is not None:
        yield found
        return
    with connect(place.address) as connection:
        yield connection


def _new_name() -> str:
    return f"test_{os.getpid()}_{uuid.uuid4().hex[:12]}"


def _one(connection: psycopg.Connection[Any], question: bytes) -> tuple[Any, ...]:
    (row,) = connection.execute(question).fetchall()
    return tuple(row)


def _catalogs_question(connection: psycopg.Connection[Any]) -> bytes:
    """How many rows each catalog has, and which transaction wrote the newest: another answer after any change."""
    names = [name for (name,) in connection.execute(CATALOGS.encode())]
    each = [f"SELECT '{name} ' || count(*) || ' ' || coalesce({NEWEST}, 0) FROM {name}" for name in names]
    return " UNION ALL ".join(each).encode()


def contents_of(connection: psycopg.Connection[Any]) -> Contents:
    """What is in this database, parents before children."""
    filled = {name for name, size in connection.execute(SIZED.encode()) if size}
    rows = {name: _rows(connection, name) for name in sorted(filled, key=_parents_first)}
    return Contents({name: found for name, found in rows.items() if found}, _numbers(connection))


def put(connection: psycopg.Connection[Any], wanted: Contents) -> None:
    """Make these the contents of the database."""
    sizes = {name: size for name, size in connection.execute(SIZED.encode()) if size}
    right = all(name in sizes and _rows(connection, name) == rows for name, rows in wanted.rows.items())
    _empty(connection, {name: size for name, size in sizes.items() if not (right and name in wanted.rows)})
    for name, rows in () if right else wanted.rows.items():
        with connection.cursor() as cursor, cursor.copy(f"COPY {name} FROM STDIN".encode()) as copy:
            copy.write(rows)
    for now, then in zip(_numbers(connection), wanted.numbers, strict=True):
        if now != then:
            connection.execute("SELECT setval(%s, %s, %s)", [then[0], then[2] or then[1], then[2] is not None])


def _empty(connection: psycopg.Connection[Any], sizes: Mapping[str, int]) -> None:
    large = sorted(name for name, size in sizes.items() if size > FEW)
    small = sorted(sizes.keys() - set(large), key=_parents_first, reverse=True)
    each = [f"TRUNCATE {', '.join(large)} CASCADE"] if large else []
    connection.execute("; ".join([*each, *(f"DELETE FROM {name}" for name in small)]).encode())


def _parents_first(table: str) -> tuple[int, str]:
    return PLACES.get(table, len(PLACES)), table


def _rows(connection: psycopg.Connection[Any], name: str) -> bytes:
    with connection.cursor() as cursor, cursor.copy(f"COPY {name} TO STDOUT".encode()) as copy:
        return b"".join(bytes(part) for part in copy)


def _numbers(connection: psycopg.Connection[Any]) -> tuple[Any, ...]:
    return tuple(connection.execute(NUMBERS.encode()).fetchall())
