"""What operators see: whether the webhook works, what it missed, and until when everything is read."""

from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa

from service.accounts import task_leases
from service.db import reading, writing
from service.results.poll import poll_once
from service.results.refresh import refresh_once
from service.results.status import channel_health
from service.x_api.facts import ParseProblem
from tests.results.cards import DAY, HOUR, NOW, shop, snapshot, take
from tests.results.outside import Outside
from tests.results.test_x_webhook import browser, event, post

SHOP = shop()


def health(engine, now):
    with reading(engine) as connection:
        return channel_health(connection, "shop", now)


def test_a_new_account_has_seen_nothing(engine):
    found = health(engine, NOW)
    assert (found.webhook_seen_at, found.complete_until, found.refresh_oldest_due_at) == (None, None, None)
    assert (found.missed_by_webhook_recent, found.refresh_due, found.strays_recent, found.anomalies_recent) == (
        0,
        0,
        0,
        0,
    )
    assert found.unreadable_recent == 0


def test_the_webhooks_last_delivery_is_seen_to_the_minute_even_if_it_was_a_repeat(engine):
    for minutes in (0, 0.5, 10):
        now = NOW + timedelta(minutes=minutes)
        post(browser(engine, now), b"{}")
    assert health(engine, NOW).webhook_seen_at == NOW + timedelta(minutes=10)


def test_a_clock_set_back_does_not_keep_the_webhook_alive(engine):
    post(browser(engine, NOW), b"{}")
    post(browser(engine, NOW - DAY), b"{}")
    assert health(engine, NOW - DAY).webhook_seen_at == NOW - DAY


def test_what_the_webhook_missed_and_how_far_all_is_read(engine):
    x = Outside()
    lost, brought = x.send_card(engine), x.send_card(engine)
    x.answer(lost, score=1)
    x.answer(brought, score=5)
    for each in x.news():
        if each["feedback"]["id"] == brought["feedback_id"]:
            post(browser(engine, x.now), event(each["feedback"]))
    x.advance(2 * DAY)
    while poll_once(engine, SHOP, x.client, x.now).more:
        pass
    found = health(engine, x.now)
    assert found.missed_by_webhook_recent == 1
    assert x.now - DAY - timedelta(minutes=6) <= found.complete_until <= x.now - DAY
    assert not found.poll_window_open
    assert health(engine, x.now + 40 * DAY).missed_by_webhook_recent == 0


def test_answers_found_by_refresh_count_as_missed_by_the_webhook(engine):
    x = Outside()
    rows = [x.send_card(engine) for _ in range(3)]
    for row in rows[:2]:
        x.answer(row, score=1)
    post(browser(engine, x.now), event(x.news()[-1]["feedback"]))
    refresh_once(engine, SHOP, x.client, lambda: x.now, answer_window=28 * DAY)
    x.advance(HOUR)
    assert refresh_once(engine, SHOP, x.client, lambda: x.now, answer_window=28 * DAY).asked == 3
    assert health(engine, x.now).missed_by_webhook_recent == 1, "one was brought, and one card has no answer"
    x.advance(DAY + HOUR)
    while poll_once(engine, SHOP, x.client, x.now).more:
        pass
    assert health(engine, x.now).missed_by_webhook_recent == 1, "polling meets what refresh brought"


def test_unreadable_events_are_counted_with_their_window(engine):
    x = Outside()
    row = x.send_card(engine)
    x.answer(row, score=1)
    x.advance(2 * DAY)

    class Torn:
        def list_feedback_events(self, **wanted):
            answer = x.client.list_feedback_events(**wanted)
            problems = (ParseProblem("events[0].feedback.id", "This is not an id."),)
            return replace(answer, value=replace(answer.value, problems=problems))

    windows = 1
    while poll_once(engine, SHOP, Torn(), x.now).more:
        windows += 1
    assert health(engine, x.now).unreadable_recent == windows
    assert health(engine, x.now + 40 * DAY).unreadable_recent == 0


def test_a_window_polling_is_stuck_in_shows(engine):
    x = Outside()
    x.send_card(engine)
    x.advance(2 * DAY)
    x.control("POST", "/faults", endpoint="feedback/events", fault="status")
    poll_once(engine, SHOP, x.client, x.now)
    assert not health(engine, x.now).poll_window_open, "X may refuse whoever sends no cards"
    refresh_once(engine, SHOP, x.client, lambda: x.now, answer_window=28 * DAY)
    assert health(engine, x.now).poll_window_open


def test_what_is_recent_is_of_the_last_thirty_days_to_the_microsecond(engine):
    x = Outside()
    [row] = [x.send_card(engine)]
    take(engine, snapshot({**row, "feedback_id": "4242"}, x.now, score=2, external_id=None), now=x.now)
    then = x.now + 30 * DAY
    assert [health(engine, at).strays_recent for at in (then - timedelta(microseconds=1), then)] == [1, 0]


def test_refreshes_strays_and_contradictions_are_counted(engine):
    x = Outside()
    rows = [x.send_card(engine) for _ in range(3)]
    refresh_once(engine, SHOP, x.client, lambda: x.now, answer_window=28 * DAY)
    x.advance(2 * HOUR)
    take(engine, snapshot(rows[0], x.now, score=1), now=x.now)
    take(engine, snapshot(rows[0], x.now + HOUR, score=2), now=x.now)
    take(engine, snapshot({**rows[1], "feedback_id": "4242"}, x.now, score=2, external_id=None), now=x.now)
    found = health(engine, x.now)
    assert (found.refresh_due, found.refresh_oldest_due_at) == (3, x.now - HOUR)
    assert (found.strays_recent, found.anomalies_recent) == (1, 1)


def test_another_accounts_figures_are_not_ours(engine):
    x = Outside()
    row = x.send_card(engine)
    take(engine, snapshot(row, x.now, score=1), "show", now=x.now)
    take(engine, snapshot(row, x.now + HOUR, score=2), now=x.now)
    with writing(engine) as connection:
        task_leases.set_moment(connection, "other", "webhook", NOW)
        connection.execute(sa.text("UPDATE feedback_request SET account = 'other'"))
    found = health(engine, x.now)
    assert (found.webhook_seen_at, found.anomalies_recent, found.missed_by_webhook_recent) == (None, 0, 0)
