"""What X's list does not show is absent only where the list shows what we know to be there."""

from typing import Any

import pytest

from service.states import State
from tests.outreach.test_unclear import CREATE, NEW, messages, ready
from tests.support import World

OFF = {"pair_scope": "off"}  # X's own guard against a second card would hide ours


def asked(world: World, user_id: str, **columns: Any) -> str:
    world.customers({"user_id": user_id, "can_dm": True})
    return ready(world, conversation_id=f"c-{user_id}", x_user_id=user_id, **columns)


def go_on(world: World, minutes: int) -> None:
    for _ in range(minutes):
        world.run()
        world.forward(minutes=1)


def got(world: World, user_id: str, via: str) -> int:
    return sum((each["recipient"], each["via"]) == (user_id, via) for each in world.truth()["messages"])


@pytest.mark.parametrize("fault", ["drop_after_commit", "status_after_commit"])
def test_a_list_that_shows_no_cards_proves_no_card_absent(world_of: Any, fault: str) -> None:
    world: World = world_of({"card_dm_in_list": False, **OFF})
    known = asked(world, "501")
    go_on(world, 10)
    assert world.request(known).card_dm_id is not None
    world.fault(endpoint=CREATE, fault=fault, times=1)
    unclear = asked(world, "502")
    go_on(world, 150)
    assert got(world, "502", "card") == 1
    assert (world.request(unclear).state, world.request(unclear).reason) == (State.UNKNOWN, "unclear_send")


def test_what_a_list_without_cards_says_of_openings_counts(world_of: Any) -> None:
    world: World = world_of({"card_dm_in_list": False, **OFF})
    asked(world, "501")
    go_on(world, 10)
    world.fault(endpoint=NEW, fault="drop_before", times=1)
    again = asked(world, "502")
    go_on(world, 20)
    attempts = sorted((each.kind, each.outcome) for each in world.attempts(again))
    assert attempts == [("card", "sent"), ("dm", "not_sent"), ("dm", "sent")]


def test_a_list_that_is_further_behind_than_ever_is_waited_for(world_of: Any) -> None:
    """Ten minutes instead of three: what was sent meanwhile, and is not shown, tells."""
    world: World = world_of({"list_lag_s": 600, **OFF})
    for number in range(601, 606):
        asked(world, str(number))
        go_on(world, 1)
    world.fault(endpoint=NEW, fault="status_after_commit", times=1)
    unclear = asked(world, "501")
    for number in range(606, 626):
        go_on(world, 1)
        asked(world, str(number))
    go_on(world, 10)
    assert world.request(unclear).state == State.CARD_SENT
    assert (got(world, "501", "dm"), got(world, "501", "card")) == (1, 1)


def test_its_own_opening_tells_how_far_a_list_is_behind(world_of: Any) -> None:
    world: World = world_of({"list_lag_s": 600, **OFF})
    world.fault(endpoint=CREATE, fault="status_after_commit", times=1)
    alone = asked(world, "501")
    go_on(world, 30)
    assert world.request(alone).state == State.CARD_SENT
    assert (messages(world, "dm"), messages(world, "card")) == (1, 1)


def test_a_card_that_never_arrived_is_still_sent_where_the_list_shows_cards(world_of: Any) -> None:
    world: World = world_of(OFF)
    asked(world, "501")
    go_on(world, 10)
    world.fault(endpoint=CREATE, fault="drop_before", times=1)
    again = asked(world, "502")
    go_on(world, 20)
    assert world.request(again).state == State.CARD_SENT
    assert (messages(world, "dm"), messages(world, "card")) == (2, 2)
