"""One worker at a time per task; a dead one costs two minutes, and a clock set back no more."""

import threading
from datetime import timedelta

from service.accounts import task_leases
from service.db import reading, writing
from tests.results.cards import DAY, HOUR, NOW

EVERY = timedelta(minutes=15)


def begin(engine, now=NOW):
    with reading(engine) as connection:
        foretold = task_leases.may_begin(connection, "shop", "poll", now, EVERY)
    with writing(engine) as connection:
        token = task_leases.begin(connection, "shop", "poll", now, EVERY)
    assert foretold == (token is not None)
    return token


def end(engine, token, next_at):
    with writing(engine) as connection:
        return task_leases.end(connection, "shop", "poll", token, next_at)


def test_only_one_worker_holds_the_lease(engine):
    assert begin(engine) is not None
    assert begin(engine) is None


def test_the_next_lease_is_given_when_due(engine):
    assert end(engine, begin(engine), NOW + EVERY)
    assert begin(engine, NOW + EVERY - timedelta(seconds=1)) is None
    assert begin(engine, NOW + EVERY) is not None


def test_a_dead_workers_lease_is_taken_over_and_its_record_refused(engine):
    dead = begin(engine)
    heir = begin(engine, NOW + task_leases.LEASE)
    assert heir is not None
    with writing(engine) as connection:
        assert not task_leases.extend(connection, "shop", "poll", dead, NOW + task_leases.LEASE)
    assert not end(engine, dead, NOW)
    assert end(engine, heir, NOW)


def test_an_extended_lease_is_not_taken_over(engine):
    token = begin(engine)
    with writing(engine) as connection:
        assert task_leases.extend(connection, "shop", "poll", token, NOW + timedelta(minutes=1))
    assert begin(engine, NOW + task_leases.LEASE) is None


def test_a_lease_from_before_the_clock_was_set_back_expires(engine):
    begin(engine)
    assert begin(engine, NOW - HOUR) is not None


def test_a_due_time_from_before_the_clock_was_set_back_expires(engine):
    end(engine, begin(engine), NOW + EVERY)
    assert begin(engine, NOW - DAY) is not None


def test_one_of_many_simultaneous_workers_gets_the_lease(engine):
    start, got = threading.Barrier(8), []

    def work():
        start.wait()
        with writing(engine) as connection:
            got.append(task_leases.begin(connection, "shop", "poll", NOW, EVERY))

    threads = [threading.Thread(target=work) for _ in range(8)]
    [each.start() for each in threads]
    [each.join() for each in threads]
    assert len(got) == 8
    assert sum(each is not None for each in got) == 1
