"""A DM text that was changed or moved in the database: only its request waits, until it is restored."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.at_rest.columns import with_keys
from service.db import open_engine, reading, writing
from service.encrypting.key_change import turn_on
from service.models import result
from service.requests import sends
from service.requests.queries import answered
from service.states import Failure, Skip, State
from service.telemetry.counters import PROCESS_COUNTS
from tests.outreach.test_unclear import NEW, messages, ready
from tests.support import START, World

WRONG = {
    "moved": "(SELECT other.{0} FROM feedback_request AS other WHERE other.id = '{2}')",
    "cut": "substr({0}, 1, 30)",
    "no word of ours": "substr({0}, 1, 20) || 'é'",
}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = with_keys(open_engine(database_url), ["a key that nobody guesses, 32 and more"])
    with writing(engine) as connection:
        turn_on(connection, START)
    yield engine
    engine.dispose()


def damage(world: World, column: str, how: str, one: str, other: str) -> str:
    """Change a value; return the old one."""
    with writing(world.engine) as connection:
        select = f"SELECT {column} FROM feedback_request WHERE id = '{one}'"
        was = str(connection.exec_driver_sql(select).scalar())
        value = WRONG[how].format(column, one, other)
        connection.exec_driver_sql(f"UPDATE feedback_request SET {column} = {value} WHERE id = '{one}'")
    return was


def mend(world: World, column: str, one: str, was: str) -> None:
    with writing(world.engine) as connection:
        put = sa.text(f"UPDATE feedback_request SET {column} = :was WHERE id = :one")
        connection.execute(put, {"was": was, "one": one})


@pytest.mark.parametrize("how", WRONG)
@pytest.mark.parametrize("column", ["opening_text", "card_text"])
def test_a_damaged_text_postpones_its_request_until_it_is_restored(world: World, column: str, how: str) -> None:
    world.customers({"user_id": "502", "can_dm": True})
    one, other = ready(world), ready(world, conversation_id="c-2", x_user_id="502")
    was, counted = damage(world, column, how, one, other), unreadable(column)
    world.run()
    assert world.request(other).state == State.CARD_SENT
    waiting = world.request(one)
    assert (waiting.state, waiting.reason) == (State.DM_ALLOWED, "unreadable")
    assert waiting.detail.startswith(column)
    assert world.attempts(one) == []
    assert unreadable(column) > counted
    world.forward(minutes=11)
    world.run()
    assert world.request(one).reason == "unreadable"
    assert len(world.history(one)) == 1, "waiting on is no news"
    mend(world, column, one, was)
    world.forward(minutes=11)
    world.run()
    assert world.request(one).state == State.CARD_SENT
    assert (messages(world, "dm"), messages(world, "card")) == (2, 2)


def unreadable(column: str) -> float:
    return PROCESS_COUNTS.so_far().get(("unreadable_values", (f"feedback_request.{column}",)), (0,))[0]


def test_a_text_never_restored_ends_when_stale(world: World) -> None:
    one, other = ready(world, stale_at=START + timedelta(hours=2)), ready(world, conversation_id="c-2", x_user_id="502")
    damage(world, "opening_text", "cut", one, other)
    world.run()
    world.forward(hours=3)
    world.run()
    ended = world.request(one)
    assert (ended.state, ended.reason) == (State.SKIPPED, Skip.STALE)


def test_a_card_with_a_damaged_text_ends_when_stale(world: World) -> None:
    one = ready(world, state=State.DM_SENT, dm_event_id="1", dm_sent_at=START)
    damage(world, "card_text", "cut", one, one)
    world.run()
    assert world.request(one).reason == "unreadable"
    world.forward(days=4)
    world.run()
    ended = world.request(one)
    assert (ended.state, ended.reason) == (State.FAILED, Failure.NOT_IN_TIME)


def test_an_unclear_send_whose_text_is_damaged_proves_nothing(world: World) -> None:
    """It may have arrived: looked for by another text it would not be found, and would be sent again."""
    world.fault(endpoint=NEW, fault="drop_after_commit", times=1)
    one = ready(world)
    world.run()
    was = damage(world, "opening_text", "cut", one, one)
    world.later(4, seconds=60)
    assert [each.outcome for each in world.attempts(one)] == [None]
    mend(world, "opening_text", one, was)
    world.later(8, seconds=60)
    assert world.request(one).state == State.CARD_SENT
    assert (messages(world, "dm"), messages(world, "card")) == (1, 1)


def test_an_unreadable_opening_may_have_contained_the_link(world: World) -> None:
    one = ready(world)
    row = {"request_id": one, "score": 4, "score_way": "page", "x_updated_at": START, "first_seen_at": START}
    rest = {"first_channel": "page", "update_count": 1, "anomalies": 0, "updated_at": START}
    with writing(world.engine) as connection:
        connection.execute(sa.insert(result).values({**row, **rest}))
        assert answered(connection, [one]) == {one}
    damage(world, "opening_text", "cut", one, one)
    with writing(world.engine) as connection:
        assert answered(connection, [one]) == set()


def test_a_message_whose_text_cannot_be_read_is_not_looked_for(world: World) -> None:
    """It would not be found, and what is not found counts as unsent."""
    world.customers({"user_id": "502", "can_dm": True})
    world.fault(endpoint=NEW, fault="drop_before", times=2)
    one, other = ready(world), ready(world, conversation_id="c-2", x_user_id="502")
    world.run()
    damage(world, "opening_text", "cut", one, other)
    with reading(world.engine) as connection:
        found = sends.unclear(connection, "acme", world.clock.now, timedelta(seconds=60))
    assert [request.id for request, _ in found] == [other]
