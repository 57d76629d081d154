"""The runner: whose turn it is, what is too late to begin, and how long an answer is held."""

import threading
from concurrent.futures import Future, wait
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import structlog
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from service.outreach import run
from service.outreach.answers import StepResult
from service.outreach.claims import claim
from service.outreach.run import Runner
from service.outreach.turns import Turns
from service.requests.outcomes import Learnt, Note
from tests.outreach.test_unclear import messages, ready
from tests.support import OTHER, World

NOTED = StepResult(Note("said", Learnt()))


@pytest.fixture
def three(world_of: Any) -> World:
    """Three accounts and nine calls at once."""
    third = {**OTHER, "user_id": "3", "token": "t3", "screen_name": "third"}
    made: World = world_of(
        accounts__other=OTHER, accounts__third=third, worker__concurrency=9, sources__crm__account="acme"
    )
    return made


def runner(world: World, **flying: int) -> Runner:
    made = Runner(world.place, world.clients, world.clock)
    made._flying = {Future[None](): name for name, n in flying.items() for _ in range(n)}
    return made


@pytest.mark.parametrize(
    ("due", "flying", "free", "shares"),
    [
        (["acme", "other", "third"], {}, 9, {"acme": 3, "other": 3, "third": 3}),
        (["acme"], {}, 9, {"acme": 7}),
        (["acme"], {"acme": 5}, 4, {"acme": 2}),
        (["acme"], {"acme": 7}, 2, {}),
        (["acme", "other"], {}, 9, {"acme": 3, "other": 3}),
        (["acme", "other"], {"acme": 3}, 6, {"other": 3}),
        ([], {}, 9, {}),
    ],
)
def test_each_account_gets_a_share_and_some_calls_stay_free(
    three: World, due: list[str], flying: dict[str, int], free: int, shares: dict[str, int]
) -> None:
    assert runner(three, **flying)._shares(due, free) == shares


def test_no_more_calls_are_begun_than_are_free(three: World) -> None:
    """Although it is an account's turn that has none in flight."""
    ready(three, account="other")
    full, free = runner(three, acme=9), runner(three, acme=8)
    assert (full.claim_some(), free.claim_some()) == (0, 1)
    free._pool.shutdown()  # the call ends before its database does


def test_accounts_take_turns_at_being_first(three: World) -> None:
    mine = runner(three)
    firsts = [next(iter(mine._shares(["acme", "other", "third"], 1))) for _ in range(4)]
    assert firsts == ["other", "third", "acme", "other"]


def test_a_single_free_call_is_used(world_of: Any) -> None:
    world = world_of(accounts__other=OTHER, worker__concurrency=1, sources__crm__account="acme")
    assert runner(world)._shares(["acme", "other"], 1) == {"other": 1}


@pytest.mark.parametrize(("late_by", "begun"), [(timedelta(0), True), (timedelta(microseconds=1), False)])
def test_a_call_is_not_begun_any_more_when_half_its_lease_is_over(
    world: World, late_by: timedelta, begun: bool
) -> None:
    request_id = ready(world)
    step = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready[0]
    world.clock.now += world.settings.worker.lease / 2 + late_by
    runner(world)._walk(step)
    assert messages(world, "dm") == begun
    assert world.request(request_id).state == ("card_sent" if begun else "dm_allowed")


def test_every_line_of_a_walk_says_whose_it_is(world: World) -> None:
    """Many are walked at once, and a call that failed says nothing of its request by itself."""
    ready(world)
    step = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready[0]
    with capture_logs(processors=[merge_contextvars]) as lines:
        runner(world)._walk(step)
        structlog.get_logger().info("afterwards")
    called = {(line["event"], line.get("account"), line.get("request_id")) for line in lines}
    whose = ("acme", step.request.id)
    assert called == {("x_called", *whose), ("request_ended", *whose), ("afterwards", None, None)}


def test_what_an_account_was_told_is_written_one_by_one_over_few_connections(world_of: Any) -> None:
    """Each that waited for its row would hold one, and most of these would be opened for that alone."""
    world, out, most = world_of(worker__concurrency=16), set[int](), 0

    def taken(raw: Any, *_: Any) -> None:
        nonlocal most
        out.add(id(raw))
        most = max(most, len(out))

    for n in range(16):
        ready(world, conversation_id=f"c-{n}", x_user_id=str(600 + n))
    sa.event.listen(world.engine, "checkout", taken)
    sa.event.listen(world.engine, "checkin", lambda raw, *_: out.discard(id(raw)))
    mine = runner(world)
    while mine.turn(timedelta(seconds=60)):
        pass
    assert mine.steps.total() >= 12
    assert most <= 3, "who records, who claims, who looks what is due"


def test_an_account_whose_turn_does_not_come_keeps_no_other_waiting() -> None:
    turns = Turns()
    with turns.of("acme"), turns.soon("acme") as again, turns.soon("other") as mine:
        assert (again, mine) == (False, True)
    with turns.soon("acme") as again:
        assert again


def test_a_stopped_runner_begins_no_call(world: World) -> None:
    ready(world)
    step = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready[0]
    ready(world, conversation_id="c-2", x_user_id="502")
    stopping = runner(world)
    stopping.stop(timedelta(0))
    stopping._walk(step)
    assert (messages(world, "dm"), stopping.claim_some()) == (0, 0)
    assert world.attempts(step.request.id)[0].evidence == "never_begun"


def test_a_stopped_runner_waits_for_calls_only_so_long(world: World) -> None:
    begun, answered = threading.Event(), threading.Event()

    def thinks(request: httpx.Request) -> httpx.Response:
        begun.set()
        assert answered.wait(60)
        return httpx.Response(503, request=request)

    ready(world)
    slow = Runner(world.place, {"acme": world.client("acme", httpx.MockTransport(thinks))}, world.clock)
    assert slow.claim_some() == 1
    assert begun.wait(60)
    slow.stop(timedelta(0))
    assert slow.in_flight == 1, "it goes on by itself"
    answered.set()
    wait(slow._flying)


def test_a_call_finishing_during_a_claim_triggers_another_claim(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = runner(world, acme=1)

    def lands() -> int:
        for each in mine._flying:
            each.set_result(None)
        return 0

    monkeypatch.setattr(mine, "claim_some", lands)
    assert mine.turn(timedelta(0))
    assert not mine.turn(timedelta(0))


@pytest.mark.parametrize("error", [None, ValueError("a bug")])
def test_a_failing_walk_is_logged_and_the_worker_continues(world: World, error: Exception | None) -> None:
    mine = runner(world, acme=1)
    for each in mine._flying:
        each.set_result(None) if error is None else each.set_exception(error)
    with capture_logs() as lines:
        assert mine.in_flight == 0
    assert [(line["event"], line["error"]) for line in lines] == ([("walk_failed", "ValueError")] if error else [])


class Time:
    """A clock of the machine on which only sleeping takes time."""

    def __init__(self) -> None:
        self.slept = list[float]()

    def monotonic(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def held_for(world: World, monkeypatch: pytest.MonkeyPatch, state: str, *, stopping: bool = False) -> list[float]:
    """The rests between the tries to record, while the database stays away."""
    ready(world, state=state, can_dm=None if state == "identified" else True)
    step = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready[0]
    time, mine = Time(), runner(world)

    def away(*_: object, **__: object) -> Any:
        raise sa.exc.OperationalError("COMMIT", {}, Exception("the server is gone"))

    monkeypatch.setattr(run, "record", away)
    monkeypatch.setattr(run, "time", time)
    if stopping:
        mine.stop(timedelta(0))
    with pytest.raises(sa.exc.OperationalError):
        mine._record(step, NOTED)
    return time.slept


def test_recording_a_send_is_retried_for_ten_minutes_with_backoff(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = held_for(world, monkeypatch, "dm_allowed")
    assert slept[:6] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert 600 < sum(slept) <= 605


@pytest.mark.parametrize(("lease", "seconds"), [("63s", 67.5), ("62s", 62.5)])
@pytest.mark.parametrize(("state", "stopping"), [("identified", False), ("dm_allowed", True)])
def test_recording_other_answers_is_retried_for_a_lease(
    world_of: Any, monkeypatch: pytest.MonkeyPatch, state: str, stopping: bool, lease: str, seconds: float
) -> None:
    slept = held_for(world_of(worker__lease=lease), monkeypatch, state, stopping=stopping)
    assert sum(slept) == seconds


def test_a_bug_is_not_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ready(world)
    step, time = claim(world.place, world.settings.accounts["acme"], 1, world.clock.now).ready[0], Time()

    def broken(*_: object, **__: object) -> Any:
        raise ValueError("a bug")

    monkeypatch.setattr(run, "record", broken)
    monkeypatch.setattr(run, "time", time)
    with pytest.raises(ValueError, match="a bug"):
        runner(world)._record(step, NOTED)
    assert time.slept == []
