"""The machine and its schedule, as tables: outcomes in, changes out."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.outreach.machine import FORWARD, Advance, Note, Postpone, Retry, Standing, Stop, Unclear, apply
from service.outreach.retry import JITTER, SCHEDULE, RetryPolicy, wait
from service.states import END_STATES, OPEN_STATES, Failure, Skip, State
from tests.support import START

POLICY = RetryPolicy(max_attempts=12, give_up_after=timedelta(days=3))


def standing(state: State = State.DM_ALLOWED, attempts: int = 0) -> Standing:
    return Standing("fr_1", state, attempts, START, START)


@pytest.mark.parametrize("before", OPEN_STATES)
@pytest.mark.parametrize("after", list(State))
def test_only_the_roads_of_the_house_lead_forward(before: State, after: State) -> None:
    if after in FORWARD[before]:
        assert apply(standing(before), Advance(after), START, POLICY).state is after
    else:
        with pytest.raises(ValueError, match="no road"):
            apply(standing(before), Advance(after), START, POLICY)


@pytest.mark.parametrize("before", END_STATES)
def test_no_road_leads_out_of_an_end(before: State) -> None:
    with pytest.raises(ValueError, match="no road"):
        apply(standing(before), Advance(State.CARD_SENT), START, POLICY)


def test_an_advance_forgets_failed_attempts() -> None:
    change = apply(standing(attempts=5), Advance(State.DM_SENT, {"dm_event_id": "1"}), START, POLICY)
    assert (change.attempts, change.scheduled_at, change.facts) == (0, START, {"dm_event_id": "1"})


def test_a_limit_is_not_a_failed_attempt() -> None:
    change = apply(standing(attempts=2), Postpone(START + timedelta(hours=5), "daily_limit"), START, POLICY)
    assert (change.state, change.attempts, change.scheduled_at) == (
        State.DM_ALLOWED, 2, START + timedelta(hours=5),
    )  # fmt: skip


def test_a_postponement_into_the_past_is_due_now() -> None:
    assert apply(standing(), Postpone(START - timedelta(days=1), "delay"), START, POLICY).scheduled_at == START


def test_an_unclear_send_waits_and_keeps_its_state() -> None:
    change = apply(standing(), Unclear(START + timedelta(hours=2), answered=True), START, POLICY)
    assert (change.state, change.event, change.attempts) == (State.DM_ALLOWED, "unclear", 0)


def test_a_note_is_due_at_once() -> None:
    change = apply(standing(State.IDENTIFIED), Note("can_dm_not_said", {"can_dm_asked": 1}), START, POLICY)
    assert (change.state, change.scheduled_at) == (State.IDENTIFIED, START)


@pytest.mark.parametrize("end", END_STATES)
def test_a_stop_ends_with_its_reason(end: State) -> None:
    change = apply(standing(), Stop(end, Skip.STALE), START, POLICY)
    assert (change.ended, change.reason) == (True, Skip.STALE)


def test_a_stop_that_is_no_end_is_a_bug() -> None:
    with pytest.raises(ValueError, match="no end"):
        apply(standing(), Stop(State.RECEIVED, Skip.STALE), START, POLICY)


def test_the_last_attempt_fails_for_good() -> None:
    change = apply(standing(attempts=11), Retry("x_away"), START, POLICY)
    assert (change.state, change.reason) == (State.FAILED, Failure.ATTEMPTS_USED_UP)


def test_a_retry_after_the_deadline_fails_for_good() -> None:
    change = apply(standing(attempts=3), Retry("x_away"), START + timedelta(days=3), POLICY)
    assert (change.state, change.reason) == (State.FAILED, Failure.NOT_IN_TIME)


@given(st.integers(1, 50), st.text(max_size=20))
def test_every_wait_is_its_schedule_give_or_take_a_fifth(failed: int, seed: str) -> None:
    base = SCHEDULE[min(failed, len(SCHEDULE)) - 1]
    assert base * (1 - JITTER) <= wait(failed, seed) <= base * (1 + JITTER)
    assert wait(failed, seed) == wait(failed, seed)


def test_the_schedule_is_the_documented_one() -> None:
    assert [each.total_seconds() for each in SCHEDULE] == [5, 15, 60, 300, 900, 1800, 7200, 21600]
    attempts = (SCHEDULE[min(failed, len(SCHEDULE)) - 1] for failed in range(1, 12))
    assert sum(attempts, timedelta(0)) > timedelta(hours=24), "X's own rule of one card a day may be in the way so long"
