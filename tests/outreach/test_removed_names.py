"""Requests whose account, source or campaign left the settings wait, and end with a reason when their time is over."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from service.outreach import removed_names
from service.requests.outcomes import Postpone, Stop
from service.states import State
from tests.outreach.test_unclear import died, messages, ready
from tests.outreach.test_walk import FROZEN
from tests.support import START, World, request_of, settings_of


def without(world: World, kind: str) -> None:
    """The same machine, started again with settings that lack something."""
    empty: Any = () if kind == "campaigns" else {}
    world.place = replace(world.place, settings=replace(world.settings, **{kind: empty}))


def test_nothing_is_reported_if_no_name_is_missing(world: World) -> None:
    ready(world)
    assert removed_names.gone_names(world.engine, world.settings) == []


@pytest.mark.parametrize(("kind", "name"), [("accounts", "acme"), ("sources", "crm"), ("campaigns", "care")])
def test_missing_names_are_reported_with_the_number_waiting(world: World, kind: str, name: str) -> None:
    ready(world)
    ready(world, conversation_id="c-2", state=State.SKIPPED)
    without(world, kind)
    (gone,) = removed_names.gone_names(world.engine, world.place.settings)
    assert (gone.kind, gone.name, gone.waiting) == (kind, name, 1)
    assert f"[{kind}.{name}]" in gone.sentence


@pytest.mark.parametrize("kind", ["sources", "campaigns"])
def test_nobody_is_asked_under_a_name_that_is_gone_and_it_ends_when_it_is_stale(world: World, kind: str) -> None:
    request_id = ready(world, stale_at=world.clock.now + timedelta(hours=6))
    without(world, kind)
    world.run()
    row = world.request(request_id)
    assert (row.state, row.reason) == (State.DM_ALLOWED, "withdrawn")
    world.forward(hours=6)
    world.run()
    row = world.request(request_id)
    assert (row.state, row.reason) == (State.SKIPPED, "withdrawn")
    assert messages(world, "dm") == 0


def test_a_name_that_comes_back_in_time_goes_on(world: World) -> None:
    had = world.place
    request_id = ready(world, stale_at=world.clock.now + timedelta(hours=6))
    without(world, "campaigns")
    world.run()
    world.place = had
    world.forward(minutes=11)
    world.run()
    assert world.request(request_id).state == State.CARD_SENT


def test_a_source_that_left_before_a_campaign_was_chosen_waits_too(world: World) -> None:
    request_id = world.ended()
    without(world, "sources")
    world.run()
    assert (world.request(request_id).state, world.request(request_id).reason) == (State.RECEIVED, "withdrawn")
    world.forward(days=4)
    world.run()
    assert world.request(request_id).reason == "withdrawn"
    assert world.request(request_id).state == State.SKIPPED


def test_a_request_with_an_opening_does_not_end_skipped(world: World) -> None:
    opened = {**FROZEN, "state": State.DM_SENT, "dm_event_id": "1", "dm_sent_at": world.clock.now, "can_dm": True}
    request_id = world.ended(**opened, stale_at=world.clock.now + timedelta(hours=1))
    without(world, "campaigns")
    world.forward(hours=1)
    world.run()
    assert (world.request(request_id).state, world.request(request_id).reason) == (State.FAILED, "not_in_time")


def test_requests_of_an_account_that_left_end_when_they_are_stale_and_no_sooner(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removed_names, "AT_ONCE", 1)  # more wait than are ended at once
    waiting = ready(world, stale_at=world.clock.now + timedelta(hours=6))
    unclear = ready(world, conversation_id="c-2", x_user_id="502", stale_at=world.clock.now + timedelta(hours=6))
    died(world, unclear, "dm")
    fresh = world.ended("c-3")
    without(world, "accounts")
    assert removed_names.end_overdue(world.place, world.clock.now) == 0
    world.forward(hours=6)
    assert removed_names.end_overdue(world.place, world.clock.now) == 2
    assert (world.request(waiting).state, world.request(waiting).reason) == (State.SKIPPED, "withdrawn")
    assert (world.request(unclear).state, world.request(unclear).reason) == (State.UNKNOWN, "unclear_send")
    assert world.request(fresh).state == State.RECEIVED
    world.forward(days=3)
    assert removed_names.end_overdue(world.place, world.clock.now) == 1


def test_a_machine_with_the_account_ends_nothing(world: World) -> None:
    request_id = ready(world, stale_at=world.clock.now - timedelta(hours=6))
    assert removed_names.end_overdue(world.place, world.clock.now) == 0
    assert world.request(request_id).state == State.DM_ALLOWED


# -- to the microsecond

TICK, MINUTE, HOUR = timedelta(microseconds=1), timedelta(minutes=1), timedelta(hours=1)
HERE = settings_of(worker__give_up_after="3d")
GONE = replace(HERE, campaigns=())


def said(settings: Any = GONE, **columns: Any) -> Any:
    return removed_names.withheld(settings, request_of(START, **{"campaign": "care", **columns}), START)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"stale_at": START + HOUR}, Postpone(START + 10 * MINUTE, "withdrawn", "campaigns.care")),
        ({"stale_at": START + MINUTE}, Postpone(START + MINUTE, "withdrawn", "campaigns.care")),
        ({"stale_at": START + TICK}, Postpone(START + TICK, "withdrawn", "campaigns.care")),
        ({"stale_at": START}, Stop(State.SKIPPED, "withdrawn", "campaigns.care")),
        ({"stale_at": START, "state": State.DM_SENT}, Stop(State.FAILED, "not_in_time", "campaigns.care")),
        ({"ended_at": START - timedelta(days=3)}, Stop(State.SKIPPED, "withdrawn", "campaigns.care")),
        ({"ended_at": START - timedelta(days=3) + TICK}, Postpone(START + TICK, "withdrawn", "campaigns.care")),
        ({"source": "gone", "stale_at": START}, Stop(State.SKIPPED, "withdrawn", "sources.gone")),
        ({"campaign": None}, None),
    ],
)
def test_it_waits_until_it_is_stale_and_is_looked_at_every_ten_minutes(columns: dict[str, Any], told: Any) -> None:
    assert said(**columns) == told
    assert said(HERE, **{**columns, "source": "crm"}) is None


@pytest.mark.parametrize(("over", "ended"), [(timedelta(0), 1), (TICK, 0)])
def test_a_request_of_a_removed_account_ends_at_its_exact_moment(world: World, over: timedelta, ended: int) -> None:
    stale = ready(world, stale_at=START + over)
    without(world, "accounts")
    assert removed_names.end_overdue(world.place, START) == ended
    assert world.request(stale).reason == ("withdrawn" if ended else None)


def test_a_stopped_worker_ends_no_more_requests(world: World) -> None:
    ready(world, stale_at=START)
    without(world, "accounts")
    assert removed_names.end_overdue(world.place, START, lambda: True) == 0


@pytest.mark.parametrize("meanwhile", [{"state": State.SKIPPED, "reason": "cancelled"}, {"stale_at": START + MINUTE}])
def test_requests_ended_or_retried_meanwhile_are_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: dict[str, Any]
) -> None:
    request_id = ready(world, **{"stale_at": START, **meanwhile})
    before, found = world.request(request_id), iter([[request_id, "fr_nobody"]])
    without(world, "accounts")
    monkeypatch.setattr(removed_names, "overdue_elsewhere", lambda *_: next(found, []))
    assert removed_names.end_overdue(world.place, START) == 0
    assert world.request(request_id) == before


def test_requests_not_due_delay_no_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removed_names, "AT_ONCE", 1)
    world.ended("young", scheduled_at=START - timedelta(days=9))
    old = world.ended("old", ended_at=START - timedelta(days=3))
    without(world, "accounts")
    assert removed_names.end_overdue(world.place, START) == 1
    assert world.request(old).reason == "withdrawn"
