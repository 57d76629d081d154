"""X's errors as outcomes of a request; needs no X and no database."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from service.accounts.holds import Away, Hold, Pause, UnexplainedRefusal
from service.accounts.refused_ways import Bar
from service.outreach.answers import XCall, result_of
from service.requests.outcomes import Postpone, Retry, Stop, Switch, Unclear
from service.states import State
from service.x_api import AccountProblem, MessageRefused, OutcomeUnknown, RateLimited, RecipientRefused, XError
from service.x_api.codes import CODES
from service.x_api.errors import Meaning
from service.x_api.refusal import error_from
from tests.support import START, settings_of

ACME = replace(settings_of().accounts["acme"], window=timedelta(minutes=15), unknown_after=timedelta(hours=1))
SEND = XCall(State.DM_ALLOWED, "send_dm", sends=True, intended_at=START, way="card", other_way=False, allowed=False)


@pytest.mark.parametrize(
    ("status", "answered"),
    [(None, False), (408, False), (499, False), (502, False), (504, False), (524, False), (500, True), (503, True)],
)
def test_only_an_answer_of_x_settles_a_call(status: int | None, answered: bool) -> None:
    """A gateway that gave up has not heard whether X still works on it: the signature's life is waited out too."""
    error = OutcomeUnknown("No readable answer.", reason="unreadable", http_status=status)
    found = result_of(error, SEND, ACME, START + timedelta(seconds=3))
    assert isinstance(found.outcome, Unclear)
    assert found.outcome.answered is answered
    assert (found.effect is not None) is (status is None)


@pytest.mark.parametrize(
    ("ahead", "settled"), [(timedelta(minutes=-9), True), (timedelta(minutes=2), True), (timedelta(seconds=121), False)]
)
def test_an_answer_that_x_dates_after_our_clock_settles_no_call(ahead: timedelta, settled: bool) -> None:
    """Our clock is behind: another machine would take the message for absent before X can list it."""
    outcome = found(OutcomeUnknown("131.", reason="unreadable", http_status=500, dated=START + ahead)).outcome
    assert outcome.answered is settled


def found(error: XError, **call: Any) -> Any:
    return result_of(error, replace(SEND, **call), ACME, START)


def test_a_send_with_unknown_outcome_is_looked_up_until_its_deadline() -> None:
    told = found(OutcomeUnknown("No answer.", reason="read_error", code=131), intended_at=START - timedelta(minutes=5))
    assert told.outcome == Unclear(START + timedelta(minutes=55), answered=False, detail="No answer. (X code 131)")


@pytest.mark.parametrize(
    ("status", "body", "effect"),
    [
        (301, b"", Hold(None, "moved")),
        (308, b"", Hold(None, "moved_as_it_is")),
        (302, b"", None),
        (200, b'{"errors": [{"code": 251}]}', Hold(251, "endpoint_retired")),
        (500, b'{"errors": [{"code": 34}]}', Hold(34, "no_such_page")),
        (200, b'{"errors": [{"code": 88}]}', Pause(START + timedelta(minutes=1))),
        (503, b'{"errors": [{"code": 344}]}', Pause(START + timedelta(minutes=1))),
        (200, b'{"errors": [{"code": 50}]}', None),
    ],
)
def test_what_would_meet_every_other_send_stops_them_whatever_became_of_this_one(
    status: int, body: bytes, effect: Any
) -> None:
    told = found(error_from(status, {}, body, sends=True, now=START))
    assert isinstance(told.outcome, Unclear)
    assert told.effect == effect


def test_a_send_without_any_answer_says_that_x_is_away() -> None:
    assert found(OutcomeUnknown("No answer.", reason="read_error")).effect == Away()


@pytest.mark.parametrize(("other_way", "few_may"), [(True, True), (True, False), (False, True)])
def test_a_send_of_unclear_outcome_stops_the_account_that_x_names_beside_it(other_way: bool, few_may: bool) -> None:
    row = Meaning(AccountProblem, "no_privilege", "Not you.", few_may=few_may)
    error = OutcomeUnknown("No clear answer.", reason="outcome_unknown", code=200, http_status=500, row=row)
    told = found(error, other_way=other_way)
    assert isinstance(told.outcome, Unclear)
    assert told.effect == (Bar("card", 200) if other_way and few_may else Hold(200, "no_privilege"))


SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("reset_at", "until"),
    [
        (None, START + MINUTE),
        (START + 7 * MINUTE, START + 7 * MINUTE),
        (START - HOUR, START + SECOND),
        (START + 30 * HOUR, START + 24 * HOUR),
    ],
)
def test_a_limit_is_waited_out_for_a_second_at_least_and_a_day_at_most(reset_at: datetime | None, until: Any) -> None:
    told = found(RateLimited("Too soon.", reason="rate_limited", reset_at=reset_at))
    assert (told.outcome, told.effect) == (Postpone(until, "rate_limited", "Too soon."), Pause(until))


@pytest.mark.parametrize(
    ("endpoint", "sends", "reset_at", "counts", "pauses"),
    [
        ("create_feedback", True, None, True, None),
        ("create_feedback", True, START + HOUR / 6, False, None),
        ("create_feedback", True, START + HOUR * 0.27, False, None),  # a window that has just begun, by X's clock
        ("create_feedback", True, START + 17 * MINUTE, False, None),
        ("create_feedback", True, START + 17 * MINUTE + SECOND, True, None),
        ("create_feedback", True, START + HOUR, True, None),
        ("send_dm", True, None, False, None),
        ("show_user", False, None, False, "show_user"),
    ],
)
def test_a_card_refused_without_a_time_may_be_the_customer_s_own_limit_and_counts(
    endpoint: str, sends: bool, reset_at: datetime | None, counts: bool, pauses: str | None
) -> None:
    told = found(RateLimited("Too soon.", reason="rate_limited", reset_at=reset_at), endpoint=endpoint, sends=sends)
    assert isinstance(told.outcome, Retry) is counts
    assert told.effect.endpoint == pauses
    assert told.effect.first == (START + MINUTE if counts and reset_at is not None else None), "a moment, at first"


def test_a_rest_of_ours_is_no_reset_of_x() -> None:
    """X writes its rule of one card per customer and day with the codes of the account's day, too."""
    row = CODES[185]
    told = found(RateLimited(row.sentence, reason=row.reason, row=row), endpoint="create_feedback")
    assert isinstance(told.outcome, Retry)
    assert told.effect == Pause(START + 15 * MINUTE, first=START + MINUTE)


@pytest.mark.parametrize(
    ("kind", "allowed", "sends", "had_before", "suspicious"),
    [
        (MessageRefused, False, True, False, True),
        (MessageRefused, True, True, False, True),
        (MessageRefused, False, True, True, True),
        (MessageRefused, False, False, False, True),
        (RecipientRefused, True, True, False, True),
        (RecipientRefused, False, True, False, False),
        (RecipientRefused, True, False, False, False),
    ],
)
def test_a_refusal_that_may_be_about_us_is_counted(
    kind: type[XError], allowed: bool, sends: bool, had_before: bool, suspicious: bool
) -> None:
    row = Meaning(kind, "refused", "Refused.", had_before=had_before)
    told = found(kind("Refused.", reason="refused", code=9, row=row), allowed=allowed, sends=sends)
    assert told.effect == (UnexplainedRefusal("send_dm", 9, "refused") if suspicious else None)
    assert told.had_before is had_before


@pytest.mark.parametrize(("other_way", "few_may"), [(True, True), (True, False), (False, True)])
def test_an_action_few_apps_may_use_is_replaced_by_another_way(other_way: bool, few_may: bool) -> None:
    row = Meaning(AccountProblem, "no_privilege", "Not you.", few_may=few_may)
    told = found(AccountProblem("Not you.", reason="no_privilege", code=200, row=row), other_way=other_way)
    if other_way and few_may:
        assert (told.outcome, told.effect) == (Switch("no_privilege", "Not you. (X code 200)"), Bar("card", 200))
    else:
        assert (told.outcome.until, told.effect) == (START, Hold(200, "no_privilege"))


@pytest.mark.parametrize(
    ("state", "kind", "ends_as", "end", "reason"),
    [
        (State.DM_ALLOWED, RecipientRefused, "cannot_dm", State.SKIPPED, "cannot_dm"),
        (State.DM_ALLOWED, RecipientRefused, "unreachable", State.SKIPPED, "unreachable"),
        (State.RECEIVED, RecipientRefused, "unreachable", State.SKIPPED, "no_x_identity"),
        (State.RECEIVED, RecipientRefused, "cannot_dm", State.SKIPPED, "cannot_dm"),
        (State.DM_ALLOWED, MessageRefused, "unreachable", State.FAILED, "message_refused"),
        (State.DM_SENT, MessageRefused, "unreachable", State.FAILED, "refused"),
        (State.DM_SENT, RecipientRefused, "unreachable", State.FAILED, "refused"),
    ],
)
def test_a_refusal_ends_a_request_with_its_own_reason(
    state: State, kind: type[XError], ends_as: Any, end: State, reason: str
) -> None:
    row = Meaning(kind, "no", "No.", ends_as=ends_as)
    told = found(kind("No.", reason="no", row=row), state=state)
    assert told.outcome == Stop(end, reason, "No.")
