"""Reading never takes intake's threads, and a query that takes too long is stopped by the database."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import flask
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db import reading
from service.db.deadline import OutOfTime, at_most, is_out_of_time
from service.errors import TooMany, Unavailable
from service.web import read_slots as module
from service.web.read_slots import NAME, Slots
from tests.floor.app import App, deliver
from tests.support import settings_of

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000000) SELECT count(*) FROM n"


@contextmanager
def readers(slots: Slots, how_many: int) -> Iterator[None]:
    """Threads that hold a slot each, until the block ends."""
    done, inside = threading.Event(), threading.Barrier(how_many + 1)

    def read() -> None:
        with slots.reading():
            inside.wait(timeout=120)
            done.wait(timeout=120)

    threads = [threading.Thread(target=read) for _ in range(how_many)]
    for each in threads:
        each.start()
    inside.wait(timeout=120)
    try:
        yield
    finally:
        done.set()
        for each in threads:
            each.join(timeout=120)


@pytest.mark.parametrize(("threads", "at_once", "inside"), [(1, 1, 1), (2, 1, 1), (4, 2, 3), (8, 4, 7)])
def test_readers_are_limited_and_a_thread_is_always_free(
    monkeypatch: pytest.MonkeyPatch, threads: int, at_once: int, inside: int
) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.01)
    slots = Slots(threads)
    with readers(slots, at_once):
        refused = []

        def wait() -> None:
            with pytest.raises(Unavailable) as caught, slots.reading():
                raise AssertionError
            refused.append(caught.value)

        waiting = [threading.Thread(target=wait) for _ in range(inside - at_once + 1)]
        for each in waiting:
            each.start()
        for each in waiting:
            each.join(timeout=120)
        assert [(each.code, each.headers) for each in refused] == [("reading_busy", {"Retry-After": "10"})] * len(
            waiting
        )
    with slots.reading():
        pass


def test_a_waiting_reader_starts_as_soon_as_a_slot_is_free() -> None:
    slots = Slots(4)
    read = threading.Event()

    def wait() -> None:
        with slots.reading():
            read.set()

    with readers(slots, 2):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not read.is_set()
    waiting.join(timeout=120)
    assert read.is_set()


def test_an_export_holds_a_slot_until_its_last_byte_and_never_all_of_them() -> None:
    app = flask.Flask("x")
    slots = Slots(4)
    with app.test_request_context():
        running = slots.export(lambda: flask.Response(iter([b"a", b"b"])))
        with pytest.raises(TooMany):
            slots.export(lambda: flask.Response("never"))
        with slots.reading():
            pass
        assert list(running.response) == [b"a", b"b"]
        running.close()
        slots.export(lambda: flask.Response("made at once"))
        slots.export(lambda: flask.Response(iter([b"left"]))).close()
        slots.export(lambda: flask.Response("x"))


def test_a_refused_export_keeps_no_slot() -> None:
    slots = Slots(4)

    def fails() -> flask.Response:
        raise ZeroDivisionError

    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            slots.export(fails)


def test_while_all_slots_are_taken_deliveries_and_health_are_answered(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.01)
    app = App(engine)
    key = app.key()
    with readers(app.client.application.extensions[NAME], 2):
        for path in ("/v1/results", "/v1/breakdown?by=agent", "/v1/compare?by=agent&a=x&b=y", "/v1/results.csv"):
            answer = app.call("GET", path, key)
            assert (answer.status_code, answer.get_json()["code"]) == (503, "reading_busy"), path
            assert answer.headers["Retry-After"] == "10"
        assert app.call("GET", "/healthz").status_code == 200
        assert app.call("POST", "/webhooks/crm/crm").status_code == 401
        assert [len(deliver(app, f"c-{n}")) > 0 for n in range(12)] == [True] * 12
    assert app.call("GET", "/v1/results", key).status_code == 200


def test_the_database_stops_a_slow_query_and_serves_the_next(engine: Engine) -> None:
    with pytest.raises(sa.exc.DBAPIError) as caught, at_most(0.1), reading(engine) as connection:
        connection.exec_driver_sql(ENDLESS)
    assert is_out_of_time(caught.value)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_many_short_questions_are_limited_together(engine: Engine) -> None:
    def short_ones(connection: Connection) -> None:
        while True:
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(OutOfTime) as caught, at_most(0.1), reading(engine) as connection:
        short_ones(connection)
    assert is_out_of_time(caught.value)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_a_time_limit_ends_with_its_block(engine: Engine) -> None:
    with at_most(0.000001):
        pass
    with reading(engine) as connection:
        assert connection.exec_driver_sql(ENDLESS.replace("400000000", "300000")).scalar() == 300_000


def test_a_question_that_takes_too_long_is_answered_in_words(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    app = App(engine, settings_of())
    key = app.key()

    def endless(*_args: object, **_named: object) -> None:
        with reading(engine) as connection:
            connection.exec_driver_sql(ENDLESS)

    monkeypatch.setattr(module, "LONGEST_S", 0.1)
    monkeypatch.setattr("service.reports.rows.query.page", endless)
    answer = app.call("GET", "/v1/requests", key)
    assert (answer.status_code, answer.get_json()["code"]) == (503, "question_too_long")
    assert int(answer.headers["Retry-After"]) > 0
