"""Rare conditions: differing clocks, long outages, rows nobody can decide, answers that arrive meanwhile."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from service.accounts import holds, standing
from service.accounts.holds import Hold
from service.db import reading, writing
from service.models import result, x_identity
from service.outreach import claims
from service.outreach.claims import claim
from service.outreach.gates import quiet
from service.outreach.steps import take
from service.states import Failure, Skip, State
from tests.outreach.test_unclear import CREATE, NEW, died, messages, ready
from tests.outreach.test_walk import FROZEN
from tests.support import World, work

LIST = "direct_messages/events/list"
OPENED = {**FROZEN, "can_dm": True, "state": State.DM_SENT, "dm_event_id": "1"}


def until_it_ends(world: World, request_id: str) -> Any:
    for _ in range(40):
        world.run()
        if world.request(request_id).outcome_at is not None:
            break
        world.forward(seconds=60)
    return world.request(request_id)


# -- clocks


@pytest.mark.parametrize("minutes", [-4, 4])
def test_a_clock_unlike_xs_hides_no_arrived_message(world: World, minutes: int) -> None:
    world.clock.forward(minutes=minutes)
    world.fault(endpoint=NEW, fault="drop_after_commit", times=1)
    assert until_it_ends(world, ready(world)).state == State.CARD_SENT
    assert (messages(world, "dm"), messages(world, "card")) == (1, 1)


def test_a_worker_with_a_fast_clock_proves_nothing_too_early(world_of: Any) -> None:
    world = world_of({"list_lag_s": 170})
    world.customers({"user_id": "501", "can_dm": True})
    world.fault(endpoint=NEW, fault="status_after_commit", times=1)
    request_id = ready(world)
    world.run()
    for _ in range(20):
        world.forward(seconds=30)
        work(world.place, world.clients, lambda: world.clock.now + timedelta(seconds=100))
    assert world.request(request_id).state == State.CARD_SENT
    assert messages(world, "dm") == 1


def test_quiet_hours_ending_in_a_repeated_hour_end_once() -> None:
    second_run = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    found = quiet((time(21), time(2, 30)), ZoneInfo("Europe/Berlin"), second_run)
    assert found is not None
    assert found.until == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_a_pause_too_far_ahead_is_replaced(world: World) -> None:
    now = world.clock.now
    with writing(world.engine) as connection:
        holds.pause(connection, "acme", now + timedelta(days=40), now)
        holds.pause(connection, "acme", now + timedelta(hours=1), now)
        assert standing.lock(connection, "acme", now).rests


def test_a_pause_of_a_whole_day_by_a_clock_that_is_ahead_is_believed(world: World) -> None:
    ahead = world.clock.now + timedelta(seconds=90)
    with writing(world.engine) as connection:
        holds.pause(connection, "acme", ahead + standing.LONGEST_PAUSE, ahead)
        assert standing.lock(connection, "acme", world.clock.now).rests


# -- outages


def test_after_a_long_outage_x_is_asked_before_anything_ends_unknown(world: World) -> None:
    request_id = ready(world)
    (begun,) = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready
    take(begun, world.clients["acme"], world.clock)  # and dies before the record
    world.forward(hours=26)
    assert until_it_ends(world, request_id).state == State.CARD_SENT
    assert (messages(world, "dm"), messages(world, "card")) == (1, 1)


def test_after_a_long_outage_a_list_that_fails_is_tried_for_a_while_and_then_it_ends(world: World) -> None:
    world.fault(endpoint=LIST, fault="status", status=503)
    request_id = ready(world)
    (begun,) = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready
    take(begun, world.clients["acme"], world.clock)
    world.forward(hours=26)
    assert until_it_ends(world, request_id).state == State.UNKNOWN
    assert world.clock.now - begun.intended_at > timedelta(hours=26, minutes=20)


# -- what came meanwhile


def told_of_card(world: World, request_id: str) -> None:
    now = world.clock.now
    seen = {"x_updated_at": now, "updated_at": now, "first_seen_at": now, "first_channel": "webhook"}
    with writing(world.engine) as connection:
        row = {"request_id": request_id, "feedback_id": "777", **seen, "update_count": 1, "anomalies": 0}
        connection.execute(sa.insert(result).values(row))


def test_a_card_x_has_told_us_of_is_not_sent_again(world: World) -> None:
    request_id = world.ended(**OPENED, dm_sent_at=world.clock.now)
    told_of_card(world, request_id)
    world.run()
    row = world.request(request_id)
    assert (row.state, row.feedback_id, messages(world, "card")) == (State.CARD_SENT, "777", 0)


def test_an_old_opening_gets_no_card_where_the_customer_was_asked_since(world: World) -> None:
    asked = world.ended("c-1", ended_at=world.clock.now - timedelta(minutes=5))
    world.run()
    assert world.request(asked).state == State.CARD_SENT
    old = world.ended("c-0", **OPENED, dm_sent_at=world.clock.now - timedelta(days=9))
    world.run()
    assert (world.request(old).state, world.request(old).reason) == (State.SKIPPED, Skip.COOLDOWN)
    assert messages(world, "card") == 1


@pytest.mark.parametrize(
    ("days", "end"), [(2, (State.CARD_SENT, None, 1)), (10, (State.FAILED, Failure.NOT_IN_TIME, 0))]
)
def test_a_card_delayed_too_long_is_not_sent(world: World, days: int, end: Any) -> None:
    request_id = world.ended(**OPENED, dm_sent_at=world.clock.now)
    world.forward(days=days)
    world.run()
    row = world.request(request_id)
    assert (row.state, row.reason, messages(world, "card")) == end


def test_a_request_retried_after_its_opening_gets_new_time(world: World) -> None:
    old = world.clock.now - timedelta(days=9)
    request_id = world.ended(**OPENED, ended_at=old, dm_sent_at=old, stale_at=world.clock.now + timedelta(hours=1))
    world.run()
    assert world.request(request_id).state == State.CARD_SENT


# -- quiet hours and the card


@pytest.mark.parametrize(("minutes", "cards"), [(5, 1), (60, 0)])
def test_a_card_follows_its_opening_into_quiet_hours_only_at_once(world_of: Any, minutes: int, cards: int) -> None:
    world = world_of(accounts__acme__quiet_hours=["11:00", "13:00"])
    world.customers({"user_id": "501", "can_dm": True})
    world.ended(**OPENED, dm_sent_at=world.clock.now - timedelta(minutes=minutes))
    world.run()
    assert messages(world, "card") == cards
    world.forward(hours=2)
    world.run()
    assert messages(world, "card") == 1


# -- many, and one that cannot be decided


def test_one_pass_decides_all_that_is_due(world: World) -> None:
    ids = [world.ended(f"c-{n}", x_user_id=str(600 + n)) for n in range(30)]
    world.run()
    assert {world.request(each).reason for each in ids} == {"delay"}


def test_a_request_that_meets_a_bug_does_not_hold_up_the_others(world: World) -> None:
    early = world.clock.now - timedelta(hours=1)
    broken = world.ended("c-0", **{**OPENED, "x_user_id": None}, dm_sent_at=early, scheduled_at=early)
    fine = world.ended("c-1", ended_at=world.clock.now - timedelta(minutes=5))
    world.run()
    assert world.request(fine).state == State.CARD_SENT
    row = world.request(broken)
    assert (row.reason, row.detail, row.attempts) == ("internal_error", "IntegrityError", 1)


@pytest.mark.parametrize(
    ("open_send", "end"), [(True, (State.UNKNOWN, "unclear_send")), (False, (State.FAILED, "attempts_used_up"))]
)
def test_a_bug_ends_nothing_as_failed_that_may_be_with_the_customer(
    world: World, monkeypatch: pytest.MonkeyPatch, open_send: bool, end: Any
) -> None:
    last = world.settings.worker.max_attempts - 1
    request_id = ready(world, reason="unclear" if open_send else None, attempts=last)
    if open_send:
        died(world, request_id, "dm")

    def boom(*_: Any) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("service.outreach.claims.prepare", boom)
    assert claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready == []
    assert (world.request(request_id).state, world.request(request_id).reason) == end
    assert [each.outcome for each in world.attempts(request_id)] == ["unknown"] * open_send


def test_a_request_in_other_hands_is_not_set_aside(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever met the bug has been rolled back; another may have taken it up in that very moment."""
    request_id = ready(world)

    def taken_meanwhile(*_: Any) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("service.outreach.claims.prepare", taken_meanwhile)
    real = claims.locked

    def leased(connection: sa.Connection, one: str) -> Any:
        return replace(found, lease_token="ls_1", lease_until=soon) if (found := real(connection, one)) else None

    soon = world.clock.now + timedelta(seconds=60)
    monkeypatch.setattr("service.outreach.claims.locked", leased)
    claim(world.place, world.settings.accounts["acme"], 1, world.clock.now)
    assert (world.request(request_id).attempts, world.history(request_id)) == (0, [])


def test_waiting_for_the_same_reason_adds_no_line_to_the_history(world_of: Any) -> None:
    world = world_of(accounts__acme__dms_per_day=1)
    waiting = [ready(world, conversation_id=f"c-{n}", x_user_id=str(501 + n)) for n in range(2)]
    for _ in range(4):
        world.run()
        for each in waiting:
            if world.request(each).reason == "daily_limit":
                world.set(each, scheduled_at=world.clock.now)
    lines = [reason for each in waiting for _, _, reason in world.history(each)]
    assert lines.count("daily_limit") == 1


# -- accounts


def test_an_account_that_may_not_write_still_reads(world: World) -> None:
    def is_refused(why: Hold) -> bool:
        with writing(world.engine) as connection:
            holds.release(connection, "acme", world.clock.now)
            holds.hold(connection, "acme", why, world.clock.now)
            return holds.is_refused(connection, "acme")

    assert is_refused(Hold(326, "account_locked"))
    assert is_refused(Hold(None, holds.NOT_OURS))
    assert not is_refused(Hold(None, "the press is calling"))
    assert not is_refused(Hold(226, "looks_automated"))


def test_a_refusal_of_everything_met_while_reading_holds_the_account(world: World) -> None:
    world.fault(endpoint=CREATE, fault="drop_after_commit", times=1)
    world.fault(endpoint=LIST, fault="status", status=403, code=326)
    ready(world)
    world.turns(8, seconds=60)
    with reading(world.engine) as connection:
        (stands,) = standing.standings(connection)
    assert (stands.hold_code, stands.hold_reason) == (326, "account_locked")


def test_a_handle_is_resolved_again_after_a_quarter_of_an_hour_however_often_it_was_used(world: World) -> None:
    first = world.clock.now

    def seen_after(minutes: int, conversation: str) -> datetime | None:
        world.forward(minutes=minutes)
        ended = world.clock.now - timedelta(minutes=5)
        world.ended(conversation, x_user_id=None, x_handle="ada", ended_at=ended)
        world.run()
        with reading(world.engine) as connection:
            return connection.scalar(sa.select(x_identity.c.seen_at))

    assert seen_after(0, "c-1") == first
    assert seen_after(14, "c-2") == first
    assert seen_after(1, "c-3") == first + timedelta(minutes=15)
