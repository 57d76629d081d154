"""No test finds what another has left in its PostgreSQL database, although databases are used again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from service.db import open_engine
from tests.postgresql import Kept, address_of, connect

VALUES = {
    "text": "'x'", "character varying": "'x'", "integer": "7", "bigint": "7", "boolean": "true", "date": "'2026-11-22'",
    "double precision": "0.5", "json": "'{}'", "jsonb": "'{}'", "bytea": "'x'",
}  # fmt: skip
REQUIRED = """
    SELECT table_name, array_agg(column_name::text), array_agg(data_type::text) FROM information_schema.columns
    JOIN information_schema.tables USING (table_schema, table_name) WHERE table_type = 'BASE TABLE'
    AND table_schema = 'public' AND is_nullable = 'NO' AND is_identity = 'NO' GROUP BY 1
"""


@pytest.fixture
def kept(postgresql_server: str, postgresql_template: str) -> Iterator[Kept]:
    """Databases of this test alone."""
    databases = Kept(postgresql_server, postgresql_template)
    yield databases
    databases.close()


@contextmanager
def told(kept: Kept) -> Iterator[str]:
    """A database whose address is known to others."""
    with kept.database() as place:
        yield place.tell()


def contents(url: str) -> dict[str, Any]:
    """Every row of every table, and the number that each sequence would give next."""
    with connect(url) as connection:
        return contents_by(connection)


def contents_by(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    named = connection.execute(
        "SELECT oid::regclass::text, relkind FROM pg_class WHERE relkind IN ('r', 'S')"
        " AND relnamespace = 'public'::regnamespace ORDER BY 1"
    ).fetchall()
    asked = {"r": "SELECT * FROM {} AS t ORDER BY t::text", "S": "SELECT last_value, is_called FROM {}"}
    return {name: connection.execute(asked[kind].format(name).encode()).fetchall() for name, kind in named}


def write_everywhere(url: str) -> None:
    """A row more in every table, whatever it should belong to, and another number drawn from every sequence."""
    with connect(url) as connection:
        write_everywhere_by(connection)


def write_everywhere_by(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SET session_replication_role = replica")
    for table, names, kinds in connection.execute(REQUIRED).fetchall():
        values = ", ".join(VALUES[kind] for kind in kinds)
        connection.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})".encode())
    connection.execute("SELECT nextval(seqrelid) FROM pg_sequence")


def test_rows_of_every_table_are_gone_for_the_next_test(kept: Kept) -> None:
    with told(kept) as first:
        before = contents(first)
        write_everywhere(first)
        written = contents(first)
        assert {name for name, found in written.items() if found == before[name]} == set(), "each has something new"
    with told(kept) as second:
        assert contents(second) == before == contents(address_of(kept.server, kept.template))
    assert kept.made == 1
    assert second != first


def test_it_stays_so_however_often(kept: Kept) -> None:
    for _ in range(5):
        with told(kept) as url:
            before = contents(url)
            write_everywhere(url)
    assert before == contents(address_of(kept.server, kept.template))
    assert kept.made == 1


CHANGES = {
    "a table of a session": "CREATE TEMPORARY TABLE left_behind (id int)",
    "a table more": "CREATE TABLE left_behind (id int)",
    "a column more": "ALTER TABLE review_note ADD COLUMN left_behind text",
    "an index less": "DROP INDEX {index}",
    "a rule more": "ALTER TABLE review_note ADD CONSTRAINT left_behind CHECK (true)",
    "a default": "ALTER TABLE review_note ALTER COLUMN id SET DEFAULT 7",
    "a right to a table": "GRANT SELECT ON review_note TO PUBLIC",
    "a right to a column": "GRANT SELECT (id) ON review_note TO PUBLIC",
    "a right to the database": "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC",
    "a right to come": "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "a setting of the database": "ALTER DATABASE {database} SET statement_timeout = '7s'",
    "a function": "CREATE FUNCTION left_behind() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "a trigger that rests": "ALTER TABLE result DISABLE TRIGGER ALL",
    "a schema": "CREATE SCHEMA left_behind",
    "how a table is kept": "ALTER TABLE review_note SET (fillfactor = 70)",
    "what the planner knows": "ANALYZE change_counter",
    "what the planner knows of an empty table": "VACUUM review_note",
    "a large object": "SELECT lo_create(0)",
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_database_is_not_used_again(kept: Kept, what: str) -> None:
    with told(kept) as url, connect(url) as connection:
        database = connection.info.dbname
        index = connection.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisunique"
                                   " AND indrelid = 'feedback_request'::regclass ORDER BY 1").fetchone()[0]  # fmt: skip
        connection.execute(CHANGES[what].format(database=f'"{database}"', index=index).encode())
    with kept.database():
        assert kept.made == 2, what
    with connect(kept.server) as connection:
        assert connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is None


def test_what_a_session_changed_that_waits_for_the_next_test_is_noticed(kept: Kept) -> None:
    for _ in range(2):
        with kept.database() as place, place.shelf.serving(open_engine(place.address)) as engine:
            name = place.name
            with engine.begin() as connection:
                connection.exec_driver_sql("CREATE FUNCTION left_behind() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    with kept.database() as place:
        assert (kept.made, place.name != name) == (3, True)


def test_open_connections_are_ended_and_cannot_come_back(kept: Kept) -> None:
    with told(kept) as url:
        left = connect(url)
        left.autocommit = False
        left.execute("LOCK TABLE feedback_request IN ACCESS EXCLUSIVE MODE")
    with kept.database():
        assert kept.made == 1
        with pytest.raises(psycopg.OperationalError):
            left.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            connect(url)
    left.close()


LEAVES = {
    "a setting": "SET statement_timeout = 7",
    "a role": "SET ROLE pg_monitor",
    "a lock": "SELECT pg_advisory_lock(7)",
    "an ear": "LISTEN left_behind",
    "a cursor": "DECLARE left_behind CURSOR WITH HOLD FOR SELECT 1",
    "a transaction": "BEGIN",
    "one that failed": "BEGIN; CREATE TABLE left_behind (id int)",
}
# What the driver has prepared stays, as it would not know that it is gone (tests/postgresql_sessions.py).
REMEMBERS = """
    SELECT current_user, current_setting('statement_timeout'), to_regclass('left_behind'),
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
        (SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_cursors WHERE name <> ''),
        now() = statement_timestamp()
"""


@pytest.mark.parametrize("what", LEAVES)
def test_a_session_serves_the_next_engine_and_remembers_nothing(kept: Kept, what: str) -> None:
    seen = []
    for statement in (LEAVES[what], "SELECT 1"):
        with kept.database() as place, place.shelf.serving(open_engine(place.address)) as engine:
            pooled = engine.raw_connection()
            session = pooled.driver_connection
            seen.append((session.info.backend_pid, session.execute(REMEMBERS).fetchall()))
            session.execute(statement)
            pooled.close()
    assert seen[0] == seen[1]
    assert kept.made == 1


def test_rows_are_gone_for_the_next_engine_and_the_name_stays(kept: Kept) -> None:
    names, found = set(), []
    for _ in range(3):
        with kept.database() as place, place.shelf.serving(open_engine(place.address)) as engine:
            with engine.begin() as connection:
                raw = connection.connection.driver_connection
                found.append(contents_by(raw))
                write_everywhere_by(raw)
            names.add(place.name)
    assert found[0] == found[1] == found[2] == contents(address_of(kept.server, kept.template))
    assert len(names) == kept.made == 1


def test_a_session_that_an_engine_never_got_back_is_ended(kept: Kept) -> None:
    with kept.database() as place, place.shelf.serving(open_engine(place.address)) as engine:
        name, lost = place.name, engine.connect()
        lost.exec_driver_sql("SELECT 1")
    with kept.database() as place:
        assert place.name != name
        with pytest.raises(sa.exc.OperationalError):
            lost.exec_driver_sql("SELECT 1")
    lost.invalidate()
    lost.close()


def test_a_connection_that_is_closed_in_a_test_is_closed(kept: Kept) -> None:
    """A test may want a new session: of an engine disposed of, of a server that was away."""
    with kept.database() as place, place.shelf.serving(open_engine(place.address)) as engine:
        pids = set()
        for _ in range(3):
            with engine.connect() as connection:
                pids.add(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar())
            engine.dispose()
        assert len(pids) == 3


def test_a_database_with_stubborn_connections_is_dropped(kept: Kept) -> None:
    ended = threading.Event()
    with told(kept) as url:
        thread = threading.Thread(target=come_again, args=(url, ended))
        thread.start()
    with told(kept) as other:
        assert contents(other) == contents(address_of(kept.server, kept.template))
    ended.set()
    thread.join()


def come_again(url: str, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            with connect(url) as connection:
                connection.execute("SELECT pg_sleep(0.01)")
        except psycopg.Error:
            ended.wait(0.001)
