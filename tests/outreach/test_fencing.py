"""A worker paused beyond its lease cannot overwrite its successor's record or write to the customer late."""

import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from service.outreach import run
from service.outreach.claims import claim, give_back, record
from service.outreach.steps import take
from service.states import State
from tests.outreach.test_unclear import messages, ready
from tests.support import World


def test_a_late_record_changes_nothing(world: World) -> None:
    request_id = ready(world)
    paused = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready[0]
    found = take(paused, world.clients["acme"], world.clock)  # X has the opening; then the worker is paused
    world.later(12, seconds=60)  # meanwhile a successor looks it up and goes on to the end
    history = world.history(request_id)
    assert world.request(request_id).state == State.CARD_SENT
    assert record(world.place, paused, found, world.clock.now) is None
    assert world.history(request_id) == history
    assert world.request(request_id).state == State.CARD_SENT


def test_a_call_that_wakes_up_late_is_refused_by_x(world: World) -> None:
    request_id = ready(world)
    paused = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready[0]
    world.later(12, seconds=60)  # a successor proves it unsent and sends it itself
    assert messages(world, "dm") == 1
    found = take(paused, world.clients["acme"], world.clock)  # signed with the moment of its intent: too old for X
    assert "135" in str(found.outcome)
    record(world.place, paused, found, world.clock.now)
    give_back(world.place, paused, world.clock.now)
    assert messages(world, "dm") == 1
    assert [each.outcome for each in world.attempts(request_id)] == ["not_sent", "sent", "sent"]


def lists(world: World) -> int:
    return sum(world.truth()["counts"]["requests"].get("direct_messages/events/list", {}).values())


def test_a_plain_answer_counts_after_the_lease_was_lost(world: World) -> None:
    """Their clocks differ by more than a lease: whoever is ahead takes over every send that is under way."""
    request_id = ready(world)
    slow = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready[0]
    found = take(slow, world.clients["acme"], world.clock)
    ahead = world.clock.now + timedelta(seconds=90)
    assert claim(world.place, world.settings.accounts["acme"], 1, ahead).ready == []
    assert world.request(request_id).reason == "unclear"
    after = record(world.place, slow, found, world.clock.now)
    assert (world.request(request_id).state, after is not None) == (State.DM_SENT, True)
    assert after is not None
    record(world.place, after, take(after, world.clients["acme"], world.clock), world.clock.now)
    world.run()
    assert world.request(request_id).state == State.CARD_SENT
    attempts = sorted((each.kind, each.outcome, each.evidence) for each in world.attempts(request_id))
    assert attempts == [("card", "sent", "answer"), ("dm", "sent", "answer")]
    assert lists(world) == 0


def test_a_refusal_counts_after_the_lease_was_lost(world: World) -> None:
    request_id = ready(world)
    world.fault(endpoint="direct_messages/events/new", fault="status", status=403, code=349, times=1)
    slow = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready[0]
    found = take(slow, world.clients["acme"], world.clock)
    claim(world.place, world.settings.accounts["acme"], 1, world.clock.now + timedelta(seconds=90))
    assert record(world.place, slow, found, world.clock.now) is None
    assert world.request(request_id).state == State.SKIPPED
    assert [each.outcome for each in world.attempts(request_id)] == ["not_sent"]


def test_an_answer_to_a_send_survives_an_outage_longer_than_the_lease(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_id, away, real = ready(world), iter(range(4)), run.record

    def recorded(*this: Any, **how: Any) -> Any:
        if next(away, None) is not None:
            raise sa.exc.OperationalError("COMMIT", {}, Exception("the server is gone"))
        return real(*this, **how)

    def rest(_seconds: float) -> None:
        world.forward(seconds=30)
        claim(world.place, world.settings.accounts["acme"], 1, world.clock.now)  # another is back before us

    monkeypatch.setattr(run, "record", recorded)
    monkeypatch.setattr(run, "time", SimpleNamespace(sleep=rest, monotonic=time.monotonic))
    world.run()
    assert world.request(request_id).state == State.CARD_SENT
    assert ("unclear" in {reason for _, _, reason in world.history(request_id)}, lists(world)) == (True, 0)
    assert (messages(world, "dm"), messages(world, "card")) == (1, 1)


def test_a_call_never_begun_counts_as_unsent(world: World) -> None:
    request_id = ready(world)
    slow = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready[0]
    claim(world.place, world.settings.accounts["acme"], 1, world.clock.now + timedelta(seconds=90))
    give_back(world.place, slow, world.clock.now)
    world.run()
    assert world.request(request_id).state == State.CARD_SENT
    assert sorted(each.evidence for each in world.attempts(request_id)) == ["answer", "answer", "never_begun"]
    assert (messages(world, "dm"), lists(world)) == (1, 0)


def test_two_workers_never_hold_the_same_request(world: World) -> None:
    ready(world)
    first = claim(world.place, world.settings.accounts["acme"], 5, world.clock.now).ready
    second = claim(world.place, world.settings.accounts["acme"], 5, world.clock.now + timedelta(seconds=30)).ready
    assert (len(first), len(second)) == (1, 0)
