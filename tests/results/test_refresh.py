"""Unanswered cards are asked about by age, within X's limits, and no longer than there is something to learn."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.accounts import task_leases, windows
from service.db import reading, writing
from service.models import account_state, feedback_request, refresh
from service.models import allowance as allowances
from service.results.refresh import refresh_once
from service.x_api import OutcomeUnknown, Retired, Temporary, Unexplained, UnknownToX
from tests.results.cards import DAY, HOUR, answer_of, request, shop, snapshot, take
from tests.results.outside import Outside

MINUTE = timedelta(minutes=1)
SHOP = shop(refresh_schedule=(HOUR, 4 * HOUR, DAY))


def run(engine, x, account=SHOP, **options):
    given = {"client": x.client, "clock": lambda: x.now, "answer_window": 28 * DAY, **options}
    return refresh_once(engine, account, **given)


def drain(engine, x, **options):
    asked, report = 0, None
    while report is None or report.more:
        report = run(engine, x, **options)
        asked += report.asked
    return asked


def shows(x):
    return sum("/feedback/show/" in each.path for each in x.calls)


def debts(engine):
    with reading(engine) as connection:
        return connection.execute(sa.select(refresh).order_by(refresh.c.due_at, refresh.c.request_id)).all()


def step(engine, x, hours):
    """Let the hours pass, a look every quarter of one, of many each hour; return how often X was asked."""
    asked, pause = 0, 15 * MINUTE if hours < 24 else HOUR
    for _ in range(round(hours * HOUR / pause)):
        x.advance(pause)
        asked += drain(engine, x)
    return asked


def test_a_card_that_can_no_longer_be_answered_at_its_first_look_is_never_asked_about(engine):
    x = Outside()
    x.send_card(engine)
    x.advance(2 * HOUR)
    assert (drain(engine, x, answer_window=HOUR - MINUTE), debts(engine)) == (0, [])


def test_an_answer_is_seen_within_the_hour_without_any_webhook(engine):
    x = Outside()
    row = x.send_card(engine)
    x.advance(10 * MINUTE)
    x.answer(row, score=5, text="thanks")
    assert step(engine, x, 1) == 1
    assert answer_of(engine, row) == x.truth_of(row)


def test_a_refusal_that_holds_for_every_call_holds_the_account_with_xs_code(engine):
    x = Outside()
    with writing(engine) as connection:
        connection.execute(sa.insert(account_state).values(account="shop", updated_at=x.now))
    x.send_card(engine)
    x.advance(2 * HOUR)
    x.control("POST", "/faults", endpoint="feedback/show", fault="status", status=403, code=64, times=1)
    assert run(engine, x).problem == "account_suspended"
    with reading(engine) as connection:
        held = connection.execute(sa.select(account_state.c.hold_reason, account_state.c.hold_code)).one()
    assert tuple(held) == ("account_suspended", 64)


def test_a_card_is_asked_about_at_its_ages_and_then_never_again(engine):
    x = Outside()
    x.send_card(engine)
    assert [
        step(engine, x, 0.75),
        step(engine, x, 0.5),
        step(engine, x, 3),
        step(engine, x, 24),
        step(engine, x, 48),
    ] == [
        0,
        1,
        1,
        1,
        0,
    ]
    assert [each.due_at for each in debts(engine)] == [None]


def test_a_whole_answer_is_the_end(engine):
    x = Outside()
    row = x.send_card(engine)
    x.answer(row, score=5, text="thanks")
    assert step(engine, x, 30) == 1


def test_a_score_alone_is_asked_about_further_because_the_text_may_come(engine):
    x = Outside()
    row = x.send_card(engine)
    x.answer(row, score=5)
    assert step(engine, x, 2) == 1
    x.answer(row, text="one more thing")
    assert step(engine, x, 40) == 1
    assert answer_of(engine, row) == x.truth_of(row)


def test_a_whole_answer_by_the_webhook_costs_no_call(engine):
    x = Outside()
    row = x.send_card(engine)
    step(engine, x, 0.25)
    x.answer(row, score=5, text="thanks")
    for each in x.news():
        take(engine, each["feedback"])
    assert step(engine, x, 30) == 0


def test_nothing_is_asked_after_the_answer_window(engine):
    x = Outside()
    x.send_card(engine)
    drain(engine, x, answer_window=5 * HOUR)
    x.advance(HOUR)
    assert drain(engine, x, answer_window=5 * HOUR) == 1
    x.advance(3 * HOUR)
    assert drain(engine, x, answer_window=5 * HOUR) == 1
    x.advance(DAY)
    assert drain(engine, x, answer_window=5 * HOUR) == 0


def test_cards_overdue_after_an_outage_are_asked_once_oldest_first(engine):
    x = Outside()
    drain(engine, x)
    rows = []
    for _ in range(3):
        rows.append(x.send_card(engine))
        x.advance(HOUR)
    x.advance(10 * DAY)
    for row in rows:
        x.answer(row, score=2)
    x.calls.clear()
    assert drain(engine, x, limit=1) == 3
    assert [each.path.split("/")[-1] for each in x.calls] == [f"{row['feedback_id']}.json" for row in rows]
    assert all(answer_of(engine, row) == x.truth_of(row) for row in rows)


def test_at_most_180_calls_per_window_oldest_cards_first(engine):
    x = Outside()
    rows = [x.send_card(engine) for _ in range(50)]
    x.advance(HOUR)
    with writing(engine) as connection:
        made = {"account": "shop", "endpoint": "show_feedback", "window_until": x.now + SHOP.window, "used": 150}
        connection.execute(sa.insert(allowances).values(made))
    asked = drain(engine, x, limit=20)
    assert asked == 30
    x.advance(5 * MINUTE)
    assert drain(engine, x, limit=20) == 0
    x.advance(10 * MINUTE)
    assert drain(engine, x, limit=20) == 20
    assert shows(x) == len(rows)
    assert {each.status for each in x.world.requests} == {200}


def test_xs_remaining_count_overrides_ours(engine):
    x = Outside()
    for _ in range(4):
        x.send_card(engine)
    x.advance(HOUR)
    x.others_call("feedback/show", 178)
    assert drain(engine, x) == 2
    x.advance(15 * MINUTE)
    assert drain(engine, x) == 2
    assert {each.status for each in x.world.requests} == {200}


def test_the_budget_is_shared_with_everybody_else(engine):
    x = Outside()
    x.send_card(engine)
    x.advance(HOUR)
    with writing(engine) as connection:
        until = windows.exhausted(connection, "shop", "show_feedback", x.now + 5 * MINUTE, x.now)
    report = run(engine, x)
    assert (report.asked, report.come_back_at) == (0, until)
    assert shows(x) == 0


def test_xs_refusal_pauses_and_the_card_stays_due(engine):
    x = Outside()
    row = x.send_card(engine)
    x.answer(row, score=1)
    x.advance(HOUR)
    x.control("POST", "/faults", endpoint="feedback/show", fault="429", reset_in_s=300, times=1)
    report = run(engine, x)
    assert (report.problem, report.come_back_at, report.more) == ("rate_limit", x.now + 5 * MINUTE, False)
    x.advance(2 * MINUTE)
    assert run(engine, x).asked == 0
    x.advance(3 * MINUTE)
    assert run(engine, x).asked == 1
    assert answer_of(engine, row) == x.truth_of(row)


def test_after_a_server_error_x_is_asked_later(engine):
    x = Outside()
    rows = [x.send_card(engine) for _ in range(2)]
    for row in rows:
        x.answer(row, score=1, text="bad")
    x.advance(HOUR)
    x.control("POST", "/faults", endpoint="feedback/show", fault="status", times=1)
    assert run(engine, x).problem == "over_capacity"
    x.advance(4 * MINUTE)
    assert run(engine, x).asked == 0
    x.advance(MINUTE)
    assert run(engine, x).asked == 1
    assert step(engine, x, 1.25) == 1
    assert all(answer_of(engine, row) == x.truth_of(row) for row in rows)


@pytest.mark.parametrize("problem", [{"status": 404, "code": 34}, {"status": 400, "code": 214}], ids=str)
def test_a_card_x_does_not_show_delays_no_other(engine, problem):
    x = Outside()
    first, second = x.send_card(engine), x.send_card(engine)
    x.answer(second, score=3, text="ok")
    x.advance(HOUR)
    x.control("POST", "/faults", endpoint="feedback/show", fault="status", times=1, **problem)
    assert drain(engine, x) == 2
    assert answer_of(engine, second) == x.truth_of(second)
    x.calls.clear()
    assert step(engine, x, 3) == 1
    assert first["feedback_id"] in x.calls[0].path


def test_a_card_that_always_fails_delays_no_other_and_is_given_up(engine):
    x = Outside()
    rows = [x.send_card(engine) for _ in range(3)]
    for row in rows[1:]:
        x.answer(row, score=3, text="ok")

    class Choking:
        def __init__(self):
            self.failures = 0

        def show_feedback(self, feedback_id):
            if feedback_id == rows[0]["feedback_id"]:
                self.failures += 1
                raise Temporary("X had an error of its own.", reason="server_error")
            return x.client.show_feedback(feedback_id)

    choking = Choking()
    x.advance(HOUR)
    for _ in range(3):
        drain(engine, x, client=choking)
        x.advance(5 * MINUTE)
    assert [answer_of(engine, row) for row in rows] == [x.truth_of(row) for row in rows]
    x.advance(9 * DAY)
    drain(engine, x, client=choking)
    x.advance(2 * HOUR)
    before = choking.failures
    assert drain(engine, x, client=choking) == 0
    assert choking.failures == before > 1
    assert [each.due_at for each in debts(engine)] == [None] * 3


@pytest.mark.parametrize("refused", [UnknownToX, Retired, Unexplained])
def test_a_card_refused_with_an_unknown_code_delays_no_other(engine, refused):
    x = Outside()
    rows = [x.send_card(engine) for _ in range(3)]
    for row in rows:
        x.answer(row, score=3, text="ok")
    x.advance(HOUR)

    class Refusing:
        def show_feedback(self, feedback_id):
            if feedback_id == rows[0]["feedback_id"]:
                raise refused("No.", reason="no")
            return x.client.show_feedback(feedback_id)

    assert drain(engine, x, client=Refusing()) == 3
    assert [answer_of(engine, row) for row in rows[1:]] == [x.truth_of(row) for row in rows[1:]]
    assert [each.due_at for each in debts(engine)].count(x.now + HOUR) == 1
    assert step(engine, x, 1.25) == 1
    assert answer_of(engine, rows[0]) == x.truth_of(rows[0])


def test_several_refused_cards_in_a_row_mean_a_missing_endpoint(engine):
    x = Outside()
    rows = [x.send_card(engine) for _ in range(5)]
    x.advance(HOUR)

    class Gone:
        def show_feedback(self, _feedback_id):
            raise UnknownToX("X knows no such path.", reason="not_found", http_status=404)

    report = run(engine, x, client=Gone())
    assert (report.asked, report.problem, report.more) == (3, "not_found", False)
    assert len(rows) == [each.due_at for each in debts(engine)].count(x.now + HOUR) + 2


def test_an_unreadable_answer_delays_no_other(engine):
    x = Outside()
    x.send_card(engine)
    x.send_card(engine)
    x.advance(HOUR)
    x.control("POST", "/faults", endpoint="feedback/show", fault="html", status=200, times=1)
    assert drain(engine, x) == 2


def test_the_first_enrolment_reaches_back_to_the_end_of_the_schedule(engine):
    x = Outside()
    row = x.send_card(engine)
    x.advance(20 * HOUR)  # later than the first look is due, earlier than the last
    assert run(engine, x).enrolled == 1
    assert [each.request_id for each in debts(engine)] == [row["id"]]


@pytest.mark.parametrize("window", [MINUTE, HOUR])
def test_the_accounts_window_is_the_window_of_this_endpoint_too(engine, window):
    x = Outside()
    x.send_card(engine)
    x.advance(2 * HOUR)
    run(engine, x, account=replace(SHOP, window=window))
    with reading(engine) as connection:
        until = connection.scalar(sa.select(allowances.c.window_until).where(allowances.c.endpoint == "show_feedback"))
    assert until == x.now + window


def test_a_card_settled_long_after_it_was_sent_is_enrolled_too(engine):
    x = Outside()
    row = request(engine, card_sent_at=x.now, updated_at=x.now, state="unknown")
    step(engine, x, 3)
    assert debts(engine) == []
    with writing(engine) as connection:
        settled = {"state": "card_sent", "updated_at": x.now}
        connection.execute(sa.update(feedback_request).where(feedback_request.c.id == row["id"]).values(settled))
    x.advance(MINUTE)
    run(engine, x)
    assert [each.request_id for each in debts(engine)] == [row["id"]]


def test_a_card_committed_while_the_clock_was_set_back_is_enrolled(engine):
    x = Outside()
    run(engine, x)
    back = x.now - 6 * HOUR
    request(engine, card_sent_at=back + MINUTE, updated_at=back + MINUTE)
    run(engine, x, clock=lambda: back + 2 * MINUTE)
    assert len(debts(engine)) == 1


def test_enrolment_reads_only_what_changed_since_the_last_time(engine):
    x = Outside()
    old = [request(engine, card_sent_at=x.now, updated_at=x.now) for _ in range(3)]
    run(engine, x)
    x.advance(HOUR - MINUTE)
    run(engine, x)
    with writing(engine) as connection:
        connection.execute(sa.delete(refresh))
    x.advance(MINUTE)
    run(engine, x)
    assert (len(old), debts(engine)) == (3, [])


def test_nobody_asks_about_an_erased_person(engine):
    x = Outside()
    row = x.send_card(engine)
    run(engine, x)
    with writing(engine) as connection:
        connection.execute(
            sa.update(feedback_request)
            .where(feedback_request.c.id == row["id"])
            .values(erased_at=x.now, x_user_id=None)
        )
    assert step(engine, x, 5) == 0


def test_one_worker_asks_and_a_dead_one_is_replaced(engine):
    x = Outside()
    row = x.send_card(engine)
    x.answer(row, score=1, text="bad")
    x.advance(HOUR)
    with writing(engine) as connection:
        assert task_leases.begin(connection, "shop", "refresh", x.now, MINUTE)
    assert run(engine, x).asked == 0
    x.advance(task_leases.LEASE)
    assert run(engine, x).asked == 1


def test_a_worker_that_slept_through_its_lease_stops_and_records_nothing(engine):
    x = Outside()
    rows = [x.send_card(engine) for _ in range(2)]
    x.answer(rows[0], score=1)
    x.advance(HOUR)

    class Slow:
        def show_feedback(self, feedback_id):
            answer = x.client.show_feedback(feedback_id)
            with writing(engine) as connection:
                assert task_leases.begin(connection, "shop", "refresh", x.now + task_leases.LEASE, MINUTE)
            return answer

    report = run(engine, x, client=Slow())
    assert (report.asked, report.news, report.more) == (1, 0, False)
    assert answer_of(engine, rows[0]) is None
    assert [each.checks for each in debts(engine)] == [0, 0]


def test_a_slow_x_costs_no_worker_its_turn(engine):
    x = Outside()
    rows = [x.send_card(engine) for _ in range(5)]
    x.advance(HOUR)
    seconds, free = [0], []

    class Slow:
        def show_feedback(self, feedback_id):
            seconds[0] += 40
            with reading(engine) as connection:
                moment = x.now + timedelta(seconds=seconds[0])
                free.append(task_leases.may_begin(connection, "shop", "refresh", moment, MINUTE))
            return x.client.show_feedback(feedback_id)

    assert run(engine, x, client=Slow(), clock=lambda: x.now + timedelta(seconds=seconds[0])).asked == len(rows)
    assert free == [False] * len(rows)


def test_an_unclear_read_is_a_failure_like_any_other(engine):
    x = Outside()
    x.send_card(engine)
    x.advance(HOUR)

    class Lost:
        def show_feedback(self, _feedback_id):
            raise OutcomeUnknown("Lost.", reason="outcome_unknown")

    assert run(engine, x, client=Lost()).problem == "outcome_unknown"
    assert [each.due_at for each in debts(engine)] == [x.now + HOUR]


def test_a_clock_set_back_far_delays_no_card_that_long(engine):
    x = Outside()
    row = x.send_card(engine)
    run(engine, x)
    x.answer(row, score=4, text="ok")
    past = x.now - 400 * DAY
    assert run(engine, x, clock=lambda: past).asked == 1
    assert answer_of(engine, row) == x.truth_of(row)


def test_a_card_of_a_clock_set_back_is_not_asked_about_without_end(engine):
    x = Outside()
    x.send_card(engine)
    run(engine, x)
    past = x.now - 400 * DAY
    asked = [run(engine, x, clock=lambda n=n: past + n * MINUTE).asked for n in range(10)]
    assert sum(asked) == 1


def test_only_cards_of_the_account_are_asked_about(engine):
    x = Outside()
    request(engine, account="other", card_sent_at=x.now, updated_at=x.now)
    assert step(engine, x, 2) == 0
    assert debts(engine) == []


def test_the_answer_goes_through_the_one_door(engine):
    x = Outside()
    row = x.send_card(engine)
    take(engine, snapshot(row, x.now, score=1), "webhook", x.now)
    x.answer(row, score=5)
    x.advance(HOUR)
    report = run(engine, x)
    assert (report.asked, report.news) == (1, 1)
    assert answer_of(engine, row)[0] == 1


def test_new_cards_are_looked_for_once_a_minute(engine):
    x, found = Outside(), []
    for seconds in (0, 59, 1):
        x.advance(timedelta(seconds=seconds))
        x.send_card(engine)
        found.append(run(engine, x).enrolled)
    assert found == [1, 0, 2]
