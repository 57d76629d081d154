"""A worker that was paused past its lease cannot record over its successor, and cannot write to the customer late."""

from datetime import timedelta

from service.outreach.claims import claim, give_back, record
from service.outreach.steps import take
from service.states import State
from tests.outreach.test_unclear import messages, ready
from tests.support import World


def test_a_late_record_changes_nothing(world: World) -> None:
    request_id = ready(world)
    paused = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready[0]
    found = take(paused, world.clients["acme"], world.clock)  # X has the opening; then the worker is paused
    for _ in range(12):  # meanwhile a successor looks it up and goes on to the end
        world.forward(seconds=60)
        world.run()
    history = world.history(request_id)
    assert world.request(request_id).state == State.CARD_SENT
    assert record(world.place, paused, found, world.clock.now) is None
    assert world.history(request_id) == history
    assert world.request(request_id).state == State.CARD_SENT


def test_a_call_that_wakes_up_late_is_refused_by_x(world: World) -> None:
    request_id = ready(world)
    paused = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready[0]
    for _ in range(12):  # a successor proves it unsent and sends it itself
        world.forward(seconds=60)
        world.run()
    assert messages(world, "dm") == 1
    found = take(paused, world.clients["acme"], world.clock)  # signed with the moment of its intent: too old for X
    assert "135" in str(found.outcome)
    record(world.place, paused, found, world.clock.now)
    give_back(world.place, paused, world.clock.now)
    assert messages(world, "dm") == 1
    assert [each.outcome for each in world.attempts(request_id)] == ["not_sent", "sent", "sent"]


def test_two_workers_never_hold_the_same_request(world: World) -> None:
    ready(world)
    first = claim(world.place, world.settings.accounts["acme"], 5, world.clock.now).ready
    second = claim(world.place, world.settings.accounts["acme"], 5, world.clock.now + timedelta(seconds=30)).ready
    assert (len(first), len(second)) == (1, 0)
