"""Claiming and recording happen once, whatever happens to the account or to us meanwhile."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from service.accounts import holds
from service.accounts.holds import Hold
from service.at_rest.unreadable import TEXT
from service.db import reading, writing
from service.outreach import claims
from service.outreach.answers import StepResult
from service.outreach.claims import Claimed, Ready, claim, due_accounts, give_back, record, taken_up
from service.outreach.prepare import prepare
from service.outreach.request_facts import FactsReader
from service.outreach.steps import take
from service.requests.outcomes import Postpone, Unclear
from service.states import State
from tests.outreach.test_unclear import died, ready
from tests.support import START, World, request_of

AWAY = sa.exc.OperationalError("SELECT", {}, Exception("the server is gone"))


def claimed(world: World) -> tuple[Ready, StepResult]:
    """A request whose opening X has, while nobody has recorded it."""
    step = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready[0]
    return step, take(step, world.clients["acme"], world.clock)


def hold(world: World) -> None:
    with writing(world.engine) as connection:
        holds.hold(connection, "acme", Hold(None, "held_by_hand"), world.clock.now)


def kinds(world: World, request_id: str) -> list[str]:
    return sorted(each.kind for each in world.attempts(request_id))


def test_an_answer_that_is_recorded_twice_counts_once(world: World) -> None:
    """Nobody knew whether the commit had come through, and it had: the next step is under way by then."""
    request_id = ready(world)
    step, found = claimed(world)
    assert record(world.place, step, found, world.clock.now) is not None
    history = world.history(request_id)
    assert record(world.place, step, found, world.clock.now) is None
    assert (world.history(request_id), kinds(world, request_id)) == (history, ["card", "dm"])


@pytest.mark.parametrize("why", ["we stop", "the account was held meanwhile"])
def test_after_a_stop_the_answer_is_recorded_and_nothing_more_sent(world: World, why: str) -> None:
    request_id = ready(world)
    step, found = claimed(world)
    if why != "we stop":
        hold(world)
    assert record(world.place, step, found, world.clock.now, go_on=why != "we stop") is None
    assert (world.request(request_id).state, kinds(world, request_id)) == (State.DM_SENT, ["dm"])
    assert world.request(request_id).lease_token is None


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """From now on nobody can decide what comes next."""

    def fail(*_: object) -> Any:
        raise error

    monkeypatch.setattr(claims, "prepare", fail)


def test_the_answer_is_recorded_although_the_next_step_has_a_bug(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    request_id = ready(world)
    step, found = claimed(world)
    failing(monkeypatch, ValueError("a bug"))
    assert record(world.place, step, found, world.clock.now) is None
    assert world.request(request_id).state == State.DM_SENT


def test_while_the_database_is_away_nothing_is_recorded_and_nobody_is_set_aside(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_id, other = ready(world), ready(world, conversation_id="c-2", x_user_id="502")
    step, found = claimed(world)
    failing(monkeypatch, AWAY)
    with pytest.raises(sa.exc.OperationalError):
        record(world.place, step, found, world.clock.now)
    with pytest.raises(sa.exc.OperationalError):
        claim(world.place, step.account, 1, world.clock.now)
    rows = [world.request(each) for each in (request_id, other)]
    assert [(each.state, each.attempts) for each in rows] == [(State.DM_ALLOWED, 0)] * 2


def test_a_bug_postpones_its_request_longer_each_time_until_it_ends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, ValueError("a bug"))
    plain, begun = ready(world), ready(world, conversation_id="c-2", x_user_id="502", scheduled_at=world.clock.now)
    died(world, begun, "dm")
    account = world.settings.accounts["acme"]
    with capture_logs():  # a traceback each
        assert claim(world.place, account, 1, world.clock.now) == Claimed(1, [])
        for _ in range(30):
            claim(world.place, account, 1, world.clock.now)
            world.clock.forward(hours=4)
    ends = [(world.request(each).state, world.request(each).reason) for each in (plain, begun)]
    assert ends == [(State.FAILED, "not_in_time"), (State.UNKNOWN, "unclear_send")]


def test_a_bug_outside_of_a_request_postpones_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Any:
        raise ValueError("a bug")

    monkeypatch.setattr(claims.leases, "take_due", fail)
    with pytest.raises(ValueError, match="a bug"):
        claim(world.place, world.settings.accounts["acme"], 1, world.clock.now)


def test_an_ended_request_is_not_decided_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    request_id = ready(world)
    step, found = claimed(world)
    after = record(world.place, step, found, world.clock.now)
    assert after is not None
    found = take(after, world.clients["acme"], world.clock)
    failing(monkeypatch, ValueError("asked what comes next"))
    with capture_logs() as lines:
        assert record(world.place, after, found, world.clock.now) is None
    assert world.request(request_id).state == State.CARD_SENT
    assert [line["event"] for line in lines] == ["request_ended"]


def test_all_that_needs_no_call_is_decided_in_one_claim(world: World) -> None:
    ended_at = world.clock.now - timedelta(minutes=5)
    request_id = world.ended(ended_at=ended_at)
    found = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now)
    assert [each.endpoint for each in found.ready] == ["show_user"]
    assert [event for _, event, _ in world.history(request_id)] == ["postponed", "advanced"]


@pytest.mark.parametrize("waits", [Postpone(START, "waits"), Unclear(START)])
def test_a_postponed_request_is_not_decided_again_in_the_same_claim(
    world: World, monkeypatch: pytest.MonkeyPatch, waits: Any
) -> None:
    request_id, decisions = ready(world), iter([waits])
    monkeypatch.setattr(claims, "prepare", lambda *_: next(decisions))
    assert claim(world.place, world.settings.accounts["acme"], 1, START) == Claimed(1, [])
    assert world.request(request_id).scheduled_at == START


def test_an_unreadable_request_waits_before_a_campaign_is_chosen_too(world: World) -> None:
    damaged = request_of(START, conversation_id=TEXT)
    with reading(world.engine) as connection:
        reader = FactsReader(connection, world.place.hash_key)
        told = prepare(connection, world.place, world.settings.accounts["acme"], damaged, START, reader)
    assert isinstance(told, Postpone)
    assert told.reason == "unreadable"


@pytest.mark.parametrize("meanwhile", ["ended", "taken"])
def test_postponing_leaves_an_ended_or_leased_request_alone(world: World, meanwhile: str) -> None:
    until = world.clock.now + timedelta(seconds=30)
    columns: dict[str, Any] = {"lease_token": "ls_x", "lease_until": until}
    request_id = ready(world, **(columns if meanwhile == "taken" else {"state": State.SKIPPED, "reason": "cancelled"}))
    before = world.request(request_id)
    claims._set_aside(world.place, request_id, "ValueError", world.clock.now)
    assert world.request(request_id) == before
    claims._set_aside(world.place, "fr_nobody", "ValueError", world.clock.now)


def test_a_held_account_is_not_claimed(world: World) -> None:
    until = world.clock.now + timedelta(seconds=30)
    mine = ready(world, lease_token="ls_x", lease_until=until)
    ready(world, conversation_id="c-2")
    account, now = world.settings.accounts["acme"], world.clock.now
    assert due_accounts(world.place, ["acme", "other"], now) == ["acme"]
    assert taken_up(world.place, account, mine, "another's", now) is None
    hold(world)
    assert due_accounts(world.place, ["acme"], now) == []
    assert claim(world.place, account, 5, now) == Claimed(0, [])
    assert taken_up(world.place, account, mine, "ls_x", now) is None
    assert world.attempts(mine) == []


def test_a_request_is_due_from_its_exact_moment(world: World) -> None:
    account, now = world.settings.accounts["acme"], world.clock.now
    ready(world, scheduled_at=now + timedelta(microseconds=1))
    assert claim(world.place, account, 5, now) == Claimed(0, [])
    world.clock.forward(microseconds=1)
    found = claim(world.place, account, 5, world.clock.now)
    assert (found.picked, [each.endpoint for each in found.ready]) == (1, ["send_dm"])
    assert found.ready[0].lease_token == world.request(found.ready[0].request.id).lease_token
    lease = world.settings.worker.lease
    assert world.request(found.ready[0].request.id).lease_until == world.clock.now + lease


def test_a_returned_request_is_due_at_once_and_counts_as_unsent(world: World) -> None:
    request_id = ready(world)
    [step] = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready
    give_back(world.place, step, world.clock.now)
    row, [attempt] = world.request(request_id), world.attempts(request_id)
    assert (row.state, row.lease_token, row.reason) == (State.DM_ALLOWED, None, None)
    assert (attempt.outcome, attempt.evidence) == ("not_sent", "never_begun")
    give_back(world.place, step, world.clock.now)
    assert world.request(request_id) == row, "it is nobody's any more"


def test_a_long_lease_is_not_mistaken_for_a_clock_set_back(world_of: Any) -> None:
    world: World = world_of(worker__lease="6m")
    ready(world)
    account = world.settings.accounts["acme"]
    assert claim(world.place, account, 5, world.clock.now).picked == 1
    assert claim(world.place, account, 5, world.clock.forward(seconds=1)) == Claimed(0, [])
