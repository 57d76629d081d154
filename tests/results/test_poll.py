"""Polling reads everything once, in windows, whatever X's pages look like and whoever dies meanwhile."""

from datetime import timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from service.accounts import task_leases, windows
from service.db import reading, writing
from service.models import account_state, poll_window
from service.results import poll as polling
from service.results.poll import complete_until, poll_once, reconcile
from service.x_api import XAnswer
from service.x_api.facts import FeedbackPage
from tests.results.cards import DAY, HOUR, US, answer_of, request, shop, snapshot, take
from tests.results.outside import Outside

SHOP = shop(poll_window=timedelta(hours=6))
MINUTE = timedelta(minutes=1)


def poll(engine, x, now=None, account=SHOP):
    return poll_once(engine, account, x.client, now or x.now)


def drain(engine, x, account=SHOP):
    """Poll until there is nothing more to read; return the reports."""
    reports = [poll(engine, x, account=account)]
    while reports[-1].more:
        reports.append(poll(engine, x, account=account))
    return reports


def poll_windows(engine):
    with reading(engine) as connection:
        return connection.execute(sa.select(poll_window).order_by(poll_window.c.from_time)).all()


def watermark(engine):
    with reading(engine) as connection:
        return complete_until(connection, "shop")


def answered(engine, x, count=1, **given):
    rows = [x.send_card(engine) for _ in range(count)]
    x.advance(HOUR)
    for row in rows:
        x.answer(row, **(given or {"score": 4}))
    return rows


def test_an_answer_the_webhook_lost_is_found_and_counted_as_missing(engine):
    x = Outside()
    [row] = answered(engine, x, score=4, text="fine")
    x.advance(2 * DAY)
    reports = drain(engine, x)
    assert answer_of(engine, row) == x.truth_of(row)
    assert sum(each.found_missing for each in reports) == 1
    assert sum(each.found_missing for each in poll_windows(engine)) == 1


def test_an_answer_the_webhook_brought_is_not_missing(engine):
    x = Outside()
    [row] = answered(engine, x)
    for each in x.news():
        take(engine, each["feedback"])
    x.advance(2 * DAY)
    assert sum(each.found_missing for each in drain(engine, x)) == 0
    assert answer_of(engine, row) == x.truth_of(row)


def test_an_event_that_x_files_late_is_read_with_the_next_window(engine):
    x = Outside()
    [row] = answered(engine, x)
    x.advance(DAY + 10 * MINUTE)
    filed = x.world.events[US]
    late, filed[:] = list(filed), []
    drain(engine, x)
    assert (watermark(engine) > x.now - DAY - 6 * MINUTE, answer_of(engine, row)) == (True, None)
    filed[:] = late
    x.advance(SHOP.poll_every)
    drain(engine, x)
    assert answer_of(engine, row) == x.truth_of(row)


def test_x_is_never_asked_for_times_it_does_not_serve_yet(engine):
    x = Outside()
    answered(engine, x)
    for _ in range(30):
        x.advance(2 * HOUR)
        for report in drain(engine, x):
            assert report.problem is None
        assert all(each.to_time <= x.now - SHOP.events_delay for each in poll_windows(engine))


def test_an_x_whose_clock_is_behind_ours_is_not_asked_too_early(engine):
    x = Outside()
    answered(engine, x)
    x.advance(2 * DAY)
    ahead = x.now + SHOP.signature_tolerance
    report = poll(engine, x, now=ahead)
    while report.more:
        report = poll(engine, x, now=ahead)
    assert (report.outcome, report.problem) == ("read", None)


def test_windows_follow_each_other_without_a_gap_from_the_first_card_on(engine):
    x = Outside()
    first_card = x.now
    answered(engine, x)
    x.advance(3 * DAY)
    drain(engine, x)
    found = poll_windows(engine)
    assert found[0].from_time == first_card
    assert all(before.to_time == after.from_time for before, after in pairwise(found))
    assert all(each.to_time - each.from_time <= SHOP.poll_window and each.done_at for each in found)
    assert watermark(engine) == found[-1].to_time >= x.now - DAY - 6 * MINUTE


def test_without_a_card_polling_begins_with_what_x_serves_now(engine):
    x = Outside()
    assert poll(engine, x).outcome == "read"
    assert watermark(engine) <= x.now - DAY
    x.advance(HOUR)
    drain(engine, x)
    assert x.now - DAY - 6 * MINUTE <= watermark(engine) <= x.now - DAY


def test_there_is_no_watermark_before_the_first_window_is_done(engine):
    x = Outside()
    x.send_card(engine)
    assert poll(engine, x).outcome == "idle"
    assert watermark(engine) is None


def test_nothing_is_asked_before_it_is_time(engine):
    x = Outside()
    answered(engine, x)
    x.advance(2 * DAY)
    drain(engine, x)
    calls = len(x.calls)
    assert poll(engine, x).outcome == "idle"
    assert len(x.calls) == calls
    x.advance(SHOP.poll_every)
    assert poll(engine, x).outcome == "read"


@pytest.mark.parametrize(
    "oddity",
    [
        {"events_empty_pages": (1, 2, 3)},
        {"events_short_pages": True},
        {"events_repeat": True},
        {"events_order": "newest_first"},
        {"events_end": None},
        {"events_end": "missing"},
        {"events_range": "created_at"},
        {"dates": "collapsed", "question_variant_id": "alternate"},
        {
            "events_short_pages": True,
            "events_repeat": True,
            "events_empty_pages": (2, 5),
            "events_order": "newest_first",
        },
    ],
    ids=str,
)
def test_everything_is_found_however_odd_xs_pages_are(engine, oddity):
    x = Outside(**oddity)
    rows = answered(engine, x, count=7)
    x.advance(2 * DAY)
    drain(engine, x)
    assert [answer_of(engine, row) for row in rows] == [x.truth_of(row) for row in rows]


def test_an_empty_page_with_a_cursor_is_not_the_end(engine):
    x = Outside(events_empty_pages=(1,))
    [row] = answered(engine, x)
    x.advance(DAY + 2 * HOUR)
    first = poll(engine, x)
    assert (first.outcome, first.events, first.more) == ("read", 0, True)
    assert poll_windows(engine)[0].cursor is not None
    drain(engine, x)
    assert answer_of(engine, row) is not None


def test_time_passing_during_a_reading_is_left_for_the_next(engine):
    x = Outside(events_empty_pages=(1,))
    answered(engine, x)
    x.advance(2 * DAY)
    reports = [poll(engine, x)]
    while reports[-1].more:  # every window takes two calls, so there is always a little more to read
        x.advance(timedelta(seconds=1))
        reports.append(poll(engine, x))
        assert len(reports) < 100
    assert x.now - watermark(engine) < DAY + 2 * SHOP.poll_every


def test_a_worker_that_dies_in_the_middle_costs_only_time(engine):
    x = Outside()
    rows = answered(engine, x, count=12)
    x.advance(DAY + 3 * HOUR)
    assert poll(engine, x).more
    middle = poll_windows(engine)[0].cursor
    assert middle is not None
    with writing(engine) as connection:  # dies with the turn in hand
        assert task_leases.begin(connection, "shop", "poll", x.now, SHOP.poll_every)
    assert poll(engine, x).outcome == "idle"
    x.advance(task_leases.LEASE)
    x.calls.clear()
    drain(engine, x)
    assert f"cursor={middle}" in str(x.calls[0])
    assert all(answer_of(engine, row) == x.truth_of(row) for row in rows)


def test_a_worker_that_slept_through_its_lease_records_nothing(engine):
    x = Outside()
    [row] = answered(engine, x)
    x.advance(2 * DAY)

    class Slow:
        def list_feedback_events(self, **wanted):
            answer = x.client.list_feedback_events(**wanted)
            x.advance(task_leases.LEASE)
            drain(engine, x)
            self.seen = poll_windows(engine)
            return answer

    slow = Slow()
    assert poll_once(engine, SHOP, slow, x.now).outcome == "lost"
    assert poll_windows(engine) == slow.seen
    assert answer_of(engine, row) == x.truth_of(row)


def test_an_unknown_cursor_restarts_the_window(engine):
    x = Outside()
    rows = answered(engine, x, count=12)
    x.advance(DAY + 3 * HOUR)
    poll(engine, x)
    x.world.event_cursors.clear()
    failed = poll(engine, x)
    assert (failed.outcome, failed.more, poll_windows(engine)[0].cursor) == ("failed", False, None)
    x.advance(SHOP.poll_every)
    drain(engine, x)
    assert all(answer_of(engine, row) == x.truth_of(row) for row in rows)


def test_a_cursor_that_leads_back_to_itself_ends_the_window(engine):
    x = Outside()
    [row] = answered(engine, x)
    x.advance(DAY + 2 * HOUR)

    class Circle:
        def list_feedback_events(self, **wanted):
            answer = x.client.list_feedback_events(**{**wanted, "cursor": None})
            page = type(answer.value)(answer.value.events, "same", ())
            return type(answer)(page, answer.rate)

    reports = [poll_once(engine, SHOP, Circle(), x.now) for _ in range(3)]
    assert [each.outcome for each in reports] == ["read", "read", "idle"]
    assert poll_windows(engine)[0].done_at is not None
    assert answer_of(engine, row) == x.truth_of(row)


class NotYet:
    """An X that answers a cursor so many times with an empty page and the same cursor."""

    def __init__(self, x, times):
        self._x, self._times = x, times

    def list_feedback_events(self, **wanted):
        if wanted["cursor"] is None or not self._times:
            return self._x.client.list_feedback_events(**wanted)
        self._times -= 1
        return XAnswer(FeedbackPage((), wanted["cursor"], ()), None)


def test_an_empty_page_that_leads_to_itself_is_not_the_end_either(engine):
    x = Outside()
    rows, slow = answered(engine, x, count=12), NotYet(x, 3)
    x.advance(DAY + 3 * HOUR)
    found = []
    for _ in range(4):
        found.append(poll_once(engine, SHOP, slow, x.now))
        if not found[-1].more:
            x.advance(SHOP.poll_every)
    assert [(each.outcome, each.more) for each in found] == [("read", True), *[("read", False)] * 3]
    [window] = poll_windows(engine)
    assert (window.done_at, window.pages) == (None, 1)
    drain(engine, x)
    assert all(answer_of(engine, row) == x.truth_of(row) for row in rows)


def test_an_empty_page_that_leads_to_itself_for_hours_is_the_end(engine):
    x = Outside()
    answered(engine, x, count=12)
    x.advance(DAY + 3 * HOUR)
    for _ in range(30):
        poll_once(engine, SHOP, NotYet(x, 1), x.now)
        x.advance(SHOP.poll_every)
    assert poll_windows(engine)[0].done_at is not None


def test_one_unreadable_event_hides_no_other(engine):
    x = Outside()
    [row] = answered(engine, x)
    x.advance(2 * DAY)

    class Torn:
        def list_feedback_events(self, **wanted):
            answer = x.client.list_feedback_events(**wanted)
            from service.x_api.facts import FeedbackPage, ParseProblem

            problem = ParseProblem("events[0].feedback.id", "This is not an id.")
            return type(answer)(FeedbackPage(answer.value.events, answer.value.next_cursor, (problem,)), answer.rate)

    report = poll_once(engine, SHOP, Torn(), x.now)
    assert (report.unreadable, report.found_missing) == (1, 1)
    assert poll_windows(engine)[0].unreadable == 1
    assert answer_of(engine, row) == x.truth_of(row)


def test_xs_refusal_pauses_until_its_reset_and_loses_nothing(engine):
    x = Outside()
    [row] = answered(engine, x)
    x.advance(2 * DAY)
    x.control("POST", "/faults", endpoint="feedback/events", fault="429", reset_in_s=600, times=1)
    paused = poll(engine, x)
    assert (paused.outcome, paused.come_back_at) == ("paused", x.now + 10 * MINUTE)
    calls = len(x.calls)
    x.advance(9 * MINUTE)
    assert poll(engine, x).outcome == "idle"
    assert len(x.calls) == calls
    x.advance(MINUTE)
    drain(engine, x)
    assert answer_of(engine, row) == x.truth_of(row)


@pytest.mark.parametrize(
    "fault", [{"fault": "status"}, {"fault": "html"}, {"fault": "half_json"}, {"fault": "empty"}], ids=str
)
def test_an_unwell_x_is_asked_again_later_and_nothing_is_skipped(engine, fault):
    x = Outside()
    [row] = answered(engine, x)
    x.advance(2 * DAY)
    x.control("POST", "/faults", endpoint="feedback/events", times=1, **fault)
    failed = poll(engine, x)
    assert (failed.outcome, failed.more, watermark(engine)) == ("failed", False, None)
    x.advance(SHOP.poll_every)
    drain(engine, x)
    assert answer_of(engine, row) == x.truth_of(row)


def test_a_window_x_refuses_follows_a_changed_setting(engine):
    x = Outside()
    answered(engine, x)
    x.advance(3 * DAY)
    x.control("POST", "/faults", endpoint="feedback/events", fault="status", status=400, code=214, times=1)
    assert poll(engine, x).problem == "parameter_bad"
    x.advance(SHOP.poll_every)
    drain(engine, x, shop(poll_window=HOUR))
    assert poll_windows(engine)[0].to_time - poll_windows(engine)[0].from_time == HOUR


def test_a_refusal_that_holds_for_every_call_holds_the_account_with_xs_code(engine):
    x = Outside()
    with writing(engine) as connection:
        connection.execute(sa.insert(account_state).values(account="shop", updated_at=x.now))
    answered(engine, x)
    x.advance(3 * DAY)
    x.control("POST", "/faults", endpoint="feedback/events", fault="status", status=403, code=64, times=1)
    assert poll(engine, x).problem == "account_suspended"
    with reading(engine) as connection:
        held = connection.execute(sa.select(account_state.c.hold_reason, account_state.c.hold_code)).one()
    assert tuple(held) == ("account_suspended", 64)


def test_the_allowance_is_shared_with_everybody_else(engine):
    x = Outside()
    answered(engine, x)
    x.advance(2 * DAY)
    with writing(engine) as connection:
        until = windows.exhausted(connection, "shop", "list_feedback_events", x.now + 5 * MINUTE, x.now)
    x.calls.clear()
    paused = poll(engine, x)
    assert (paused.outcome, paused.come_back_at, x.calls) == ("paused", until, [])


def test_xs_remaining_count_overrides_ours(engine):
    x = Outside()
    answered(engine, x)
    x.advance(5 * DAY)
    x.others_call("feedback/events", 998)
    reports = drain(engine, x)
    assert [each.outcome for each in reports] == ["read", "read", "paused"]
    assert reports[-1].come_back_at == x.now + 15 * MINUTE
    x.advance(15 * MINUTE)
    assert {each.outcome for each in drain(engine, x)} == {"read"}
    assert {each.status for each in x.world.requests} == {200}


def test_a_week_of_outage_is_caught_up_within_one_allowance(engine):
    x = Outside()
    rows = []
    for _ in range(7):
        rows += answered(engine, x, count=4)
        x.advance(23 * HOUR)
    x.advance(DAY)
    x.calls.clear()
    reports = drain(engine, x)
    assert {each.outcome for each in reports} == {"read"}
    assert len(x.calls) < 60
    assert [answer_of(engine, row) for row in rows] == [x.truth_of(row) for row in rows]
    assert watermark(engine) >= x.now - DAY - 6 * MINUTE


def test_a_clock_set_back_stops_nothing_for_long_and_skips_nothing(engine):
    x = Outside()
    [row] = answered(engine, x)
    x.advance(2 * DAY)
    poll(engine, x, now=x.now)
    x.answer(row, text="late")
    assert poll(engine, x, now=x.now - 6 * HOUR).outcome in {"read", "idle"}
    x.advance(2 * DAY)
    drain(engine, x)
    assert answer_of(engine, row) == x.truth_of(row)


def test_reconcile_reads_a_range_again_and_finds_what_was_lost(engine):
    x = Outside()
    start = x.now
    rows = answered(engine, x, count=15)
    x.advance(3 * DAY)
    drain(engine, x)
    with writing(engine) as connection:  # a restored backup: what was read is gone, the windows are not
        connection.exec_driver_sql("DELETE FROM result_update")
        connection.exec_driver_sql("DELETE FROM result")
    done = reconcile(engine, SHOP, x.client, start, x.now, lambda: x.now)
    assert (done.complete, done.found_missing) == (True, 15)
    assert done.read_until <= x.now - DAY
    assert all(answer_of(engine, row) == x.truth_of(row) for row in rows)


def test_reconcile_counts_the_pages_of_each_window_by_themselves(engine, monkeypatch):
    x = Outside(events_empty_pages=(1,))  # so every window takes two pages
    start = x.now
    rows = []
    for _ in range(2):
        rows += answered(engine, x)
        x.advance(DAY)
    x.advance(DAY)
    monkeypatch.setattr(polling, "PAGES_AT_MOST", 2)
    assert reconcile(engine, SHOP, x.client, start, x.now, lambda: x.now).complete
    assert [answer_of(engine, row) for row in rows] == [x.truth_of(row) for row in rows]


def test_reconcile_says_until_when_x_serves(engine):
    x = Outside()
    start = x.now
    x.advance(2 * DAY)
    whole = reconcile(engine, SHOP, x.client, start, start + HOUR, lambda: x.now)
    cut = reconcile(engine, SHOP, x.client, start, x.now, lambda: x.now)
    served = x.now - DAY - 5 * MINUTE
    assert (whole.read_until, whole.served_until) == (start + HOUR, served)
    assert (cut.complete, cut.read_until, cut.served_until) == (True, served, served)


def test_reconcile_that_is_cut_short_says_where_to_go_on(engine):
    x = Outside()
    start = x.now
    [row] = answered(engine, x)
    x.advance(3 * DAY)
    x.control("POST", "/faults", endpoint="feedback/events", fault="429", skip=2, times=1)
    cut = reconcile(engine, SHOP, x.client, start, x.now, lambda: x.now)
    assert (cut.complete, cut.read_until, cut.problem) == (False, start + 2 * SHOP.poll_window, "rate_limit")
    assert cut.come_back_at > x.now
    x.advance(cut.come_back_at - x.now)
    rest = reconcile(engine, SHOP, x.client, cut.read_until, x.now, lambda: x.now)
    assert rest.complete
    assert answer_of(engine, row) == x.truth_of(row)


def test_cards_of_other_software_are_counted_and_not_stored(engine):
    x = Outside()
    x._card({"id": "ticket_1", "x_user_id": "42"})
    x.advance(HOUR)
    x.answer({"x_user_id": "42"}, score=1, text="private")
    mine = request(engine, card_sent_at=x.now - HOUR)
    take(engine, snapshot(mine, x.now, score=3))
    x.advance(2 * DAY)
    assert sum(each.found_missing for each in drain(engine, x)) == 0
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM stray_feedback").scalar_one() == 1
