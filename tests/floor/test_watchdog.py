"""A stopped PostgreSQL server process (SIGSTOP) under open connections: callers get an error in time and go on."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from service.db import ConnectionWait, open_engine, reading, watchdog, writing
from service.db.outages import is_away
from service.db.postgresql import take_your_time
from service.intake.inbox import group
from service.models import webhook_delivery
from tests.floor.app import App
from tests.partitions.partitioned import retold


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOOK_EVERY_S", 0.01)


@pytest.fixture
def signalled() -> Iterator[Callable[[int], None]]:
    """Stops a process until the end of the test."""
    stopped: list[int] = []

    def stop(pid: int) -> None:
        stopped.append(pid)
        os.kill(pid, signal.SIGSTOP)

    yield stop
    for pid in stopped:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def process_of(connection: Connection) -> int:
    line: Any = connection.connection.driver_connection
    return int(line.info.backend_pid)


@pytest.fixture
def engine(postgresql_url: str) -> Iterator[Engine]:
    engine = open_engine(postgresql_url, ConnectionWait(silent_s=0.2))
    yield engine
    engine.dispose()


def test_who_waits_in_the_middle_is_told_that_the_database_is_away(
    engine: Engine, signalled: Callable[[int], None]
) -> None:
    with suppress(sa.exc.DBAPIError), reading(engine) as connection:
        signalled(process_of(connection))
        with pytest.raises(sa.exc.DBAPIError) as caught:
            connection.exec_driver_sql("SELECT 1")
        assert is_away(caught.value)
        raise caught.value


def test_who_begins_on_such_a_connection_takes_another(engine: Engine, signalled: Callable[[int], None]) -> None:
    with reading(engine) as connection:
        pid = process_of(connection)
    signalled(pid)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_a_server_that_lets_us_in_and_then_says_nothing_is_given_up(
    engine: Engine, signalled: Callable[[int], None]
) -> None:
    with reading(engine):  # SQLAlchemy asks the first connection of all for its version
        event.listen(engine, "connect", lambda raw, _: signalled(raw.info.backend_pid), insert=True)
        with pytest.raises(sa.exc.DBAPIError) as caught, reading(engine):
            pass
    assert is_away(caught.value)


def test_a_statement_without_a_limit_is_not_cut(engine: Engine) -> None:
    with writing(engine) as connection:
        take_your_time(connection)
        assert connection.exec_driver_sql("SELECT 1 FROM pg_sleep(0.6)").scalar_one() == 1


def test_an_idle_connection_is_not_cut(engine: Engine) -> None:
    with reading(engine) as connection:
        connection.exec_driver_sql("SELECT 1")
        raw = connection.connection.dbapi_connection
        assert raw not in watchdog.WAITING._until, "it waits for nothing"
        connection.exec_driver_sql("SELECT 1")


def test_a_delivery_whose_commit_is_not_answered_is_asked_for_again_and_taken_once(
    postgresql_url: str, signalled: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "STANDS_STILL_S", 0.2)
    app = App(open_engine(postgresql_url))
    at = app.clock.now
    once: list[int] = []

    def stand_still(connection: Connection) -> None:
        if not once:
            once.append(process_of(connection))
            signalled(once[0])

    event.listen(app.engine, "commit", stand_still)
    assert retold(app, "c-1", at)["code"] == "store_unavailable"
    os.kill(once[0], signal.SIGCONT)
    again = retold(app, "c-1", at)
    assert again["accepted"] + again["duplicate"] == 1
    assert len(app.rows(webhook_delivery)) == 1
    app.engine.dispose()
