"""The database: start-up checks, the two kinds of transaction, the order of times, what errors must not show."""

import shutil
import threading
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Connection, Engine

from service.db import EPOCH, Micros, insert, once_committed, open_engine, reading, sqlite, table_locks, writing
from service.db.outages import is_away, why_away
from service.errors import Unavailable
from service.models import account_state, worker_seen
from tests.support import START

w = worker_seen.c


def put(engine: Engine, name: str, at: datetime = START) -> None:
    with writing(engine) as connection:
        connection.execute(sa.insert(worker_seen).values(name=name, started_at=at, seen_at=at))


def names(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.scalars(sa.select(w.name).order_by(w.name)))


# -- the gate


@pytest.mark.parametrize(
    ("version", "sound"),
    [
        ((3, 40, 1), False),
        ((3, 43, 9), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 44, 7), True),
        ((3, 45, 0), False),
        ((3, 46, 9), False),
        ((3, 49, 2), False),
        ((3, 50, 4), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 1), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
        ((3, 54, 1), True),
        ((4, 0, 0), True),
    ],
)
def test_only_sqlite_versions_without_the_wal_reset_bug_are_accepted(
    version: tuple[int, int, int], sound: bool
) -> None:
    assert sqlite.is_sound(version) is sound


def test_the_installed_sqlite_is_accepted() -> None:
    assert sqlite.is_sound(tuple(sqlite.sqlite_driver.sqlite_version_info))


@pytest.fixture
def old_library(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        sqlite_version_info = (3, 40, 1)
        sqlite_version = "3.40.1"

    monkeypatch.setattr(sqlite, "sqlite_driver", Old)


def test_a_library_that_loses_rows_is_refused_in_words(old_library: None, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"SQLite 3\.40\.1 can corrupt .* or use PostgreSQL") as caught:
        open_engine(f"sqlite:///{tmp_path}/x.db")
    assert caught.value.code == "sqlite_unsound"
    assert list(tmp_path.iterdir()) == []


def test_sqlite_commits_are_durable(sqlite_engine: Engine) -> None:
    pragmas = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "mmap_size": 0, "busy_timeout": 5000}
    with reading(sqlite_engine) as connection:
        assert {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas} == pragmas


def test_postgresql_commits_are_durable(postgresql_engine: Engine) -> None:
    with reading(postgresql_engine) as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "30s"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("mysql://u:hunter2@h/n", "database_kind"),
        ("nonsense", "database_url"),
        ("", "database_url"),
        ("postgresql://u:hunter2@host:port/n", "database_url"),
        ("postgresql://u:p@hunter2@host/n", "database_url"),
        ("postgresql://u:p@hunter2@one,two/n", "database_url"),
        ("sqlite:////proc/nowhere/x.db", "database_place"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_password(url: str, code: str) -> None:
    with pytest.raises(Unavailable) as caught:
        open_engine(url)
    assert caught.value.code == code
    assert caught.value.sentence.endswith(".")
    assert ("%40" in caught.value.sentence) == (code == "database_url")
    assert "hunter2" not in caught.value.sentence


def test_the_directory_of_the_file_is_made_also_below_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    engine = open_engine("sqlite:///~/state/x.db")
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
    engine.dispose()
    assert (tmp_path / "state" / "x.db").is_file()
    assert [each.name for each in tmp_path.iterdir()] == ["state"]


def test_the_file_and_those_beside_it_are_for_nobody_else_to_read(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/x.db")
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
    rights = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    engine.dispose()
    assert rights == {"x.db": 0o600, "x.db-wal": 0o600, "x.db-shm": 0o600}


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://u@db.example/n", "require"),
        ("postgresql://u@10.0.0.1/n", "require"),
        ("postgresql://u@db.example/n?sslmode=verify-full", "verify-full"),
        ("postgresql://u@db.example/n?sslmode=disable", "disable"),
        ("postgresql://u@localhost/n", None),
        ("postgresql://u@127.0.0.1/n", None),
        ("postgresql://u@[::1]/n", None),
        ("postgresql:///n?host=/run/postgresql", None),
    ],
)
def test_connections_to_other_machines_use_tls_unless_disabled(url: str, mode: str | None) -> None:
    assert open_engine(url).url.query.get("sslmode") == mode


# -- two kinds of transaction


def test_a_write_transaction_commits_at_the_end_of_the_block(engine: Engine) -> None:
    put(engine, "a")
    assert names(engine) == ["a"]


def test_an_exception_rolls_the_transaction_back(engine: Engine) -> None:
    def fail_halfway() -> None:
        with writing(engine) as connection:
            connection.execute(sa.insert(worker_seen).values(name="a", started_at=START, seen_at=START))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert names(engine) == []


def test_a_failure_after_the_commit_keeps_what_was_written(engine: Engine) -> None:
    told = list[str]()

    def fail() -> None:
        raise ValueError("a counter that is broken")

    with writing(engine) as connection:
        connection.execute(sa.insert(worker_seen).values(name="w1", started_at=START, seen_at=START))
        once_committed(connection, fail)
        once_committed(connection, lambda: told.append("the next"))
    assert (names(engine), told) == (["w1"], ["the next"])


def test_a_reader_never_blocks_the_writer(engine: Engine) -> None:
    put(engine, "a")
    with reading(engine) as reader:
        assert reader.scalar(sa.select(sa.func.count()).select_from(worker_seen)) == 1
        put(engine, "b")
    assert names(engine) == ["a", "b"]


def test_a_writer_never_blocks_the_reader(engine: Engine) -> None:
    with writing(engine) as writer:
        writer.execute(sa.insert(worker_seen).values(name="a", started_at=START, seen_at=START))
        assert names(engine) == []


def test_reading_before_writing_never_fails_in_a_write_transaction(engine: Engine) -> None:
    """A plain BEGIN would fail here on SQLite as soon as the other commit came between."""
    put(engine, "n0")
    began = threading.Barrier(4)

    def count_up() -> None:
        began.wait()
        for _ in range(5):
            with writing(engine) as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(sa.select(w.name).with_for_update()).all()
                highest = max(int(name[1:]) for name in connection.scalars(sa.select(w.name)))
                connection.execute(sa.update(worker_seen).values(name=f"n{highest + 1}"))

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert names(engine) == ["n20"]


def test_a_connection_that_wrote_does_not_lock_when_it_reads_later(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    for _ in range(3):  # the pool hands the same connection out again
        put_and_remove(engine)
        with reading(engine) as one, reading(engine) as other:
            assert one.scalar(sa.select(sa.func.count()).select_from(worker_seen)) == 0
            assert other.scalar(sa.select(sa.func.count()).select_from(worker_seen)) == 0
            put_and_remove(engine)
    engine.dispose()


def test_a_connection_begins_transactions_only_explicitly(postgresql_engine: Engine) -> None:
    with reading(postgresql_engine) as connection:
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "repeatable read"
    with writing(postgresql_engine) as connection:
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
        assert connection.connection.driver_connection.autocommit, "or the driver begins before us"  # type: ignore[union-attr]


@pytest.mark.parametrize("level", ["serializable", "repeatable read"])
def test_the_isolation_a_database_has_by_default_is_not_taken_over(
    postgresql_url: str, postgresql_engine: Engine, level: str
) -> None:
    """Under another level writers that meet fail, and repeat for ever."""
    with writing(postgresql_engine) as connection:
        connection.exec_driver_sql(f'ALTER DATABASE "{postgresql_engine.url.database}" '
                                   f"SET default_transaction_isolation = '{level}'")  # fmt: skip
    engine = open_engine(postgresql_url)
    with writing(engine) as connection:
        assert connection.exec_driver_sql("SHOW default_transaction_isolation").scalar() == level
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
    engine.dispose()


@pytest.mark.parametrize("opened", [reading, writing])
def test_connections_that_died_while_idle_are_replaced_silently(
    postgresql_url: str, postgresql_engine: Engine, opened: Callable[[Engine], AbstractContextManager[Connection]]
) -> None:
    engine, other = open_engine(postgresql_url), postgresql_engine
    with opened(engine) as one, opened(engine) as two:
        servers = [each.exec_driver_sql("SELECT pg_backend_pid()").scalar() for each in (one, two)]
    with writing(other) as connection:
        for server in servers:
            connection.exec_driver_sql(f"SELECT pg_terminate_backend({server}, 5000)")
    with opened(engine) as one, opened(engine) as two:
        assert [each.exec_driver_sql("SELECT 1").scalar() for each in (one, two)] == [1, 1]
    engine.dispose()


def put_and_remove(engine: Engine) -> None:
    put(engine, "a")
    with writing(engine) as connection:
        connection.execute(sa.delete(worker_seen))


# -- insert on conflict


def test_an_insert_may_ignore_an_existing_row(engine: Engine) -> None:
    def enrol() -> int:
        with writing(engine) as connection:
            row = insert(connection, account_state).values(account="acme", updated_at=START)
            return len(connection.execute(row.on_conflict_do_nothing().returning(account_state.c.account)).all())

    assert [enrol(), enrol()] == [1, 0]


def test_an_insert_may_update_an_existing_row(engine: Engine) -> None:
    for minutes in (0, 5):
        with writing(engine) as connection:
            at = START + timedelta(minutes=minutes)
            row = insert(connection, worker_seen).values(name="a", started_at=at, seen_at=at)
            connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"seen_at": at}))
    with reading(engine) as connection:
        found = connection.execute(sa.select(w.started_at, w.seen_at)).one()
    assert tuple(found) == (START, START + timedelta(minutes=5))


# -- times

MOMENTS = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001 - as above
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=2)), timezone(-timedelta(hours=9, minutes=30))]),
)


@settings(deadline=None)
@given(MOMENTS, MOMENTS)
def test_a_stored_time_keeps_its_microseconds_and_order(one: datetime, other: datetime) -> None:
    micros, dialect = Micros(), sa.create_engine("postgresql+psycopg://").dialect
    stored = [micros.process_bind_param(each, dialect) for each in (one, other)]
    assert [micros.process_result_value(each, dialect) for each in stored] == [one, other]
    assert (stored[0] < stored[1]) is (one < other)


def test_a_time_comes_back_in_utc_whatever_zone_it_went_in(engine: Engine) -> None:
    at = datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    put(engine, "a", at)
    put(engine, "b", EPOCH - timedelta(microseconds=1))
    with reading(engine) as connection:
        found = list(connection.scalars(sa.select(w.seen_at).order_by(w.seen_at)))
    assert found == [EPOCH - timedelta(microseconds=1), at]
    assert {each.utcoffset() for each in found} == {timedelta(0)}


def test_a_time_without_a_zone_is_refused(engine: Engine) -> None:
    with pytest.raises(sa.exc.StatementError, match="offset-naive"):
        put(engine, "a", datetime(2026, 1, 1))  # noqa: DTZ001 - the point


def test_none_is_stored_as_null(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(sa.insert(account_state).values(account="acme", updated_at=START))
        assert connection.scalar(sa.select(account_state.c.paused_until)) is None


# -- errors


def refused(engine: Engine, **columns: object) -> str:
    """All that a log would show of the error, chain of causes included."""
    with pytest.raises(sa.exc.IntegrityError) as caught, writing(engine) as connection:
        connection.execute(sa.insert(worker_seen).values(**columns))
    return "".join(traceback.format_exception(caught.value))


def test_an_error_of_the_database_does_not_repeat_what_a_customer_wrote(engine: Engine) -> None:
    words = "my-number-is-555-0100"
    put(engine, words)
    twice = refused(engine, name=words, started_at=START, seen_at=START)
    nothing = refused(engine, name=f"{words}-2", started_at=None, seen_at=START)
    assert words not in twice + nothing
    assert "[SQL parameters hidden" in twice
    assert "started_at" in nothing


# -- away, or a mistake of ours


@pytest.mark.parametrize(
    ("statement", "away"),
    [
        ("SELECT * FROM not_there_yet", True),
        ("SELECT no_such_column FROM worker_seen", False),
        ("SELEC 1", False),
    ],
)
def test_only_errors_that_may_pass_count_as_an_outage(engine: Engine, statement: str, away: bool) -> None:
    """Senders repeat what is away; a mistake in a statement would be repeated for ever."""
    with pytest.raises(sa.exc.SQLAlchemyError) as caught, reading(engine) as connection:
        connection.exec_driver_sql(statement)
    assert is_away(caught.value) is away


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"port": 1}, "does not listen at that address"),
        ({"host": "nowhere.invalid", "query": {}}, "has a host name that cannot be resolved here"),
        ({"username": "nobody-of-ours"}, "refuses the user or the password"),
        ({"database": "nothing"}, "does not exist under this name on the server"),
    ],
)
def test_why_postgresql_takes_nobody_in_is_told_apart(postgresql_url: str, change: dict[str, Any], why: str) -> None:
    engine = open_engine(sa.make_url(postgresql_url).set(**change).render_as_string(hide_password=False))
    with pytest.raises(sa.exc.SQLAlchemyError) as caught, reading(engine):
        pass
    assert is_away(caught.value)
    assert why_away(caught.value) == why
    engine.dispose()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('FATAL:  password authentication failed for user "feedback"', "refuses the user or the password"),
        ("fe_sendauth: no password supplied", "refuses the user or the password"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "feedback", no encryption', "see its pg_hba.conf"),
        ("SSL error: certificate verify failed", "a certificate that is not trusted"),
        ('root certificate file "/root/.postgresql/root.crt" does not exist', "sslrootcert must name a file"),
        ("FATAL:  sorry, too many clients already", "has no connection left"),
        ("connection timeout expired", "does not answer"),
        ("connection failed: session is read-only", "accepts no writes"),
        ("could not extend file: No space left on device", "has no room left"),
        ("database disk image is malformed", "is damaged"),
        ("file is not a database", "is not an SQLite database"),
        ("unable to open database file", "must be able to read and write the file and its folder"),
        ("disk I/O error", "cannot use its disk: is there space left?"),
        ("QueuePool limit of size 10 overflow 20 reached, connection timed out, timeout 30.00", "is busy"),
        ('relation "result" does not exist', "lacks tables of this release: run `dm-feedback db upgrade`"),
    ],
)
def test_what_a_server_says_is_told_in_our_words(said: str, why: str) -> None:
    assert why in why_away(sa.exc.OperationalError("", None, Exception(said)))


def test_work_that_takes_long_before_it_meets_a_held_table_is_no_waiting(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade makes an index of a large ledger for longer than a held table is waited for."""
    held = sa.exc.OperationalError("ALTER", None, Exception())
    held.orig.sqlstate = "55P03"  # type: ignore[union-attr]
    met = [held]

    def work(_connection: Connection) -> str:
        monkeypatch.setattr(table_locks.time, "monotonic", lambda: float("inf"))
        if met:
            raise met.pop()
        return "done"

    monkeypatch.setattr(table_locks, "REST_S", 0)
    assert table_locks.patiently(sqlite_engine, work) == "done"


def test_a_read_only_connection_is_dropped_in_any_server_language(postgresql_engine: Engine) -> None:
    said = "DO $$ BEGIN RAISE 'INSERT kann nicht ausgef\u00fchrt werden' USING ERRCODE = '25006'; END $$"
    with pytest.raises(sa.exc.DBAPIError) as caught, writing(postgresql_engine) as connection:
        connection.exec_driver_sql(said)
    assert caught.value.connection_invalidated


def test_read_only_locked_and_exhausted_count_as_outages(sqlite_url: str, tmp_path: Path) -> None:
    read_only = open_engine(sqlite_url)
    sa.event.listen(read_only, "connect", lambda raw, _: raw.execute("PRAGMA query_only=1"))
    with pytest.raises(sa.exc.SQLAlchemyError) as caught:
        put(read_only, "a")
    assert is_away(caught.value)
    read_only.dispose()
    nonsense = tmp_path / "nonsense.db"
    nonsense.write_bytes(b"no database at all, but long enough to be read as one" * 20)
    with pytest.raises(sa.exc.SQLAlchemyError) as damaged, reading(open_engine(f"sqlite:///{nonsense}")):
        pass
    assert is_away(damaged.value)
    assert is_away(sa.exc.TimeoutError())
    assert not is_away(sa.exc.IntegrityError("INSERT", None, Exception()))
    assert not is_away(ValueError())


# -- the file


@pytest.mark.parametrize("put_there", [None, "the same", "a backup"])
def test_nothing_is_written_to_a_file_that_was_removed_or_replaced(
    sqlite_url: str, tmp_path: Path, put_there: str | None
) -> None:
    """It would be committed, acknowledged, and gone with the last connection."""
    engine, file, backup = open_engine(sqlite_url), Path(sa.make_url(sqlite_url).database or ""), tmp_path / "backup"
    put(engine, "a")
    shutil.copy(file, backup)
    if put_there == "the same":
        file.rename(file.with_suffix(".moved")).rename(file)
    elif put_there == "a backup":
        backup.replace(file)
    else:
        file.unlink()
    if put_there == "the same":
        put(engine, "b")
        assert names(engine) == ["a", "b"]
    else:
        with reading(engine), pytest.raises(sa.exc.OperationalError) as another, reading(engine):
            pass
        with pytest.raises(sa.exc.OperationalError) as caught:
            put(engine, "b")
        assert is_away(caught.value), "a delivery is answered 503"
        assert is_away(another.value), "and no empty file is made"
        assert "run `db restored` if you restored a backup" in why_away(caught.value)
        assert file.exists() == (put_there is not None)
    engine.dispose()


def test_the_log_beside_a_file_is_small_again_once_a_long_reader_has_gone(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "LOG_KEPT", 100_000)
    engine = open_engine(sqlite_url)
    with reading(engine) as reader:
        names_before = reader.scalars(sa.select(w.name)).all()
        for number in range(1100):  # SQLite looks at its log every thousand pages
            put(engine, f"w{number}")
        grown = sqlite.log_bytes(engine) or 0
        assert grown > 4_000_000
        assert reader.scalars(sa.select(w.name)).all() == names_before
    put(engine, "one more, which empties it")
    put(engine, "and one that begins it anew")
    assert (sqlite.log_bytes(engine) or 0) < 200_000
    engine.dispose()
