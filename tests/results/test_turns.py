"""One worker at a time, a dead one costs two minutes, and a clock set back costs no more."""

import threading
from datetime import timedelta

from service.accounts import turns
from service.db import reading, writing
from tests.results.house import DAY, HOUR, NOW

EVERY = timedelta(minutes=15)


def begin(engine, now=NOW):
    with reading(engine) as connection:
        foretold = turns.may_begin(connection, "shop", "poll", now, EVERY)
    with writing(engine) as connection:
        token = turns.begin(connection, "shop", "poll", now, EVERY)
    assert foretold == (token is not None)
    return token


def end(engine, token, next_at):
    with writing(engine) as connection:
        return turns.end(connection, "shop", "poll", token, next_at)


def test_only_one_holds_the_turn(engine):
    assert begin(engine) is not None
    assert begin(engine) is None


def test_the_next_turn_comes_when_it_is_due(engine):
    assert end(engine, begin(engine), NOW + EVERY)
    assert begin(engine, NOW + EVERY - timedelta(seconds=1)) is None
    assert begin(engine, NOW + EVERY) is not None


def test_a_dead_workers_turn_is_taken_over_and_it_can_record_nothing_then(engine):
    dead = begin(engine)
    heir = begin(engine, NOW + turns.LEASE)
    assert heir is not None
    with writing(engine) as connection:
        assert not turns.extend(connection, "shop", "poll", dead, NOW + turns.LEASE)
    assert not end(engine, dead, NOW)
    assert end(engine, heir, NOW)


def test_a_turn_that_goes_on_is_not_taken_over(engine):
    token = begin(engine)
    with writing(engine) as connection:
        assert turns.extend(connection, "shop", "poll", token, NOW + timedelta(minutes=1))
    assert begin(engine, NOW + turns.LEASE) is None


def test_no_lease_is_eternal_when_the_clock_is_set_back(engine):
    begin(engine)
    assert begin(engine, NOW - HOUR) is not None


def test_no_appointment_is_eternal_when_the_clock_is_set_back(engine):
    end(engine, begin(engine), NOW + EVERY)
    assert begin(engine, NOW - DAY) is not None


def test_of_many_at_the_same_instant_one_gets_the_turn(engine):
    start, got = threading.Barrier(8), []

    def work():
        start.wait()
        with writing(engine) as connection:
            got.append(turns.begin(connection, "shop", "poll", NOW, EVERY))

    threads = [threading.Thread(target=work) for _ in range(8)]
    [each.start() for each in threads]
    [each.join() for each in threads]
    assert len(got) == 8
    assert sum(each is not None for each in got) == 1
