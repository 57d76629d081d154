"""The state machine and its retry schedule as tables: outcomes in, changes out."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.requests.machine import apply
from service.requests.outcomes import (
    Advance,
    Attach,
    HandedOver,
    Learnt,
    Note,
    Outcome,
    Postpone,
    Resume,
    Retry,
    Stop,
    Switch,
    Unclear,
)
from service.requests.request import Request
from service.requests.retry import JITTER, SCHEDULE, RetryPolicy, wait
from service.states import BY_HAND, END_STATES, FORWARD, OPEN_STATES, OPENED_STATES, PROVEN, Failure, Skip, State
from tests.support import START, request_of

POLICY = RetryPolicy(max_attempts=12, give_up_after=timedelta(days=3))
LATER = START + timedelta(days=1)


def standing(state: State = State.DM_ALLOWED, attempts: int = 0, **columns: Any) -> Request:
    ended = {"outcome_at": START} if state in END_STATES else {}
    return request_of(START, **{"state": state, "attempts": attempts, **ended, **columns})


def after(request: Request, outcome: Outcome, now: datetime = START) -> Request:
    return apply(request, outcome, now, POLICY).request


@pytest.mark.parametrize("before", OPEN_STATES)
@pytest.mark.parametrize("to", list(State))
def test_only_declared_transitions_are_possible(before: State, to: State) -> None:
    if to in FORWARD[before]:
        assert after(standing(before), Advance(to)).state is to
    else:
        with pytest.raises(ValueError, match="no transition"):
            apply(standing(before), Advance(to), START, POLICY)


@pytest.mark.parametrize("before", END_STATES)
def test_no_transition_leaves_an_end(before: State) -> None:
    with pytest.raises(ValueError, match="no transition"):
        apply(standing(before), Advance(State.CARD_SENT), START, POLICY)


def test_an_advance_forgets_failed_attempts() -> None:
    told = after(standing(attempts=5), Advance(State.DM_SENT, Learnt(dm_event_id="1")))
    assert (told.attempts, told.scheduled_at, told.dm_event_id, told.outcome_at) == (0, START, "1", None)


def test_facts_not_learnt_stay_unchanged() -> None:
    known = standing(State.IDENTIFIED, can_dm=True, can_dm_asked=1)
    told = after(known, Advance(State.DM_ALLOWED))
    assert (told.can_dm, told.can_dm_asked, told.x_user_id) == (True, 1, "501")


@pytest.mark.parametrize("name", ["x_handle", "agent_id", "team_id", "language", "channel"])
def test_a_look_up_only_fills_what_the_event_did_not_say(name: str) -> None:
    for was, learnt, then in (("said", "found", "said"), (None, "found", "found"), ("said", None, "said")):
        known = standing(State.RECEIVED, **{name: was})
        assert getattr(after(known, Note("x", Learnt(**{name: learnt}))), name) == then


@pytest.mark.parametrize(
    "name",
    ["x_user_id", "identity_trust", "dm_event_id", "dm_sent_at", "feedback_id", "card_dm_id", "card_sent_at"],
)
def test_facts_from_x_are_kept(name: str) -> None:
    for was, learnt, then in (("said", "found", "found"), ("said", None, "said"), (None, "found", "found")):
        known = standing(State.RECEIVED, **{name: was})
        assert getattr(after(known, Note("x", Learnt(**{name: learnt}))), name) == then


def test_tags_of_a_look_up_stand_beside_the_events() -> None:
    for was, then in ((["vip"], ["vip", "new"]), ([], ["new"]), (["new"], ["new"])):
        told = after(standing(State.RECEIVED, tags=was), Note("x", Learnt(tags=["new"])))
        assert told.tags == then


@pytest.mark.parametrize("before", list(State))
def test_only_unsent_requests_are_handed_over(before: State) -> None:
    if before in END_STATES or before in OPENED_STATES:
        with pytest.raises(ValueError, match="nothing to hand over"):
            apply(standing(before), HandedOver("handed_over"), START, POLICY)
        return
    told = after(standing(before, attempts=4, opening_text="Hi"), HandedOver("handed_over"), LATER)
    assert (told.state, told.way, told.opening_text, told.attempts) == (State.CARD_SENT, "handed_over", None, 0)
    assert (told.card_sent_at, told.outcome_at) == (LATER, LATER)


def test_the_next_way_is_taken_with_its_text_and_the_last_one_cannot_be_left() -> None:
    ways = [{"way": "page", "text": "a"}, {"way": "quick_reply", "text": "b"}]
    told = after(standing(attempts=3, alternatives=ways), Switch("no_privilege"))
    assert (told.way, told.card_text, [each.way for each in told.alternatives]) == ("page", "a", ["quick_reply"])
    assert (told.attempts, told.reason) == (0, "no_privilege")
    with pytest.raises(ValueError, match="no other way"):
        apply(standing(), Switch("no_privilege"), START, POLICY)


def test_a_refusal_to_receive_is_kept_too() -> None:
    told = after(standing(), Stop(State.SKIPPED, Skip.CANNOT_DM, learnt=Learnt(can_dm=False)))
    assert told.can_dm is False


def test_a_limit_is_not_a_failed_attempt() -> None:
    told = after(standing(attempts=2), Postpone(START + timedelta(hours=5), "daily_limit"))
    assert (told.state, told.attempts, told.scheduled_at) == (State.DM_ALLOWED, 2, START + timedelta(hours=5))


def test_a_postponement_into_the_past_is_due_now() -> None:
    told = after(standing(), Postpone(START - timedelta(days=1), "delay"))
    assert told.scheduled_at == START


def test_an_unclear_send_waits_and_keeps_its_state() -> None:
    change = apply(standing(), Unclear(START + timedelta(hours=2), answered=True), START, POLICY)
    assert (change.request.state, change.event, change.request.attempts) == (State.DM_ALLOWED, "unclear", 0)


def test_a_note_is_due_at_once() -> None:
    told = after(standing(State.IDENTIFIED), Note("can_dm_not_said", Learnt(can_dm_asked=1)))
    assert (told.state, told.scheduled_at, told.can_dm_asked) == (State.IDENTIFIED, START, 1)


def test_every_outcome_returns_the_lease() -> None:
    leased = standing(lease_token="ls_1", lease_until=LATER)
    for outcome in (Advance(State.DM_SENT), Retry("x_away"), Postpone(LATER, "delay"), Stop(State.SKIPPED, "stale")):
        told = after(leased, outcome)
        assert (told.lease_token, told.lease_until) == (None, None)


@pytest.mark.parametrize("end", END_STATES)
def test_a_stop_ends_with_its_reason(end: State) -> None:
    told = after(standing(), Stop(end, Skip.STALE))
    assert (told.is_open, told.reason, told.outcome_at) == (False, Skip.STALE, START)


def test_a_stop_that_is_no_end_is_a_bug() -> None:
    with pytest.raises(ValueError, match="no end"):
        apply(standing(), Stop(State.RECEIVED, Skip.STALE), START, POLICY)


def test_the_last_attempt_fails_for_good() -> None:
    told = after(standing(attempts=11), Retry("x_away"))
    assert (told.state, told.reason) == (State.FAILED, Failure.ATTEMPTS_USED_UP)


def test_a_retry_after_the_deadline_fails_for_good() -> None:
    told = after(standing(attempts=3), Retry("x_away"), START + timedelta(days=3))
    assert (told.state, told.reason) == (State.FAILED, Failure.NOT_IN_TIME)


def test_a_deadline_that_a_person_has_lifted_is_later() -> None:
    lifted = standing(attempts=3, stale_at=START + timedelta(days=4))
    told = after(lifted, Retry("x_away"), START + timedelta(days=3))
    assert (told.state, told.reason) == (State.DM_ALLOWED, "x_away")


@pytest.mark.parametrize("before", list(State))
@pytest.mark.parametrize("to", list(State))
def test_people_can_retry_only_what_may_be_retried(before: State, to: State) -> None:
    back = Resume(to, "retried", LATER)
    if to in BY_HAND[before]:
        told = after(standing(before, reason="x", attempts=4), back)
        assert (told.state, told.reason, told.attempts, told.outcome_at) == (to, None, 0, None)
    else:
        with pytest.raises(ValueError, match="no transition"):
            apply(standing(before), back, START, POLICY)


def test_a_retried_request_is_not_stale_at_once() -> None:
    for was, then in ((START, LATER), (None, LATER), (START + timedelta(days=9), START + timedelta(days=9))):
        skipped = standing(State.SKIPPED, stale_at=was)
        assert after(skipped, Resume(State.RECEIVED, "retried", LATER)).stale_at == then


def test_a_retry_from_the_beginning_asks_for_permission_again() -> None:
    skipped = standing(State.SKIPPED, can_dm=False, can_dm_asked=2, campaign="care", card_text=None)
    told = after(skipped, Resume(State.RECEIVED, "identity_completed", LATER, "777"))
    assert (told.x_user_id, told.identity_trust) == ("777", "by_hand")
    assert (told.can_dm, told.can_dm_asked, told.campaign) == (None, 0, None)


@pytest.mark.parametrize("before", list(State))
def test_a_card_that_appears_is_attached_to_what_may_have_sent_it(before: State) -> None:
    if not PROVEN[before]:
        with pytest.raises(ValueError, match="no transition"):
            apply(standing(before), Attach("778"), LATER, POLICY)
        return
    told = after(standing(before, reason="unclear_send"), Attach("778"), LATER)
    assert (told.state, told.reason, told.feedback_id) == (State.CARD_SENT, None, "778")
    assert (told.card_sent_at, told.outcome_at) == (START, START)


def test_an_answer_proves_a_send_and_takes_no_feedback_id_away() -> None:
    unknown = standing(State.UNKNOWN, feedback_id="777", card_sent_at=START)
    for attached, told, feedback_id in ((None, "answer_came", "777"), ("778", "feedback_appeared", "778")):
        change = apply(unknown, Attach(attached), LATER, POLICY)
        assert (change.reason, change.request.feedback_id, change.request.card_sent_at) == (told, feedback_id, START)


def test_waits_are_moved_either_way() -> None:
    assert {wait(1, str(n)) > SCHEDULE[0] for n in range(20)} == {True, False}


@given(st.integers(1, 50), st.text(max_size=20))
def test_every_wait_is_the_schedule_varied_by_a_fifth(failed: int, seed: str) -> None:
    base = SCHEDULE[min(failed, len(SCHEDULE)) - 1]
    assert base * (1 - JITTER) <= wait(failed, seed) <= base * (1 + JITTER)
    assert wait(failed, seed) == wait(failed, seed)


def test_the_schedule_is_the_documented_one() -> None:
    assert [each.total_seconds() for each in SCHEDULE] == [5, 15, 60, 300, 900, 1800, 7200, 21600]
    attempts = (SCHEDULE[min(failed, len(SCHEDULE)) - 1] for failed in range(1, 12))
    assert sum(attempts, timedelta(0)) > timedelta(hours=24), "X's own rule of one card a day may be in the way so long"


TICK = timedelta(microseconds=1)


@pytest.mark.parametrize("outcome", [Advance(State.DM_SENT), Note("noted", Learnt()), Switch("no_privilege")])
def test_a_begun_request_keeps_its_place(outcome: Any) -> None:
    """And nobody waits for a moment that is over for everybody else: a later one becomes now."""
    ways = [{"way": "page", "text": "a"}]
    for was, then in ((START - timedelta(hours=1), START - timedelta(hours=1)), (LATER, START)):
        told = after(standing(scheduled_at=was, alternatives=ways), outcome)
        assert told.scheduled_at == then


@pytest.mark.parametrize(("late", "state"), [(timedelta(0), State.DM_ALLOWED), (TICK, State.FAILED)])
def test_a_retry_exactly_at_the_deadline_is_made(late: timedelta, state: State) -> None:
    asked = standing(attempts=3)
    due = START + wait(4, asked.id)
    told = apply(replace(asked, ended_at=due - POLICY.give_up_after - late), Retry("x_away"), START, POLICY)
    assert told.request.state is state


def test_the_last_but_one_attempt_waits_and_says_why() -> None:
    change = apply(standing(attempts=10), Retry("x_away", "Over capacity."), START, POLICY)
    assert (change.request.state, change.request.attempts, change.event) == (State.DM_ALLOWED, 11, "retried")
    assert (change.request.reason, change.request.detail) == ("x_away", "Over capacity.")
    assert change.request.scheduled_at == START + wait(11, change.request.id)


def test_an_unclear_send_is_looked_at_again_when_it_says() -> None:
    told = after(standing(), Unclear(LATER, answered=True, detail="131"))
    assert (told.reason, told.detail, told.scheduled_at) == ("unclear", "131", LATER)


@pytest.mark.parametrize("to", [State.DM_ALLOWED, State.RECEIVED])
def test_a_retry_in_the_middle_keeps_permission_and_texts(to: State) -> None:
    before = next(each for each in BY_HAND if to in BY_HAND[each])
    row = {"can_dm": True, "can_dm_asked": 1, "campaign": "care", "card_text": "How?"}
    told = after(standing(before, **row), Resume(to, "retried", LATER))
    assert (told.identity_trust, told.campaign, told.scheduled_at) == ("bridge", "care", START)
    assert (told.can_dm, told.can_dm_asked) == ((None, 0) if to is State.RECEIVED else (True, 1))


def test_the_time_of_a_request_is_over_after_its_policy_or_when_a_person_says_so_later() -> None:
    three = timedelta(days=3)
    assert POLICY.over_at(standing(stale_at=None)) == START + three
    assert POLICY.over_at(standing(stale_at=START + timedelta(days=1))) == START + three
    assert POLICY.over_at(standing(stale_at=START + timedelta(days=4))) == START + timedelta(days=4)


@pytest.mark.parametrize("state", OPENED_STATES)
def test_a_card_has_its_time_from_the_opening_on(state: State) -> None:
    opened = standing(state, dm_sent_at=START + timedelta(days=3), stale_at=None)
    told = after(opened, Retry("x_away"), START + timedelta(days=3, minutes=1))
    assert (told.state, told.reason) == (state, "x_away")
    late = after(opened, Retry("x_away"), START + timedelta(days=6))
    assert (late.state, late.reason) == (State.FAILED, Failure.NOT_IN_TIME)
