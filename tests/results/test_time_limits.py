"""Time limits to the microsecond: what is recent, due, old or still listened to. In the database, without X."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from service.accounts import task_leases, windows
from service.db import batch_deletion, reading, writing
from service.models import (
    account_task,
    feedback_request,
    poll_window,
    refresh,
    result,
    result_update,
    send_attempt,
    stray_feedback,
)
from service.results import inbox, poll, status, x_webhook
from service.results import refresh as refreshing
from service.results.forget import too_old
from service.results.inbox import InboxReport
from service.results.ingest import NOBODY_ANSWERS_AFTER
from service.results.poll import PollReport, Reconciled, poll_once, reconcile
from service.results.refresh import RefreshReport, refresh_once
from service.x_api import MessageRefused, RateLimited, Temporary, UnknownToX, XAnswer
from service.x_api.facts import Feedback, FeedbackPage, ParseProblem
from service.x_api.rate import RateLimit
from tests.results.cards import DAY, HOUR, NOW, answer_of, history_of, request, result_of, shop, snapshot, take

TICK, SECOND, MINUTE = timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=1)
SHOP = shop()


def put(engine, table, **values):
    with writing(engine) as connection:
        connection.execute(sa.insert(table).values(values))


def moment(engine, task):
    with reading(engine) as connection:
        return task_leases.moment(connection, "shop", task)


# -- what is believed of X's dates


@pytest.mark.parametrize(
    ("at", "believed"),
    [
        (-10 * MINUTE, True),
        (-10 * MINUTE - timedelta(seconds=1), False),
        (NOBODY_ANSWERS_AFTER, True),
        (NOBODY_ANSWERS_AFTER + timedelta(seconds=1), False),
        (timedelta(days=3650), True),
        (timedelta(days=3651), False),
    ],
)
def test_an_answer_dated_before_the_end_or_far_ahead_is_implausible(engine, at, believed):
    row = request(engine, ended_at=NOW - HOUR)
    take(engine, snapshot(row, NOW, score=4, score_at=NOW - HOUR + at, text="Fine.", text_at=NOW - HOUR + at))
    told = NOW - HOUR + at if believed else None
    assert answer_of(engine, row) == (4, told, "Fine.", told)


def test_the_moments_of_first_arrival_never_change(engine):
    row = request(engine)
    take(engine, snapshot(row, NOW, score=4), now=NOW)
    take(engine, snapshot(row, NOW, score=4, text="Fine."), now=NOW + MINUTE)
    take(engine, snapshot(row, NOW - MINUTE, score=2, text="No."), now=NOW + HOUR)
    found = result_of(engine, row)
    assert (found["score_seen_at"], found["text_seen_at"]) == (NOW, NOW + MINUTE)
    assert (found["score"], found["text"], found["update_count"]) == (2, "No.", 3)
    assert (found["updated_at"], found["anomalies"]) == (NOW + HOUR, 2)
    assert [each["verdict"] for each in history_of(engine, row)] == ["anomaly", "anomaly", "applied"]


def test_a_report_without_news_leaves_updated_at_alone(engine):
    row = request(engine)
    take(engine, snapshot(row, NOW, score=4, text="Fine."), now=NOW)
    assert take(engine, snapshot(row, NOW - MINUTE, score=4, score_at=NOW), now=NOW + HOUR) == "older"
    found = result_of(engine, row)
    assert (found["updated_at"], found["update_count"], found["first_seen_at"]) == (NOW, 2, NOW)


def test_the_channel_is_that_of_the_first_answer(engine):
    row = request(engine, feedback_id=None, card_dm_id=None)
    known = {**row, "feedback_id": "900", "card_dm_id": "901"}
    take(engine, snapshot(known, NOW), "webhook", NOW)
    first = result_of(engine, row)
    assert (first["first_channel"], first["first_seen_at"], first["score_seen_at"]) == ("webhook", NOW, None)
    take(engine, snapshot(known, NOW + MINUTE, score=3), "show", NOW + HOUR)
    then = result_of(engine, row)
    assert (then["first_channel"], then["first_seen_at"], then["score_seen_at"]) == ("show", NOW + HOUR, NOW + HOUR)
    take(engine, snapshot(known, NOW + 2 * MINUTE, score=3, text="ok"), "events", NOW + 2 * HOUR)
    last = result_of(engine, row)
    assert (last["first_channel"], last["first_seen_at"]) == ("show", NOW + HOUR)


# -- what goes


@pytest.mark.parametrize(("ago", "goes"), [(DAY, False), (DAY + TICK, True)])
def test_retention_counts_by_our_own_clock_to_the_microsecond(engine, ago, goes):
    row = request(engine, card_sent_at=NOW - ago)
    take(engine, snapshot(row, NOW - ago, score=4), now=NOW - ago)
    take(engine, snapshot(row, NOW, score=4, score_at=NOW - ago, text="It was Anna."), now=NOW - ago)
    put(engine, refresh, request_id=row["id"], account="shop", feedback_id="1", due_at=None, checks=1)
    for number, done_at in enumerate((NOW - ago, NOW - ago)):
        begins = NOW - 9 * DAY + number * HOUR
        counts = {"pages": 1, "events": 0, "found_missing": 0, "cursor": None}
        put(engine, poll_window, account="shop", from_time=begins, to_time=begins + HOUR, done_at=done_at, **counts)
    kinds = too_old(texts_before=NOW - DAY, history_before=NOW - DAY, now=NOW)
    assert {each.name: batch_deletion.count(engine, each) for each in kinds} == dict.fromkeys(
        ("texts", "update_texts", "updates", "refresh", "poll_windows"), int(goes)
    )


def test_a_text_without_a_clock_of_ours_goes_by_its_row_s_at_the_same_moment(engine):
    rows = [request(engine) for _ in range(2)]
    for row, at in zip(rows, (NOW - DAY, NOW - DAY - TICK), strict=True):
        take(engine, snapshot(row, NOW, text="It was Anna."), now=NOW)
        with writing(engine) as connection:
            mine = sa.update(result).where(result.c.request_id == row["id"])
            connection.execute(mine.values(text_seen_at=None, updated_at=at))
    texts = too_old(texts_before=NOW - DAY, history_before=NOW - DAY, now=NOW)[0]
    assert batch_deletion.forget(engine, texts) == 1
    assert [result_of(engine, row)["text"] for row in rows] == ["It was Anna.", None]


# -- what is recent


@pytest.mark.parametrize(("ago", "recent"), [(30 * DAY - TICK, True), (30 * DAY, False)])
def test_counts_are_of_the_last_thirty_days_to_the_microsecond(engine, ago, recent):
    row, at = request(engine), NOW - ago
    take(engine, snapshot(row, NOW, score=4), "show", at)
    with writing(engine) as connection:
        connection.execute(sa.update(result_update).values(unread="text_at"))
    counts = {"pages": 1, "events": 1, "found_missing": 0, "cursor": None, "unreadable": 2, "done_at": NOW}
    put(engine, poll_window, account="shop", from_time=at - HOUR, to_time=at, **counts)
    with reading(engine) as connection:
        found = status.channel_health(connection, "shop", NOW)
    told = (found.missed_by_webhook_recent, found.odd_recent, found.unreadable_recent)
    assert told == ((1, 1, 2) if recent else (0, 0, 0))


@pytest.mark.parametrize(("ago", "recent"), [(30 * DAY, True), (30 * DAY + TICK, False)])
def test_contradictions_are_of_the_rows_that_changed_since(engine, ago, recent):
    row = request(engine)
    take(engine, snapshot(row, NOW, score=1))
    take(engine, snapshot(row, NOW + HOUR, score=2))
    with writing(engine) as connection:
        connection.execute(sa.update(result).values(updated_at=NOW - ago))
    with reading(engine) as connection:
        assert status.channel_health(connection, "shop", NOW).anomalies_recent == int(recent)


@pytest.mark.parametrize(("ahead", "due"), [(timedelta(0), 1), (TICK, 0)])
def test_a_refresh_is_due_from_its_exact_moment(engine, ahead, due):
    row = request(engine)
    put(engine, refresh, request_id=row["id"], account="shop", feedback_id="1", due_at=NOW + ahead, checks=0)
    with reading(engine) as connection:
        found = status.channel_health(connection, "shop", NOW)
    assert (found.refresh_due, found.refresh_oldest_due_at) == (due, NOW if due else None)


@pytest.mark.parametrize(
    ("seen", "lately"),
    [(None, False), (NOW, True), (NOW - MINUTE + TICK, True), (NOW - MINUTE, False), (NOW + TICK, False)],
)
def test_webhook_activity_is_noted_once_a_minute(engine, seen, lately):
    if seen is not None:
        with writing(engine) as connection:
            task_leases.set_moment(connection, "shop", "webhook", seen)
    with reading(engine) as connection:
        assert x_webhook._seen_lately(connection, SHOP, NOW) is lately


# -- what is listened to


@pytest.mark.parametrize(
    ("prompt_ago", "sent_ago", "api", "since"),
    [
        (None, None, "v1.1", None),
        (28 * DAY - TICK, None, "v1.1", 28 * DAY - TICK),
        (28 * DAY, None, "v1.1", None),
        (None, 3 * DAY - TICK, "v1.1", 3 * DAY - TICK),
        (None, 3 * DAY, "v1.1", None),
        (HOUR, 2 * DAY, "v1.1", 2 * DAY),
        (HOUR, 2 * DAY, "v2", HOUR),
        (2 * DAY, HOUR, "v1.1", 2 * DAY),
    ],
)
def test_answers_are_expected_for_the_answer_window_and_stop_for_three_days(engine, prompt_ago, sent_ago, api, since):
    if prompt_ago is not None:
        request(engine, way="quick_reply", card_sent_at=NOW - prompt_ago)
    if sent_ago is not None:
        row = request(engine)
        put(engine, send_attempt, id="sa_1", request_id=row["id"], account="shop", x_user_id="1", kind="more",
            intended_at=NOW - sent_ago)  # fmt: skip
    with reading(engine) as connection:
        found = inbox._waits_since(connection, replace(SHOP, api=api), NOW, 28 * DAY)
    assert found == (None if since is None else NOW - since)


@pytest.mark.parametrize(("column", "value"), [("account", "other"), ("erased_at", NOW), ("way", "card"), ("score", 4)])
def test_only_prompts_that_may_still_be_answered_count(engine, column, value):
    row = request(
        engine, **{"way": "quick_reply", "card_sent_at": NOW} | ({} if column == "score" else {column: value})
    )
    if column == "score":
        take(engine, snapshot({**row, "feedback_id": "1"}, NOW, score=4))
    with reading(engine) as connection:
        assert inbox._oldest_prompt(connection, SHOP, NOW - DAY) is None


def test_a_turn_that_did_nothing_says_so(engine):
    assert InboxReport() == InboxReport(pages=0, answers=0, whole=False, problem=None)
    assert RefreshReport() == RefreshReport(asked=0, news=0, enrolled=0, more=False, come_back_at=None, problem=None)
    assert PollReport("idle") == PollReport("idle", 0, 0, 0, more=False, come_back_at=None, problem=None)
    nobody = SimpleNamespace()
    assert reconcile(engine, SHOP, nobody, NOW, NOW, lambda: NOW) == Reconciled(
        pages=0, events=0, found_missing=0, read_until=NOW, served_until=NOW - DAY - 5 * MINUTE, complete=True,
        come_back_at=None, problem=None, unreadable=0,
    )  # fmt: skip


# -- asking about cards


class Shows:
    """X's `feedback/show`: what it says of every card, and which were asked about."""

    def __init__(self, error=None, rate=None):
        self.error, self.rate, self.asked = error, rate, []

    def show_feedback(self, feedback_id):
        self.asked.append(feedback_id)
        if self.error is not None:
            raise self.error
        return XAnswer(Feedback(id=feedback_id), self.rate)


def debt(engine, due_at, sent_at=NOW - DAY, checks=0, **columns):
    row = request(engine, card_sent_at=sent_at, **columns)
    put(engine, refresh, request_id=row["id"], account="shop", feedback_id=row["feedback_id"], due_at=due_at,
        checks=checks)  # fmt: skip
    return row


def debt_of(engine, row):
    with reading(engine) as connection:
        return connection.execute(sa.select(refresh).where(refresh.c.request_id == row["id"])).one()


SCHEDULED = shop(refresh_schedule=(HOUR, 4 * HOUR, 3 * DAY))


def asks(engine, x, clock=lambda: NOW):
    return refresh_once(engine, SCHEDULED, x, clock, answer_window=28 * DAY)


@pytest.mark.parametrize(
    ("due", "asked"),
    [
        (timedelta(0), True),
        (TICK, False),
        (3 * DAY + 2 * MINUTE, False),
        (3 * DAY + 2 * MINUTE + TICK, True),
    ],
)
def test_a_card_is_asked_about_from_its_moment_and_where_that_lies_beyond_any_schedule(engine, due, asked):
    """Such a moment was written before the clock was set back."""
    debt(engine, NOW + due)
    assert asks(engine, Shows()).asked == int(asked)


def test_each_call_is_counted_and_the_next_follows_the_schedule(engine):
    row, x = debt(engine, NOW, checks=4), Shows()
    assert asks(engine, x) == RefreshReport(asked=1, news=1)
    assert (debt_of(engine, row).checks, debt_of(engine, row).due_at) == (5, NOW + 2 * DAY)
    assert moment(engine, "refresh") == NOW + MINUTE


def test_ten_cards_a_turn_and_then_the_next_at_once(engine):
    for _ in range(11):
        debt(engine, NOW)
    assert (asks(engine, Shows()).asked, moment(engine, "refresh")) == (10, NOW)
    assert asks(engine, Shows()).asked == 1


@pytest.mark.parametrize(("sent_ago", "again"), [(10 * DAY - TICK, True), (10 * DAY, False)])
def test_a_failing_card_is_retried_hourly_until_a_week_after_its_schedule(engine, sent_ago, again):
    row = debt(engine, NOW, sent_at=NOW - sent_ago)
    report = asks(engine, Shows(Temporary("X is unwell.", reason="server_error")))
    assert (report.asked, report.problem, report.more) == (1, "server_error", False)
    assert debt_of(engine, row).due_at == (NOW + HOUR if again else None)
    assert moment(engine, "refresh") == NOW + 5 * MINUTE


def test_a_limit_is_waited_for_and_the_card_stays_where_it_is(engine):
    row = debt(engine, NOW - HOUR)
    limit = RateLimited("Too soon.", reason="rate_limited", reset_at=NOW + 30 * timedelta(seconds=1))
    report = asks(engine, Shows(limit))
    assert (report.asked, report.come_back_at) == (1, NOW + timedelta(seconds=30))
    assert debt_of(engine, row).due_at == NOW - HOUR
    assert moment(engine, "refresh") == NOW + timedelta(seconds=30)


def test_each_answer_extends_the_lease(engine):
    seconds, until = [0.0], []

    class Slow(Shows):
        def show_feedback(self, feedback_id):
            seconds[0] += 5
            with reading(engine) as connection:
                held = sa.select(account_task.c.lease_until).where(account_task.c.task == "refresh")
                until.append(connection.scalar(held))
            return super().show_feedback(feedback_id)

    for _ in range(3):
        debt(engine, NOW)
    asks(engine, Slow(), lambda: NOW + timedelta(seconds=seconds[0]))
    lease = task_leases.LEASE
    assert until == [NOW + lease, NOW + 5 * SECOND + lease, NOW + 10 * SECOND + lease]


def test_without_its_lease_a_worker_stops(engine):
    for _ in range(2):
        debt(engine, NOW)

    class Overtaken(Shows):
        def show_feedback(self, feedback_id):
            with writing(engine) as connection:
                assert task_leases.begin(connection, "shop", "refresh", NOW + task_leases.LEASE, MINUTE)
            return super().show_feedback(feedback_id)

    report = asks(engine, Overtaken(UnknownToX("Gone.", reason="not_found")))
    assert (report.asked, report.more, report.problem) == (1, False, "not_found")


@pytest.mark.parametrize(("remaining", "asked"), [(1, 2), (0, 1)])
def test_without_remaining_calls_nothing_more_is_asked(engine, remaining, asked):
    for _ in range(2):
        debt(engine, NOW)
    x = Shows(rate=RateLimit(limit=180, remaining=remaining, reset_at=NOW + HOUR))
    asks(engine, x)
    assert len(x.asked) == asked


@pytest.mark.parametrize(
    ("columns", "enrolled"),
    [
        ({}, True),
        ({"updated_at": NOW - 3 * DAY - 10 * MINUTE}, True),
        ({"updated_at": NOW - 3 * DAY - 10 * MINUTE - TICK}, False),
        ({"card_sent_at": NOW - 6 * DAY - 10 * MINUTE}, True),
        ({"card_sent_at": NOW - 6 * DAY - 10 * MINUTE - TICK}, False),
        ({"account": "other"}, False),
        ({"state": "unknown"}, False),
        ({"feedback_id": None}, False),
        ({"erased_at": NOW}, False),
    ],
)
def test_the_first_enrolment_covers_the_whole_schedule(engine, columns, enrolled):
    row = request(engine, **{"card_sent_at": NOW, "updated_at": NOW, **columns})
    with writing(engine) as connection:
        assert refreshing._enrol(connection, SCHEDULED, SCHEDULED.refresh_schedule, NOW) == int(enrolled)
    if enrolled:
        found = debt_of(engine, row)
        assert (found.due_at, found.checks, found.feedback_id) == (row["card_sent_at"] + HOUR, 0, row["feedback_id"])


@pytest.mark.parametrize(
    ("before", "updated_at", "enrolled"),
    [
        (NOW - MINUTE + TICK, NOW, None),
        (NOW, NOW, None),
        (NOW - MINUTE, NOW - 11 * MINUTE, 1),
        (NOW - MINUTE, NOW - 11 * MINUTE - TICK, 0),
        (NOW + HOUR, NOW - 10 * MINUTE, 1),
        (NOW + HOUR, NOW - 10 * MINUTE - TICK, 0),
    ],
)
def test_later_enrolments_cover_changes_once_a_minute(engine, before, updated_at, enrolled):
    """Ten minutes are left for who commits late; a last time still to come is of a clock set back."""
    request(engine, card_sent_at=NOW - HOUR, updated_at=updated_at)
    with writing(engine) as connection:
        task_leases.set_moment(connection, "shop", refreshing.ENROLLED, before)
        assert refreshing._enrol(connection, SCHEDULED, SCHEDULED.refresh_schedule, NOW) == (enrolled or 0)
        assert task_leases.moment(connection, "shop", refreshing.ENROLLED) == (before if enrolled is None else NOW)


def test_without_a_schedule_no_card_is_put_on_any_list(engine):
    request(engine, card_sent_at=NOW, updated_at=NOW)
    with writing(engine) as connection:
        assert refreshing._enrol(connection, SCHEDULED, (), NOW) == 0


@pytest.mark.parametrize(
    ("due", "answers", "closed"),
    [
        (timedelta(0), {"score": 4, "text": "ok"}, True),
        (TICK, {"score": 4, "text": "ok"}, False),
        (timedelta(0), {"score": 4}, False),
        (timedelta(0), {"text": "ok"}, False),
    ],
)
def test_a_complete_answer_ends_the_refresh(engine, due, answers, closed):
    row = debt(engine, NOW + due)
    take(engine, snapshot(row, NOW, **answers))
    with writing(engine) as connection:
        refreshing._close_settled(connection, SCHEDULED, NOW)
    assert (debt_of(engine, row).due_at is None) is closed


# -- reading events


class Events:
    """X's `feedback/events`: what it answers, and for which times it was asked."""

    def __init__(self, *answers, rate=None):
        self.answers, self.rate, self.asked = list(answers), rate, []

    def list_feedback_events(self, *, from_time, to_time, cursor):
        self.asked.append((from_time, to_time, cursor))
        said = self.answers.pop(0) if self.answers else FeedbackPage((), None)
        if isinstance(said, Exception):
            raise said
        return XAnswer(said, self.rate)


POLLED = shop(poll_every=timedelta(minutes=10), poll_window=2 * HOUR, events_delay=DAY)
SERVED = NOW - DAY - 5 * MINUTE


def polls(engine, x, now=NOW):
    return poll_once(engine, POLLED, x, now)


def begun(engine, until, **columns):
    counts = {"pages": 0, "events": 0, "found_missing": 0, "cursor": None, "done_at": NOW}
    put(engine, poll_window, account="shop", from_time=until - HOUR, to_time=until, **{**counts, **columns})


def test_the_first_window_begins_with_the_first_card_and_is_read_from_a_little_before(engine):
    row, x = request(engine, card_sent_at=SERVED - HOUR), Events()
    request(engine, account="other", card_sent_at=SERVED - 9 * HOUR)
    put(engine, send_attempt, id="sa_1", request_id=row["id"], account="shop", x_user_id="1", kind="card",
        intended_at=SERVED - HOUR - 2 * MINUTE)  # fmt: skip
    put(engine, send_attempt, id="sa_2", request_id=row["id"], account="shop", x_user_id="1", kind="dm",
        intended_at=SERVED - 9 * HOUR)  # fmt: skip
    assert polls(engine, x).outcome == "read"
    assert x.asked == [(SERVED - HOUR - 12 * MINUTE, SERVED, None)]


def test_without_a_card_it_begins_one_turn_before_what_x_serves(engine):
    x = Events()
    polls(engine, x)
    assert x.asked == [(SERVED - 20 * MINUTE, SERVED, None)]


@pytest.mark.parametrize(
    ("until", "end"),
    [(SERVED - 9 * HOUR, SERVED - 7 * HOUR), (SERVED - MINUTE, SERVED), (SERVED, None), (SERVED + MINUTE, None)],
)
def test_windows_are_no_longer_than_the_settings_say_and_end_where_x_does(engine, until, end):
    begun(engine, until)
    x = Events()
    report = polls(engine, x)
    assert (report.outcome, [to for _, to, _ in x.asked]) == (("idle", []) if end is None else ("read", [end]))
    assert moment(engine, "poll") == (NOW if end is not None and end < SERVED else NOW + 10 * MINUTE)


@pytest.mark.parametrize(("left", "more"), [(10 * MINUTE, True), (10 * MINUTE - timedelta(milliseconds=1), False)])
def test_another_window_is_read_at_once_where_a_whole_turn_is_left(engine, left, more):
    begun(engine, SERVED - left - 2 * HOUR)
    assert polls(engine, Events()).more is more
    assert moment(engine, "poll") == (NOW if more else NOW + 10 * MINUTE)


def test_events_of_a_page_are_counted_with_its_window(engine):
    row = request(engine, card_sent_at=SERVED - HOUR)
    begun(engine, SERVED - HOUR)
    card = poll_card(row, score=4)
    unread = ParseProblem("events[0].id", "This is not an id.")
    x = Events(FeedbackPage((card, card), "next", (unread,)), FeedbackPage((card,), None))
    first = polls(engine, x)
    assert (first.events, first.found_missing, first.unreadable, first.more) == (2, 1, 1, True)
    second = polls(engine, x)
    assert (second.events, second.found_missing, second.unreadable) == (1, 0, 0)
    with reading(engine) as connection:
        newest = sa.select(poll_window).order_by(poll_window.c.from_time.desc()).limit(1)
        window = connection.execute(newest).one()
    told = (window.pages, window.events, window.found_missing, window.unreadable, window.cursor, window.done_at)
    assert told == (2, 3, 1, 1, None, NOW)
    assert [cursor for _, _, cursor in x.asked] == [None, "next"]


def poll_card(row, **given):
    from service.x_api.cards import parse_feedback

    return parse_feedback(snapshot(row, NOW - HOUR, **given))


def test_a_card_without_an_answer_is_not_missing(engine):
    row = request(engine, card_sent_at=SERVED - HOUR, feedback_id=None)
    begun(engine, SERVED - HOUR)
    card = poll_card({**row, "feedback_id": "77"})
    assert polls(engine, Events(FeedbackPage((card,), None))).found_missing == 0


@pytest.mark.parametrize(
    ("error", "cursor", "outcome", "again", "kept"),
    [
        (MessageRefused("No.", reason="bad_request"), "c", "failed", NOW + 10 * MINUTE, None),
        (MessageRefused("No.", reason="bad_request"), None, "failed", NOW + 10 * MINUTE, None),
        (Temporary("No.", reason="server_error"), "c", "failed", NOW + 10 * MINUTE, "c"),
        (RateLimited("No.", reason="rate_limited", reset_at=NOW + MINUTE), "c", "paused", NOW + MINUTE, "c"),
        (RateLimited("No.", reason="rate_limited", reset_at=NOW + HOUR), "c", "paused", NOW + HOUR, "c"),
    ],
)
def test_a_refusal_is_waited_out_a_turn_at_most_and_an_unknown_cursor_forgotten(
    engine, error, cursor, outcome, again, kept
):
    begun(engine, SERVED - HOUR, cursor=cursor, done_at=None, pages=3, unreadable=2)
    report = polls(engine, Events(error))
    assert (report.outcome, report.come_back_at, report.problem) == (outcome, again, error.reason)
    assert moment(engine, "poll") == min(again, NOW + 10 * MINUTE)
    with reading(engine) as connection:
        window = connection.execute(sa.select(poll_window)).one()
    anew = cursor is not None and kept is None
    assert (window.cursor, window.pages, window.unreadable) == ((None, 0, 0) if anew else (kept, 3, 2))


def test_a_window_with_a_cyclic_cursor_ends_after_the_maximum_of_pages(engine, monkeypatch):
    monkeypatch.setattr(poll, "PAGES_AT_MOST", 3)
    begun(engine, SERVED - HOUR)
    x = Events(*(FeedbackPage((), f"c{n}") for n in range(9)))
    assert [polls(engine, x).more for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(("reset", "next_turn"), [(5 * MINUTE, 5 * MINUTE), (15 * MINUTE, 10 * MINUTE)])
def test_a_used_up_window_is_waited_for_at_most_one_interval(engine, reset, next_turn):
    begun(engine, SERVED - HOUR)
    with writing(engine) as connection:
        windows.exhausted(connection, "shop", "list_feedback_events", NOW + reset, NOW)
    x = Events()
    assert (polls(engine, x), x.asked) == (PollReport("paused", come_back_at=NOW + reset), [])
    assert moment(engine, "poll") == NOW + next_turn


@pytest.mark.parametrize(("remaining", "outcome"), [(1, "read"), (0, "paused")])
def test_without_remaining_calls_no_further_page_is_read(engine, remaining, outcome):
    begun(engine, SERVED - HOUR)
    x = Events(FeedbackPage((), "next"), rate=RateLimit(limit=1000, remaining=remaining, reset_at=NOW + HOUR))
    polls(engine, x)
    assert polls(engine, x).outcome == outcome


def test_a_range_is_read_again_window_by_window_and_page_by_page(engine):
    row = request(engine, card_sent_at=SERVED - 9 * HOUR)
    card = poll_card(row, score=4)
    unread = ParseProblem("events[0].id", "This is not an id.")
    x = Events(FeedbackPage((card,), "next", (unread,)), FeedbackPage((card,), None), FeedbackPage((), None))
    start = SERVED - 3 * HOUR
    done = reconcile(engine, POLLED, x, start, NOW, lambda: NOW)
    assert x.asked == [
        (start, start + 2 * HOUR, None), (start, start + 2 * HOUR, "next"), (start + 2 * HOUR, SERVED, None),
    ]  # fmt: skip
    assert done == Reconciled(3, 2, 1, SERVED, SERVED, complete=True, unreadable=1)


def test_each_page_of_a_range_is_taken_in_at_its_own_moment(engine):
    rows = [request(engine, card_sent_at=SERVED - HOUR) for _ in range(2)]
    pages = (FeedbackPage((poll_card(row, score=4),), cursor) for row, cursor in zip(rows, ("c", None), strict=True))
    moments = iter((NOW, NOW + MINUTE, NOW + 2 * MINUTE))
    assert reconcile(engine, POLLED, Events(*pages), SERVED - HOUR, SERVED, lambda: next(moments)).complete
    assert [result_of(engine, row)["first_seen_at"] for row in rows] == [NOW + MINUTE, NOW + 2 * MINUTE]


def test_a_range_x_serves_nothing_of_costs_no_call(engine):
    assert reconcile(engine, POLLED, SimpleNamespace(), SERVED, SERVED + HOUR, lambda: NOW).complete


def test_a_range_with_a_cyclic_cursor_ends_after_a_thousand_pages(engine, monkeypatch):
    monkeypatch.setattr(poll, "PAGES_AT_MOST", 2)
    x = Events(*(FeedbackPage((), f"c{n}") for n in range(9)))
    assert reconcile(engine, POLLED, x, SERVED - HOUR, SERVED, lambda: NOW).pages == 2


def test_feedback_nobody_asked_for_is_counted_once(engine):
    row = request(engine)
    stranger = snapshot({**row, "id": "ticket", "card_dm_id": None, "feedback_id": "4242"}, NOW, score=1)
    assert [take(engine, stranger), take(engine, stranger)] == ["stray", "stray"]
    with writing(engine) as connection:
        connection.execute(sa.update(feedback_request).values(feedback_id="4242"))
    assert take(engine, stranger) == "applied", "it came before its request"
    with reading(engine) as connection:
        assert connection.scalars(sa.select(stray_feedback.c.feedback_id)).all() == []
