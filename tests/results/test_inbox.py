"""Without webhooks the DM list brings taps and numbers, within a third of its few calls."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.accounts import task_leases, windows
from service.customers.hash_key import open_key
from service.db import reading, writing
from service.models import opt_out, send_attempt
from service.results.inbox import STOPS_HEARD_FOR, read_once
from service.ways import quick_reply
from service.x_api import DirectMessage, DmPage, XAnswer
from tests.results.cards import HOUR, request, result_of
from tests.results.cards import settings as settings_of
from tests.results.outside import Outside

SETTINGS = settings_of()
SHOP = SETTINGS.accounts["shop"]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def x():
    return Outside(list_lag_s=0)


def prompted(engine, x, number=1):
    user_id = str(700 + number)
    row = request(
        engine, feedback_id=None, card_dm_id=None, way="quick_reply", campaign="care", card_sent_at=x.now,
        x_user_id=user_id,
    )  # fmt: skip
    options = quick_reply.options(open_key(engine, SETTINGS.service.secret_key), row["id"], "csat", {})
    x.client.send_dm(user_id, "How did we do?", signed_at=x.now, options=options)
    return row


def read(engine, x):
    return read_once(engine, SETTINGS, SHOP, x.client, lambda: x.now)


def asked(x):
    return sum("events/list" in each.path for each in x.calls)


def test_taps_and_numbers_are_found_in_the_list(engine, x):
    tapping, typing = prompted(engine, x, 1), prompted(engine, x, 2)
    x.advance(MINUTE)
    x.control("POST", f"/customers/{tapping['x_user_id']}/dm", tap=1)
    x.control("POST", f"/customers/{typing['x_user_id']}/dm", text="5")
    report = read(engine, x)
    assert (report.answers, report.whole, report.problem) == (2, True, None)
    assert [result_of(engine, row)["score"] for row in (tapping, typing)] == [2, 5]
    assert result_of(engine, tapping)["first_channel"] == "dm"


class OnePage:
    """A list of these messages, the newest first."""

    def __init__(self, *messages):
        self.messages = messages

    def list_dms(self, _cursor=None):
        return XAnswer(DmPage(self.messages, None), None)


def test_undated_messages_count_and_so_does_the_first_number(engine, x):
    at_once, undated = (request(engine, way="quick_reply", campaign="care", card_sent_at=x.now) for _ in range(2))
    ours = {"recipient_id": SHOP.user_id}
    found = read_once(engine, SETTINGS, SHOP, OnePage(
        DirectMessage("3", at_once["x_user_id"], text="5", **ours),
        DirectMessage("2", undated["x_user_id"], text="3", **ours),
        DirectMessage("1", at_once["x_user_id"], text="2", created_at=x.now, **ours),
        DirectMessage("0", at_once["x_user_id"], text="1", created_at=x.now - MINUTE, **ours),
    ), lambda: x.now + MINUTE)  # fmt: skip
    assert (found.answers, found.whole, found.pages) == (2, True, 1)
    assert [result_of(engine, row)["score"] for row in (at_once, undated)] == [2, 3]
    assert [result_of(engine, row)["update_count"] for row in (at_once, undated)] == [1, 1]
    with reading(engine) as connection:
        assert task_leases.moment(connection, "shop", "inbox") == x.now + MINUTE + SHOP.window / 3


def test_the_list_is_not_read_if_no_answer_is_expected(engine, x):
    assert read(engine, x).pages == 0
    row = prompted(engine, x)
    x.control("POST", f"/customers/{row['x_user_id']}/dm", tap=4)
    assert read(engine, x).answers == 1
    x.advance(HOUR)
    assert (read(engine, x).pages, asked(x)) == (0, 1)


def test_the_list_is_read_every_five_minutes_and_only_back_to_the_last_time(engine, x):
    row = prompted(engine, x)
    assert (read(engine, x).pages, read(engine, x).pages) == (1, 0)
    for _ in range(60):
        x.control("POST", "/customers/999/dm", text="about something else")
    x.advance(HOUR)
    for _ in range(60):
        x.control("POST", "/customers/999/dm", text="about something else")
    x.control("POST", f"/customers/{row['x_user_id']}/dm", tap=0)
    assert read(engine, x).whole
    assert result_of(engine, row)["score"] == 1
    assert asked(x) <= 4


def test_unclear_sends_keep_the_last_third_of_the_calls(engine, x):
    prompted(engine, x)
    for _ in range(SHOP.lookups_per_window * 2 // 3):
        with writing(engine) as connection:
            windows.take(connection, "shop", "list_dms", SHOP.lookups_per_window, SHOP.window, x.now)
    assert (read(engine, x).problem, asked(x)) == ("endpoint_limit", 0)
    with writing(engine) as connection:
        assert windows.take(connection, "shop", "list_dms", SHOP.lookups_per_window, SHOP.window, x.now) is None


@pytest.mark.parametrize("said", ["stop", "STOP!"])
def test_stop_counts_in_every_way_of_asking(engine, x, said):
    """No webhook, no prompt with quick replies: a card, and the word that X wants heard at once."""
    row = request(engine, card_sent_at=x.now)
    sent(engine, row, x.now)
    x.advance(MINUTE)
    x.control("POST", f"/customers/{row['x_user_id']}/dm", text=said)
    assert read(engine, x).whole
    with reading(engine) as connection:
        assert connection.scalars(sa.select(opt_out.c.reason)).all() == ["asked_by_customer"]
    x.advance(4 * STOPS_HEARD_FOR)
    assert (read(engine, x).pages, asked(x)) == (0, 1)


def test_an_account_on_v2_has_no_such_list(engine, x):
    row = request(engine, card_sent_at=x.now)
    sent(engine, row, x.now)
    assert read_once(engine, SETTINGS, replace(SHOP, api="v2"), x.client, lambda: x.now).pages == 0


def sent(engine, row, at):
    with writing(engine) as connection:
        connection.execute(
            sa.insert(send_attempt).values(
                id=f"sa_{row['id']}", request_id=row["id"], account="shop", x_user_id=row["x_user_id"], kind="card",
                intended_at=at, outcome="sent", settled_at=at,
            )
        )  # fmt: skip


@pytest.mark.parametrize("shown", [True, False])
def test_a_list_that_hides_our_own_message_is_read_again_from_where_it_was(engine, x, shown):
    row = request(engine, way="quick_reply", campaign="care", card_sent_at=x.now, dm_event_id="9")
    ours = DirectMessage("9", SHOP.user_id, row["x_user_id"], created_at=x.now + MINUTE)
    with writing(engine) as connection:
        connection.execute(sa.insert(send_attempt).values(
            id="sa_9", request_id=row["id"], account="shop", x_user_id=row["x_user_id"], kind="dm", outcome="sent",
            intended_at=x.now + 3 * MINUTE, settled_at=x.now + 3 * MINUTE,
        ))  # fmt: skip
    x.advance(HOUR)
    assert read_once(engine, SETTINGS, SHOP, OnePage(*[ours] * shown), lambda: x.now).pages == 1
    with reading(engine) as connection:
        assert task_leases.moment(connection, "shop", "inbox_read") == (x.now if shown else None)


def test_a_list_too_long_for_one_turn_is_read_on_in_the_next(engine):
    """After an outage, or on a busy account, an answer lies further back than a third of the calls reach."""
    x = Outside(list_lag_s=0, list_short_pages=True)
    row = prompted(engine, x)
    x.control("POST", f"/customers/{row['x_user_id']}/dm", tap=2)
    for _ in range(200):
        x.control("POST", "/customers/999/dm", text="about something else")
    reports = []
    for _ in range(8):
        reports.append(read(engine, x))
        x.control("POST", "/customers/999/dm", text="and another")
        x.advance(15 * MINUTE)
    assert [each.answers for each in reports].count(1) == 1
    assert result_of(engine, row)["score"] == 3
    assert [each.whole for each in reports].index(True) == next(n for n, each in enumerate(reports) if each.answers)
    assert max(each.pages for each in reports) == SHOP.lookups_per_window // 3


def test_a_cursor_that_x_has_forgotten_costs_the_turn_and_no_more(engine):
    x = Outside(list_lag_s=0, list_short_pages=True)
    prompted(engine, x)
    for _ in range(200):
        x.control("POST", "/customers/999/dm", text="about something else")
    for _ in range(2):
        assert not read(engine, x).whole
        x.advance(15 * MINUTE)
    x.world.list_cursors.clear()
    assert read(engine, x).problem == "parameter_bad"
    for _ in range(4):
        x.advance(15 * MINUTE)
        last = read(engine, x)
    assert last.whole


def test_the_handle_check_takes_no_calls_from_answers(engine, x):
    prompted(engine, x)
    with writing(engine) as connection:
        one = ("shop", "list_dms", "confirm", SHOP.lookups_per_window, SHOP.window, x.now)
        taken = [windows.take_share(connection, *one) for _ in range(SHOP.lookups_per_window)]
    assert taken.count(None) == SHOP.lookups_per_window // 3
    assert read(engine, x).problem is None


def test_a_list_that_fails_is_read_again_from_where_it_was(engine, x):
    row = prompted(engine, x)
    x.control("POST", f"/customers/{row['x_user_id']}/dm", tap=2)
    x.control("POST", "/faults", endpoint="direct_messages/events/list", fault="status", status=503, times=1)
    assert read(engine, x).problem == "over_capacity"
    x.advance(6 * MINUTE)
    assert read(engine, x).answers == 1


def test_messages_listed_with_the_configured_lag_are_not_missed(engine):
    x, shop = Outside(list_lag_s=720), replace(SHOP, list_lag=15 * MINUTE)
    row = prompted(engine, x)
    x.control("POST", f"/customers/{row['x_user_id']}/dm", tap=2)
    answers = []
    for _ in range(2):
        x.advance(11 * MINUTE)
        answers.append(read_once(engine, SETTINGS, shop, x.client, lambda: x.now).answers)
    assert answers == [0, 1]


def test_the_first_of_two_typed_numbers_counts_in_a_newest_first_list(engine, x):
    row = prompted(engine, x)
    for number in ("5", "1"):
        x.advance(MINUTE)
        x.control("POST", f"/customers/{row['x_user_id']}/dm", text=number)
    assert read(engine, x).answers == 1
    found = result_of(engine, row)
    assert (found["score"], found["update_count"], found["anomalies"]) == (5, 1, 0)


def test_a_list_that_takes_two_turns_is_read_to_its_end_though_our_message_was_in_the_first(engine):
    x = Outside(list_lag_s=0, list_short_pages=True)
    prompted(engine, x)
    _chatter(x, 100)
    x.advance(5 * MINUTE)
    sent_id = x.client.send_dm("998", "An opening of ours", signed_at=x.now).value.id
    opened = request(
        engine, state="dm_sent", card_sent_at=None, card_dm_id=None, feedback_id=None, dm_event_id=sent_id,
        x_user_id="998",
    )  # fmt: skip
    with writing(engine) as connection:
        connection.execute(
            sa.insert(send_attempt).values(
                id="sa_op", request_id=opened["id"], account="shop", x_user_id="998", kind="dm", outcome="sent",
                intended_at=x.now, settled_at=x.now,
            )
        )  # fmt: skip
    x.advance(MINUTE)
    _chatter(x, 60)
    x.advance(20 * MINUTE)
    for _ in range(16):
        read(engine, x)
        _chatter(x, 1)
        x.advance(15 * MINUTE)
    with reading(engine) as connection:
        assert task_leases.moment(connection, "shop", "inbox_read") is not None


def _chatter(x: Outside, messages: int) -> None:
    for _ in range(messages):
        x.control("POST", "/customers/999/dm", text="about something else")
