"""Change numbers follow the order of commits, whoever writes and however many seal; a mirror misses nothing."""

import random
import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db import reading, writing
from service.models import feedback_request
from service.reports.counting.sealing import seal
from service.requests import seals
from tests.conftest import NOW
from tests.support import request_row, settings_of

r = feedback_request.c
SETTINGS = settings_of()
PER_PAGE = 3


def rows(engine: Engine, n: int) -> list[str]:
    made = [request_row(NOW, conversation_id=f"c-{i}", detail="0") for i in range(n)]
    with writing(engine) as connection:
        connection.execute(sa.insert(feedback_request), made)
    return [row["id"] for row in made]


def write(connection: Connection, request_id: str, word: str) -> None:
    """A visible change, as every writer makes it."""
    seals.touch(connection, [request_id])
    connection.execute(sa.update(feedback_request).where(r.id == request_id).values(detail=word))


class Mirror:
    """Somebody who follows the numbers, a small page at a time, and believes only what the pages say."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.cursor, self.held = engine, 0, dict[str, str]()

    def read(self) -> int:
        wanted = sa.select(r.id, r.detail, r.sealed).where(r.sealed > self.cursor).order_by(r.sealed).limit(PER_PAGE)
        with reading(self.engine) as connection:
            page = connection.execute(wanted).all()
        for row in page:
            self.held[row.id], self.cursor = row.detail, row.sealed
        return len(page)


def everything(engine: Engine) -> dict[str, str]:
    with reading(engine) as connection:
        return dict(connection.execute(sa.select(r.id, r.detail)).all())


def sealed(engine: Engine, request_id: str) -> int | None:
    with reading(engine) as connection:
        return connection.scalar(sa.select(r.sealed).where(r.id == request_id))


def seal_all(engine: Engine) -> None:
    while seal(engine, SETTINGS, NOW, limit=2):
        pass


def run_all(*tasks: Callable[[], None]) -> None:
    """Let them all run at once, and tell what went wrong in any of them."""
    wrong: list[Exception] = []

    def guarded(task: Callable[[], None]) -> None:
        try:
            task()
        except Exception as error:  # noqa: BLE001 - told below
            wrong.append(error)

    threads = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []


@pytest.mark.parametrize("seed", range(3))
def test_a_mirror_misses_nothing_while_three_write_and_two_seal(engine: Engine, seed: int) -> None:
    ids = rows(engine, 12)
    writers = 3
    done = threading.Event()
    over = threading.Barrier(writers, action=done.set)
    mirror = Mirror(engine)

    def writer(number: int) -> None:
        draw = random.Random(f"{seed} {number}")
        try:
            for turn in range(15):
                with writing(engine) as connection:
                    for each in sorted(draw.sample(ids, 2)):
                        write(connection, each, f"{number}-{turn}")
        finally:
            over.wait()

    def sealer() -> None:
        while not done.is_set():
            seal(engine, SETTINGS, NOW, limit=2)

    def reader() -> None:
        while not done.is_set():
            mirror.read()

    run_all(*(lambda n=n: writer(n) for n in range(writers)), sealer, sealer, reader)
    seal_all(engine)
    while mirror.read():
        pass
    assert mirror.held == everything(engine)
    with reading(engine) as connection:
        numbers = connection.scalars(sa.select(r.sealed)).all()
    assert len(set(numbers)) == len(ids)
    assert None not in numbers


def test_a_row_that_is_being_written_waits_and_then_gets_the_higher_number(postgresql_engine: Engine) -> None:
    engine = postgresql_engine
    first, second = rows(engine, 2)
    with writing(engine) as writer:
        write(writer, first, "1")
        seal_all(engine)
        assert sealed(engine, second) == 1
        assert sealed(engine, first) is None
    seal_all(engine)
    assert sealed(engine, first) == 2


def test_a_sealer_that_has_taken_numbers_holds_up_the_next(postgresql_engine: Engine) -> None:
    """Else the later number could be committed, and read past, before the earlier one."""
    engine = postgresql_engine
    rows(engine, 1)
    with writing(engine) as one, engine.connect() as other:
        seals.take_numbers(one, 1, NOW)
        other.exec_driver_sql("SET lock_timeout = '50ms'")
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
            seals.take_numbers(other, 1, NOW)


def test_a_second_change_gets_a_new_number_and_a_repeat_none(engine: Engine) -> None:
    (only,) = rows(engine, 1)
    seal_all(engine)
    assert (sealed(engine, only), seal(engine, SETTINGS, NOW)) == (1, 0)
    with writing(engine) as connection:
        seals.touch(connection, [only])
    assert seal(engine, SETTINGS, NOW) == 1
    assert sealed(engine, only) == 2


def test_a_sealer_that_dies_before_its_commit_has_given_no_number(engine: Engine) -> None:
    (only,) = rows(engine, 1)
    with engine.connect() as connection:
        seals.lock_unsealed(connection, 5)
        seals.take_numbers(connection, 1, NOW)
        connection.rollback()
    assert sealed(engine, only) is None
    assert seal(engine, SETTINGS, NOW) == 1
    assert sealed(engine, only) == 1


def test_a_change_of_another_row_leaves_the_requests_clock(engine: Engine) -> None:
    first, second = rows(engine, 2)
    seal(engine, SETTINGS, NOW)
    with writing(engine) as connection:
        seals.touch(connection, sa.select(r.id).where(r.id == first))
        seals.touch(connection, [second])
    with reading(engine) as connection:
        assert connection.execute(sa.select(r.updated_at, r.sealed)).all() == [(NOW, None)] * 2


def test_a_new_epoch_ends_the_old_one(engine: Engine) -> None:
    with writing(engine) as connection:
        before = seals.epoch(connection)
        assert seals.begin_epoch(connection, NOW) == seals.epoch(connection) != before


def test_unsealed_and_later_changes_are_found_by_an_index(sqlite_engine: Engine) -> None:
    wanted = {
        "COVERING INDEX ix_feedback_request_unsealed": seals.LOCK_UNSEALED,
        "ix_feedback_request_sealed": sa.select(r.id).where(r.sealed > 5).order_by(r.sealed),
    }
    with reading(sqlite_engine) as connection:
        for index, statement in wanted.items():
            text = str(statement.params(at_once=2).compile(connection, compile_kwargs={"literal_binds": True}))
            plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
            assert index in plan
            assert "B-TREE" not in plan
