"""Exactly when each rule begins and ends to hold, to the microsecond; without X or a database."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest

from service.accounts.dm_list import Listing
from service.outreach import prepare, unclear
from service.outreach.claims import Ready
from service.outreach.gates import CONFIRMING, DAILY_LIMIT, RequestFacts, closed
from service.outreach.steps import _call
from service.requests.outcomes import Advance, Learnt, Postpone, Stop, Unclear
from service.requests.request import Attempt
from service.requests.retry import RetryPolicy
from service.states import UNCLEAR, Kind, State
from service.ways.links import Links
from tests.support import START, request_of, settings_of

TICK, SECOND, MINUTE, HOUR, DAY = (
    timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1),
)  # fmt: skip
ACME = replace(
    settings_of().accounts["acme"], unknown_after=2 * HOUR, list_lag=3 * MINUTE, signature_tolerance=5 * MINUTE
)
NOTHING = RequestFacts(
    reopened=False, opted_out=False, asked_since=None, unclear_since=None, feedback_id=None, answered=False
)
NO_DATABASE: Any = None
LINKS = Links("https://survey.example", "a key")


def request(**columns: Any) -> Any:
    return request_of(START, **{"state": State.DM_ALLOWED, "opening_text": "Hi.", "card_text": "How?", **columns})


# --- whether an unclear send may still be waited for


@pytest.mark.parametrize(
    ("since", "reason", "due", "ends"),
    [
        (START - 2 * HOUR, UNCLEAR, START, True),
        (START - 2 * HOUR + TICK, UNCLEAR, START, False),
        (START - 5 * HOUR, UNCLEAR, START - 15 * MINUTE + TICK, True),
        (START - 5 * HOUR, UNCLEAR, START - 15 * MINUTE, False),
        (START - 5 * HOUR, None, START, False),
    ],
)
def test_an_unclear_send_ends_unknown_after_its_deadline_if_it_was_looked_for(
    since: datetime, reason: str | None, due: datetime, ends: bool
) -> None:
    """An eighth of the time late: nobody was at work, and so nobody looked."""
    facts = replace(NOTHING, unclear_since=since)
    told = prepare._unclear(facts, request(reason=reason, scheduled_at=due, detail="131"), ACME, START)
    if ends:
        assert told == Stop(State.UNKNOWN, "unclear_send", told.detail)  # type: ignore[union-attr]
    else:
        until = max(since + 2 * HOUR, START + 30 * MINUTE)
        assert told == Unclear(until, "131")
    assert prepare._unclear(NOTHING, request(), ACME, START) is None


@pytest.mark.parametrize("sent_at", [None, START - DAY])
def test_a_card_x_reported_dates_from_its_send_or_from_now(sent_at: datetime | None) -> None:
    facts = replace(NOTHING, feedback_id="9")
    opened = request(state=State.DM_SENT, card_sent_at=sent_at)
    known = Learnt(feedback_id="9", card_sent_at=sent_at or START)
    assert prepare._told(facts, opened, START) == Advance(State.CARD_SENT, known)
    assert prepare._told(NOTHING, opened, START) is None
    assert prepare._told(facts, request(state=State.IDENTIFIED), START) is None


@pytest.mark.parametrize(
    ("state", "opened", "stale", "late"),
    [
        (State.DM_SENT, START - 3 * DAY, None, False),
        (State.DM_SENT, START - 3 * DAY - TICK, None, True),
        (State.DM_SENT, START - 9 * DAY, START, False),
        (State.DM_SENT, START - 9 * DAY, START - TICK, True),
        (State.DM_SENT, None, None, True),
        (State.DM_ALLOWED, START - 9 * DAY, None, False),
    ],
)
def test_a_card_is_too_late_three_days_after_its_opening_or_when_a_person_s_time_is_over(
    state: State, opened: datetime | None, stale: datetime | None, late: bool
) -> None:
    """Without a date of the opening the end of the conversation counts: here four days ago."""
    policy = RetryPolicy(max_attempts=3, give_up_after=3 * DAY)
    asked = request(state=state, dm_sent_at=opened, ended_at=START - 4 * DAY, stale_at=stale, detail="x")
    assert prepare._too_late(asked, policy, START) == (Stop(State.FAILED, "not_in_time", "x") if late else None)


def test_after_the_opening_only_an_opt_out_or_another_question_stops_the_card() -> None:
    opened = request(state=State.DM_SENT, stale_at=START - DAY)
    facts: list[dict[str, Any]] = [{"reopened": True}, {"opted_out": True}, {"asked_since": START}]
    reasons = [prepare._closed(replace(NOTHING, **each), opened, START) for each in facts]
    assert [each and each.reason for each in reasons] == [None, "opted_out", "cooldown"]
    told = prepare._closed(replace(NOTHING, reopened=True), request(), START)
    assert told is not None
    assert told.reason == "reopened"


@pytest.mark.parametrize(
    ("reason", "told"),
    [(DAILY_LIMIT, "quota"), (CONFIRMING, "not_confirmed"), ("delay", "stale"), (None, "stale")],
)
def test_a_request_is_stale_at_its_exact_moment(reason: str | None, told: str) -> None:
    at = closed(reason, START, NOTHING, START)
    assert at is not None
    assert at.reason == told
    assert closed(reason, START, NOTHING, START - TICK) is None


def test_an_unreadable_request_is_retried_soon_but_not_at_once() -> None:
    damaged = replace(request(), alternatives=())
    assert prepare._unreadable(damaged, START) is None
    told = prepare._unreadable(replace(damaged, card_text=unreadable()), START)
    assert isinstance(told, Postpone)
    assert told.until == START + 10 * MINUTE


def unreadable() -> Any:
    from service.at_rest.unreadable import TEXT

    return TEXT


# --- what comes next


@pytest.mark.parametrize(
    ("opened", "waits"), [(START - 15 * MINUTE, False), (START - 15 * MINUTE - TICK, True), (None, True)]
)
def test_a_card_follows_its_opening_into_quiet_hours_for_a_quarter_of_an_hour(
    monkeypatch: pytest.MonkeyPatch, opened: datetime | None, waits: bool
) -> None:
    quiet = replace(ACME, quiet_hours=(time(11), time(13)))
    monkeypatch.setattr(prepare, "_send", lambda *_: "sent")
    told = prepare._follow(NO_DATABASE, request(state=State.DM_SENT, dm_sent_at=opened), quiet, START)
    assert told == (Postpone(START + HOUR, "quiet_hours") if waits else "sent")
    assert prepare._begin(NO_DATABASE, request(), quiet, START) == Postpone(START + HOUR, "quiet_hours")
    assert prepare._begin(NO_DATABASE, request(), ACME, START) == "sent"


@pytest.mark.parametrize(
    ("can_dm", "asked", "next_"),
    [
        (False, 0, Stop(State.SKIPPED, "cannot_dm")),
        (True, 0, Advance(State.DM_ALLOWED)),
        (None, 0, "show_user"),
        (None, 1, "show_friendship"),
        (None, 2, Advance(State.DM_ALLOWED)),
    ],
)
def test_can_dm_is_asked_twice_and_missing_is_not_false(
    monkeypatch: pytest.MonkeyPatch, can_dm: bool | None, asked: int, next_: Any
) -> None:
    monkeypatch.setattr(prepare, "_if_allowed", lambda _connection, _account, endpoint, _now: endpoint)
    identified = request(state=State.IDENTIFIED, can_dm=can_dm, can_dm_asked=asked)
    assert prepare._ask(NO_DATABASE, identified, ACME, START) == next_


def test_over_v2_the_one_answer_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "_if_allowed", lambda _connection, _account, endpoint, _now: endpoint)
    told = [
        prepare._ask(NO_DATABASE, request(state=State.IDENTIFIED, can_dm_asked=asked), replace(ACME, api="v2"), START)
        for asked in (0, 1)
    ]
    assert told == ["show_user", Advance(State.DM_ALLOWED)]


@pytest.mark.parametrize(
    ("cooldown", "named", "trust", "since"),
    [
        ("3d", "care", "bridge", START - 3 * DAY),
        ("1h", "care", "bridge", START - DAY - 5 * MINUTE),
        ("3d", "gone", "bridge", START - 7 * DAY),
        ("3d", "care", prepare.TRIED, START),
    ],
)
def test_nobody_is_asked_twice_within_the_cooldown_or_x_s_day(
    cooldown: str, named: str, trust: str, since: datetime
) -> None:
    """Of a campaign that is gone a week counts; X counts from the arrival, as late as a signature lives."""
    settings = settings_of(campaigns__care__cooldown=cooldown)
    asked = request(campaign=named, way="card", identity_trust=trust)
    assert prepare.asked_after(settings, ACME, asked, START) == since


# --- when X's list is looked at, and what it proves


def unclear_send(**columns: Any) -> unclear.UnclearSend:
    """A DM that X answered unclearly at noon: absence is proof five minutes after."""
    attempt = Attempt("sa_1", "fr_1", "acme", "501", Kind.OPENING, START - MINUTE, START)
    return unclear._opened(request(), replace(attempt, **columns), ACME, LINKS, START)


def test_absence_is_proof_after_the_list_s_lag_and_what_clocks_may_differ() -> None:
    assert unclear_send().since == START
    assert unclear_send().settles_at == START + 5 * MINUTE


def test_where_x_never_answered_the_signature_s_life_is_waited_out_too() -> None:
    died = unclear_send(answered_at=None)
    assert (died.since, died.settles_at) == (START - MINUTE, START - MINUTE + 10 * MINUTE)


def test_a_short_lag_is_doubled_and_no_more() -> None:
    attempt = Attempt("sa_1", "fr_1", "acme", "501", Kind.OPENING, START, START)
    quick = unclear._opened(request(), attempt, replace(ACME, list_lag=SECOND), LINKS, START)
    assert quick.settles_at == START + 2 * SECOND


def test_x_may_date_a_message_as_much_earlier_as_a_signature_lives() -> None:
    assert unclear_send().wanted.not_before == START - 6 * MINUTE
    attempt = Attempt("sa_1", "fr_1", "acme", "501", Kind.OPENING, START, START)
    strict = unclear._opened(request(), attempt, replace(ACME, signature_tolerance=SECOND), LINKS, START)
    assert strict.wanted.not_before == START - 2 * MINUTE, "clocks may differ by so much in any case"


@pytest.mark.parametrize(
    ("reason", "due", "now", "gives_up"),
    [
        (UNCLEAR, START, START, START + 119 * MINUTE),
        (UNCLEAR, START + 3 * HOUR, START, START + 3 * HOUR),
        (UNCLEAR, START, START + 134 * MINUTE - TICK, START + 119 * MINUTE),
        (UNCLEAR, START, START + 134 * MINUTE, None),  # no worker was there before
        (None, START + 3 * HOUR, START, None),
    ],
)
def test_giving_up_requires_time_to_have_looked(
    reason: str | None, due: datetime, now: datetime, gives_up: datetime | None
) -> None:
    attempt = Attempt("sa_1", "fr_1", "acme", "501", Kind.OPENING, START - MINUTE, START)
    each = unclear._opened(request(reason=reason, scheduled_at=due), attempt, ACME, LINKS, now)
    assert each.gives_up_at == gives_up


@pytest.mark.parametrize(
    ("now", "looked", "due"),
    [
        (50 * SECOND - TICK, None, False),
        (50 * SECOND, None, True),
        (60 * SECOND, 49 * SECOND, True),
        (60 * SECOND, 50 * SECOND, False),
        (149 * SECOND, 55 * SECOND, False),
        (150 * SECOND, 55 * SECOND, True),
        (299 * SECOND, 150 * SECOND, False),
        (300 * SECOND, 299 * SECOND, True),
        (300 * SECOND, 300 * SECOND, False),
        (60 * SECOND, 61 * SECOND, True),
        (40 * SECOND, 90 * SECOND, False),
    ],
)
def test_the_list_is_looked_at_at_a_sixth_a_half_and_the_end_of_the_wait(
    now: timedelta, looked: timedelta | None, due: bool
) -> None:
    """A look that is still to come was made by a clock that has been put right since: it counts for nothing."""
    looked_at = None if looked is None else START + looked
    assert unclear.is_due(unclear_send(), looked_at, START + now) is due


def test_a_list_proves_absence_only_of_what_is_younger_than_its_oldest_message() -> None:
    listing = Listing((), START, readable=True, read_at=START + HOUR)
    assert [listing.proves_absence_since(START + each) for each in (-TICK, timedelta(0), TICK)] == [False, False, True]
    assert not replace(listing, readable=False).proves_absence_since(START + HOUR)


# --- what a call that failed was


@pytest.mark.parametrize(
    ("attempt_id", "state", "alternatives", "other_way"),
    [
        ("sa_1", State.DM_SENT, [{"way": "page", "text": "a"}], True),
        (None, State.DM_SENT, [{"way": "page", "text": "a"}], False),
        ("sa_1", State.DM_ALLOWED, [{"way": "page", "text": "a"}], False),
        ("sa_1", State.DM_SENT, [], False),
    ],
)
def test_only_the_asking_message_has_another_way(
    attempt_id: str | None, state: State, alternatives: list[Any], other_way: bool
) -> None:
    asked = request(state=state, alternatives=alternatives, can_dm=True)
    call = _call(Ready(asked, ACME, "send_dm", "ls_1", START, attempt_id, LINKS, ()))
    assert (call.other_way, call.sends, call.allowed) == (other_way, attempt_id is not None, True)
    assert [_call(replace(Ready(asked, ACME, "send_dm", "ls_1", START, attempt_id, LINKS, ()), request=each)).allowed
            for each in (request(can_dm=None), request(can_dm=False))] == [False, False]  # fmt: skip
