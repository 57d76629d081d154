"""The access log is tamper-evident: a changed, removed or reordered line is found by its number."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.auth import chain, log_access
from service.db import reading, writing
from service.models import access_chain, access_log
from tests.support import START

c = access_log.c


def written(engine: Engine, how_many: int = 8) -> None:
    with writing(engine) as connection:
        for each in range(how_many):
            log_access(connection, "ada", "results.list", {"n": each, "text": "ä🙂"}, START + timedelta(days=each))
    chain.seal_what_waits(engine)


def broken(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(chain.verify(connection))


def test_an_untouched_chain_is_intact(engine: Engine) -> None:
    assert broken(engine) == []
    written(engine)
    with reading(engine) as connection:
        assert connection.scalars(sa.select(c.number).order_by(c.id)).all() == list(range(1, 9))
        assert chain.newest(connection).number == 8
        assert chain.unsealed(connection) == 0
    assert broken(engine) == []


TAMPERED: dict[str, tuple[Callable[[Connection], object], str]] = {
    "detail": (
        lambda x: x.execute(sa.update(access_log).where(c.number == 3).values(detail={"n": 9})),
        "Line 3 is not",
    ),
    "actor": (lambda x: x.execute(sa.update(access_log).where(c.number == 1).values(actor="eve")), "Line 1 is not"),
    "time": (lambda x: x.execute(sa.update(access_log).where(c.number == 8).values(at=START)), "Line 8 is not"),
    "address": (lambda x: x.execute(sa.update(access_log).where(c.number == 2).values(address="x")), "Line 2 is not"),
    "outcome": (lambda x: x.execute(sa.update(access_log).where(c.number == 2).values(outcome="x")), "Line 2 is not"),
    "middle": (lambda x: x.execute(sa.delete(access_log).where(c.number.in_([4, 5]))), "Lines 4 to 5 are missing."),
    "first": (lambda x: x.execute(sa.delete(access_log).where(c.number == 1)), "Line 1 is missing."),
    "last": (lambda x: x.execute(sa.delete(access_log).where(c.number == 8)), "Line 8 is missing."),
    "all": (lambda x: x.execute(sa.delete(access_log)), "Lines 1 to 8 are missing."),
    "end": (lambda x: x.execute(sa.update(access_chain).values(hash="0" * 64)), "The chain does not end as it was"),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_tampered_line_is_found_by_its_number(engine: Engine, how: str) -> None:
    written(engine)
    tamper, says = TAMPERED[how]
    with writing(engine) as connection:
        tamper(connection)
    assert broken(engine)[0].startswith(says)


def test_lines_that_changed_places_are_found(engine: Engine) -> None:
    written(engine)
    with writing(engine) as connection:
        for old, new in ((3, -1), (4, 3), (-1, 4)):
            connection.execute(sa.update(access_log).where(c.number == old).values(number=new))
    assert broken(engine)[0].startswith("Line 3 is not as it was written, or not where it was")


def test_a_rebuilt_chain_is_detected_by_an_external_anchor(engine: Engine) -> None:
    written(engine)
    with reading(engine) as connection:
        kept = chain.newest(connection)
    with writing(engine) as connection:
        connection.execute(sa.update(access_log).where(c.number == 3).values(actor="eve"))
        connection.execute(sa.update(access_log).values(number=None, hash=None))
        connection.execute(sa.delete(access_chain))
    chain.seal_what_waits(engine)
    assert broken(engine) == []
    with reading(engine) as connection:
        assert chain.hash_of(connection, kept.number) != kept.hash


def test_pruning_old_lines_keeps_the_chain_intact(engine: Engine) -> None:
    written(engine)
    with writing(engine) as connection:
        assert chain.prune(connection, START + timedelta(days=3)) == 3
        assert chain.prune(connection, START + timedelta(days=3)) == 0
    assert broken(engine) == []
    with writing(engine) as connection:
        connection.execute(sa.delete(access_log).where(c.number == 4))
    assert broken(engine) == ["Line 4 is missing."]


def test_a_line_that_somebody_removed_does_not_stop_retention(engine: Engine) -> None:
    written(engine)
    with writing(engine) as connection:
        connection.execute(sa.delete(access_log).where(c.number == 3))
        assert chain.older_than(connection, START + timedelta(days=3)) == 2
        assert chain.prune(connection, START + timedelta(days=3)) == 2
        assert chain.prune(connection, START + timedelta(days=5)) == 2
    assert broken(engine) == []


def test_a_line_that_was_never_sealed_stays_until_it_is(engine: Engine) -> None:
    with writing(engine) as connection:
        log_access(connection, "ada", "x", {}, START)
        assert chain.prune(connection, START + timedelta(days=1)) == 0
    chain.seal_what_waits(engine)
    with writing(engine) as connection:
        assert chain.prune(connection, START + timedelta(days=1)) == 1
    written(engine, 2)
    assert broken(engine) == []
    with reading(engine) as connection:
        assert chain.newest(connection).number == 3


def test_any_number_of_sealers_make_one_chain(engine: Engine) -> None:
    with writing(engine) as connection:
        for each in range(40):
            log_access(connection, "ada", "x", {"n": each}, START)
    threads = [threading.Thread(target=chain.seal_what_waits, args=(engine,)) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=120)
    assert broken(engine) == []
    with reading(engine) as connection:
        assert chain.newest(connection).number == 40


def test_a_line_is_exported_as_json_with_its_number(engine: Engine) -> None:
    written(engine, 2)
    with reading(engine) as connection:
        (line,) = chain.sealed_after(connection, 1)
    told = json.loads(json.dumps(line.told()))
    assert told["number"] == 2
    assert told["at"] == "2026-11-23T12:00:00.000000Z"
    assert set(told) == {"number", "at", "actor", "action", "outcome", "address", "detail", "hash"}
