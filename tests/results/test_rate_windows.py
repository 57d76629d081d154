"""An endpoint's rate window is shared by all workers; no clock opens it early or closes it for good."""

import threading
from datetime import timedelta

import pytest

from service.accounts import windows
from service.db import writing
from tests.results.cards import HOUR, NOW

WINDOW = timedelta(minutes=15)


def take(engine, now=NOW, limit=3, endpoint="show_feedback", account="shop"):
    with writing(engine) as connection:
        return windows.take(connection, account, endpoint, limit, WINDOW, now)


def spend(engine, reset_at, now=NOW):
    with writing(engine) as connection:
        return windows.exhausted(connection, "shop", "show_feedback", reset_at, now)


def test_as_many_calls_as_the_limit_then_the_windows_end(engine):
    assert [take(engine) for _ in range(3)] == [None, None, None]
    assert take(engine, NOW + timedelta(minutes=5)) == NOW + WINDOW
    assert take(engine, NOW + timedelta(minutes=6)) == NOW + WINDOW


def test_the_next_window_begins_with_the_first_call_after_the_last_one(engine):
    [take(engine) for _ in range(4)]
    later = NOW + WINDOW
    assert [take(engine, later) for _ in range(3)] == [None, None, None]
    assert take(engine, later) == later + WINDOW


def test_endpoints_and_accounts_have_windows_of_their_own(engine):
    [take(engine) for _ in range(4)]
    assert take(engine, endpoint="list_dms") is None
    assert take(engine, account="other") is None


def test_a_refusal_of_x_shuts_the_window_until_x_opens_it(engine):
    take(engine)
    reset = NOW + timedelta(minutes=7)
    assert spend(engine, reset) == reset
    assert take(engine, NOW + timedelta(minutes=6)) == reset
    assert take(engine, reset) is None


def test_a_refusal_before_our_first_call_counts_too(engine):
    assert take(engine, spend(engine, None) - timedelta(seconds=1)) == NOW + WINDOW


def test_a_reset_that_is_over_already_still_gives_x_a_moment(engine):
    assert spend(engine, NOW - HOUR) > NOW
    assert take(engine) is not None


@pytest.mark.parametrize("seconds", [-3600, 0, 4, 5])
def test_an_implausible_reset_pauses_for_five_seconds(engine, seconds):
    until = spend(engine, NOW + timedelta(seconds=seconds))
    assert until == NOW + timedelta(seconds=5)
    assert take(engine, until - timedelta(microseconds=1)) == until
    assert take(engine, until) is None


def test_a_limit_that_was_lowered_holds_at_once_and_one_that_was_raised_goes_on(engine):
    assert [take(engine, limit=3) for _ in range(3)] == [None, None, None]
    assert take(engine, limit=2) == NOW + WINDOW
    assert [take(engine, limit=5) is None for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("back", [timedelta(minutes=3), HOUR, timedelta(days=400)])
def test_a_clock_set_back_neither_opens_the_window_nor_shuts_it_for_longer_than_one(engine, back):
    [take(engine) for _ in range(4)]
    then = NOW - back
    again = take(engine, then)
    assert then < again <= then + WINDOW
    assert take(engine, again - timedelta(seconds=1)) == again
    assert take(engine, again) is None


def test_a_clock_set_back_does_not_forget_what_was_used(engine):
    take(engine)
    take(engine)
    assert take(engine, NOW - HOUR) is None
    assert take(engine, NOW - HOUR) is not None


def test_many_workers_together_get_exactly_the_limit(engine):
    start, got = threading.Barrier(6), []

    def work():
        start.wait()
        got.extend(take(engine, limit=20) for _ in range(8))

    threads = [threading.Thread(target=work) for _ in range(6)]
    [each.start() for each in threads]
    [each.join() for each in threads]
    assert len(got) == 48
    assert sum(each is None for each in got) == 20
