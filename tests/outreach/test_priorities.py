"""Priorities: begun requests go first, an X outage is reported, silence is asked about twice."""

from datetime import timedelta
from typing import Any

import pytest

from service.accounts import standing, x_outage
from service.db import reading
from service.outreach.claims import claim
from service.states import PROVEN_UNSENT, UNCLEAR, State
from tests.outreach.test_unclear import NEW, ready
from tests.outreach.test_walk import FROZEN
from tests.support import World


def backlog(world: World, count: int) -> list[str]:
    long_ago = world.clock.now - timedelta(hours=2)
    return [
        ready(world, conversation_id=f"c-{n}", x_user_id=str(900 + n), scheduled_at=long_ago + timedelta(seconds=n))
        for n in range(count)
    ]


@pytest.mark.parametrize(
    "columns",
    [
        {"state": State.DM_SENT, "dm_event_id": "9"},
        {"state": State.DM_ALLOWED, "reason": UNCLEAR},
        {"state": State.DM_ALLOWED, "reason": PROVEN_UNSENT},
    ],
)
def test_begun_requests_are_claimed_before_an_older_backlog(world: World, columns: dict[str, Any]) -> None:
    waiting = backlog(world, 5)
    begun = world.ended("begun", **{**FROZEN, "can_dm": True, "dm_sent_at": world.clock.now, **columns})
    account, now = world.settings.accounts["acme"], world.clock.now
    assert [each.request.id for each in claim(world.place, account, 1, now).ready] == [begun]
    assert [each.request.id for each in claim(world.place, account, 2, now).ready] == waiting[:2]


def test_one_claim_takes_both_and_no_more_than_asked_for(world: World) -> None:
    waiting = backlog(world, 5)
    opened = {"state": State.DM_SENT, "dm_event_id": "9", "dm_sent_at": world.clock.now}
    begun = world.ended("begun", **{**FROZEN, "can_dm": True, **opened})
    found = claim(world.place, world.settings.accounts["acme"], 3, world.clock.now)
    assert [each.request.id for each in found.ready] == [begun, *waiting[:2]]


# -- X away


def away_since(world: World) -> Any:
    with reading(world.engine) as connection:
        (stands,) = standing.standings(connection)
    return stands.x_away_since


@pytest.mark.parametrize("fault", ["drop_before", "status"])
def test_the_start_of_an_x_outage_is_kept_until_x_answers(world: World, fault: str) -> None:
    more = {"status": 503} if fault == "status" else {}
    world.fault(endpoint="users/show", fault=fault, **more)
    world.ended(ended_at=world.clock.now - timedelta(minutes=5))
    began = world.clock.now
    world.turns(3, seconds=30)
    assert away_since(world) == began
    assert x_outage.since(began, began + timedelta(seconds=59)) is None, "one call in vain is no outage"
    assert x_outage.since(began, world.clock.now) == began
    world.control("/faults", method="DELETE")
    world.forward(minutes=10)
    world.run()
    assert away_since(world) is None


def test_an_unanswered_send_is_a_sign_of_an_outage_too(world: World) -> None:
    world.fault(endpoint=NEW, fault="drop_before", times=1)
    ready(world)
    world.run()
    assert away_since(world) == world.clock.now


def test_a_refusal_ends_the_outage(world: World) -> None:
    world.fault(endpoint=NEW, fault="status", status=403, code=349, times=1)
    ready(world)
    world.run()
    assert away_since(world) is None


# -- asked twice


def asked(world: World) -> list[str]:
    return [each["endpoint"] for each in world.truth()["requests"] if "show" in each["endpoint"]]


@pytest.mark.parametrize(
    ("says", "endpoints"), [("missing", ["users/show", "friendships/show"]), (None, ["users/show"])]
)
def test_friendship_is_asked_only_if_the_user_object_lacks_can_dm(
    world_of: Any, says: str | None, endpoints: list[str]
) -> None:
    world = world_of({"users_can_dm": says} if says else {})
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    request_id = world.ended(ended_at=world.clock.now - timedelta(minutes=5))
    world.run()
    assert asked(world) == endpoints
    assert world.request(request_id).state == State.CARD_SENT


def test_if_both_lack_can_dm_it_is_not_false(world_of: Any) -> None:
    world = world_of({"users_can_dm": "missing", "friendships_can_dm": "missing"})
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": "missing"})
    request_id = world.ended(ended_at=world.clock.now - timedelta(minutes=5))
    world.run()
    assert asked(world) == ["users/show", "friendships/show"]
    assert (world.request(request_id).state, world.request(request_id).can_dm_asked) == (State.CARD_SENT, 2)


def test_the_answer_that_named_the_user_is_not_asked_for_again(world_of: Any) -> None:
    world = world_of({"users_can_dm": "missing"})
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    handle = {"x_user_id": None, "x_handle": "ada", "identity_trust": "vendor_verified"}
    request_id = world.ended(ended_at=world.clock.now - timedelta(minutes=5), **handle)
    world.run()
    assert asked(world) == ["users/show", "friendships/show"]
    assert world.request(request_id).state == State.CARD_SENT


def test_a_false_from_friendship_stops_us(world_of: Any) -> None:
    world = world_of({"users_can_dm": "missing"})
    world.customers({"user_id": "501", "screen_name": "ada", "can_dm": False})
    request_id = world.ended(ended_at=world.clock.now - timedelta(minutes=5))
    world.run()
    assert world.request(request_id).reason == "cannot_dm"
    assert world.attempts(request_id) == [], "we knew it before we tried"
