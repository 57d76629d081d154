"""The clock is set back an hour: leases still end, limits still hold, unclear sends stay unclear until proven."""

from datetime import timedelta

import pytest
from sqlalchemy.engine import Engine

from service.errors import Conflict
from service.outreach import by_hand
from service.states import State
from tests.outreach.test_walk import FROZEN
from tests.support import World, settings_of

NEW, LIST = "direct_messages/events/new", "direct_messages/events/list"


@pytest.fixture
def world(engine: Engine) -> World:
    few = settings_of(accounts__acme__cards_per_day=3, accounts__acme__dms_per_day=3)
    # X takes our signatures although our clock is wrong: nothing but our own records protects the customer
    return World(engine, few, assumptions={"oauth_tolerance_s": 7200})


def many(world: World, count: int, first: int = 0) -> list[str]:
    ready = {**FROZEN, "can_dm": True, "state": State.DM_ALLOWED}
    people = [str(1000 + n) for n in range(first, first + count)]
    world.customers(*({"user_id": each, "screen_name": f"u{each}", "can_dm": True} for each in people))
    return [world.ended(f"c-{each}", x_user_id=each, **ready) for each in people]


def test_a_lease_taken_before_is_over_at_once(world: World) -> None:
    (request_id,) = many(world, 1)
    world.set(request_id, lease_token="ls_dead", lease_until=world.clock.now + timedelta(seconds=60))
    world.clock.forward(hours=-1)
    world.set(request_id, scheduled_at=world.clock.now)
    world.run()
    assert world.request(request_id).state == State.CARD_SENT


def test_the_days_limit_stays_closed(world: World) -> None:
    many(world, 3)
    world.run()
    world.clock.forward(hours=-1)
    late = many(world, 2, first=10)
    for _ in range(3):
        world.run()
        world.clock.forward(minutes=10)
    assert world.truth()["counts"]["messages_via"] == {"dm": 3, "card": 3}
    assert {world.request(each).state for each in late} == {State.DM_ALLOWED}


def test_the_customers_day_stays_closed(world: World) -> None:
    many(world, 1)
    world.run()
    world.clock.forward(hours=-1)
    again = world.ended("c-again", x_user_id="1000", **{**FROZEN, "can_dm": True, "state": State.DM_ALLOWED})
    world.run()
    assert (world.request(again).state, world.request(again).reason) == (State.SKIPPED, "cooldown")


def test_an_unclear_send_is_still_looked_up_and_never_repeated(world: World) -> None:
    world.fault(endpoint=NEW, fault="drop_after_commit", times=1)
    (request_id,) = many(world, 1)
    world.run()
    world.clock.forward(hours=-1)
    world.turns(90, minutes=1)
    assert world.request(request_id).state in {State.CARD_SENT, State.UNKNOWN}
    assert world.truth()["counts"]["messages_via"]["dm"] == 1


def test_a_request_a_dead_worker_holds_can_be_cancelled_all_the_same(world: World) -> None:
    (request_id,) = many(world, 1)
    world.set(request_id, lease_token="ls_dead", lease_until=world.clock.now + timedelta(seconds=60))
    with pytest.raises(Conflict, match="in progress"):
        by_hand.cancel(world.place, request_id, by="ana", now=world.clock.now)
    world.clock.forward(hours=-1)
    assert by_hand.cancel(world.place, request_id, by="ana", now=world.clock.now) is State.SKIPPED


def test_a_failed_last_look_is_repeated_and_not_taken_for_the_last(world: World) -> None:
    """A look that X cut short proves nothing, whenever it came."""
    world.fault(endpoint=NEW, fault="drop_after_commit", times=1)
    world.control("/assumptions", {"list_lag_s": 200}, method="PUT")
    world.fault(endpoint=LIST, fault="status", status=503, skip=2, times=3)
    (request_id,) = many(world, 1)
    world.turns(20, minutes=1)
    assert world.request(request_id).state == State.CARD_SENT
    assert world.truth()["counts"]["messages_via"] == {"dm": 1, "card": 1}
