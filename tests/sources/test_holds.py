"""A source's calls per minute and its pauses, seen by two machines with differing clocks, on both databases."""

from datetime import datetime, timedelta

from sqlalchemy.engine import Engine

from service.db import writing
from service.sources import holds

AHEAD = timedelta(seconds=90)


def spend(engine: Engine, at: datetime) -> bool:
    with writing(engine) as connection:
        holds.lock(connection, "crm")
        return holds.spend(connection, "crm", 2, 4, at)


def enrolled(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        holds.enrol(connection, ["crm"], now)


def test_calls_per_minute_are_counted_across_differing_clocks(engine: Engine, now: datetime) -> None:
    enrolled(engine, now)
    assert [spend(engine, at) for at in (now + AHEAD, now, now + AHEAD, now)] == [True, True, False, False]
    assert spend(engine, now + AHEAD + timedelta(minutes=1))


def test_a_minute_from_before_the_clock_was_set_back_is_ignored(engine: Engine, now: datetime) -> None:
    enrolled(engine, now)
    assert [spend(engine, now) for _ in range(3)] == [True, True, False]
    assert spend(engine, now - timedelta(hours=1))


def test_a_pause_of_a_day_holds_everywhere_and_a_longer_one_nowhere(engine: Engine, now: datetime) -> None:
    enrolled(engine, now)
    for until, rests in ((now + AHEAD + holds.LONGEST_PAUSE, True), (now + 2 * holds.LONGEST_PAUSE, False)):
        with writing(engine) as connection:
            holds.pause(connection, "crm", until, now)
            assert holds.lock(connection, "crm").rests(now) is rests


def test_a_longer_pause_stands_and_one_that_is_over_releases_nothing(engine: Engine, now: datetime) -> None:
    enrolled(engine, now)
    with writing(engine) as connection:
        holds.pause(connection, "crm", now + timedelta(minutes=10), now)
        holds.pause(connection, "crm", now + timedelta(seconds=20), now)
        assert holds.lock(connection, "crm").rests(now + timedelta(minutes=9))
        assert not holds.release(connection, "crm", now + timedelta(days=1))
        assert holds.release(connection, "crm", now + timedelta(minutes=9))


def test_a_released_pause_from_before_the_clock_was_set_back_does_not_return(engine: Engine, now: datetime) -> None:
    enrolled(engine, now)
    with writing(engine) as connection:
        holds.pause(connection, "crm", now + timedelta(days=3), now)
        assert holds.release(connection, "crm", now)
        assert not holds.lock(connection, "crm").rests(now + timedelta(days=2, hours=12))
