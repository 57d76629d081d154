"""One request has one result in whichever way the customer answered, known by request and way."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.db import writing
from service.results.answer import Answer
from service.results.card import fresh, take_in
from service.results.ingest import Verdict, ingest, ingest_all
from service.results.merge import Update
from service.x_api.cards import parse_feedback
from tests.results.cards import HOUR, NOW, history_of, request, result_of, shop, snapshot, strays, take

MINUTE = timedelta(minutes=1)


def say(engine, row, way, at, score=None, text=None, now=NOW):
    """A customer answers by a way of its own, dated by its own clock."""
    channel = {"page": "page", "quick_reply": "dm", "chat": "dm"}[way]
    told = Update(at, score, at if score is not None else None, text, at if text is not None else None)
    with writing(engine) as connection:
        return ingest(connection, Answer(row["id"], way, channel, told), now)


def shown(engine, row):
    found = result_of(engine, row)
    return tuple(found[name] for name in ("way", "score", "score_way", "text", "text_way", "anomalies"))


@pytest.mark.parametrize("way", ["page", "quick_reply", "chat"])
def test_an_answer_needs_no_card(engine, way):
    row = request(engine, feedback_id=None, card_dm_id=None)
    assert say(engine, row, way, NOW, score=4) == Verdict.APPLIED
    assert shown(engine, row) == (way, 4, way, None, None, 0)
    found = result_of(engine, row)
    assert (found["feedback_id"], found["score_at"], found["score_seen_at"], found["text_seen_at"]) == (
        None, NOW, NOW, None,
    )  # fmt: skip


def test_score_and_text_may_come_by_two_ways_each_with_its_own_time(engine):
    row = request(engine)
    say(engine, row, "quick_reply", NOW, score=4)
    assert say(engine, row, "page", NOW + HOUR, text="ok", now=NOW + HOUR) == Verdict.APPLIED
    assert shown(engine, row) == ("quick_reply", 4, "quick_reply", "ok", "page", 0)
    found = result_of(engine, row)
    assert (found["score_at"], found["text_at"]) == (NOW, NOW + HOUR)
    assert (found["score_seen_at"], found["text_seen_at"], found["first_channel"]) == (NOW, NOW + HOUR, "dm")


def test_a_later_different_answer_by_another_way_is_kept_and_not_applied(engine):
    row = request(engine)
    take(engine, snapshot(row, NOW - HOUR, score=5))
    assert say(engine, row, "page", NOW, score=1) == Verdict.ANOMALY
    assert shown(engine, row) == ("card", 5, "card", None, None, 1)
    assert [(each["way"], each["score"], each["verdict"]) for each in history_of(engine, row)] == [
        ("card", 5, "applied"), ("page", 1, "anomaly"),
    ]  # fmt: skip


def test_the_first_score_counts_in_any_order_of_reports(engine):
    row = request(engine)
    say(engine, row, "page", NOW, score=1)
    assert take(engine, snapshot(row, NOW - HOUR, score=5), "events") == Verdict.APPLIED
    assert shown(engine, row) == ("page", 5, "card", None, None, 1)
    assert [each["verdict"] for each in history_of(engine, row)] == ["anomaly", "applied"]


def test_equal_answers_repeat_only_within_one_way(engine):
    row = request(engine)
    say(engine, row, "page", NOW, score=4)
    assert say(engine, row, "page", NOW, score=4) == Verdict.REPEAT
    assert say(engine, row, "quick_reply", NOW, score=4) == Verdict.OLDER
    assert shown(engine, row) == ("page", 4, "page", None, None, 0)
    assert result_of(engine, row)["update_count"] == 2


def test_a_card_reported_after_another_way_gives_the_row_its_id(engine):
    row = request(engine)
    say(engine, row, "page", NOW, score=4)
    take(engine, snapshot(row, NOW - HOUR))
    assert result_of(engine, row)["feedback_id"] == row["feedback_id"]
    assert shown(engine, row) == ("page", 4, "page", None, None, 0)


def test_nobody_asked_is_a_stray_and_an_erased_person_says_nothing_more(engine):
    row = request(engine, erased_at=NOW)
    assert say(engine, {"id": "fr_nobody"}, "page", NOW, score=4) == Verdict.STRAY
    assert say(engine, row, "page", NOW, score=4) == Verdict.ERASED
    assert result_of(engine, row) is None


@pytest.mark.parametrize("score", [0, 6, 11])
def test_a_score_off_the_scale_is_stored_and_never_counts(engine, score):
    row = request(engine)
    assert say(engine, row, "page", NOW, score=score) == Verdict.ANOMALY
    assert result_of(engine, row) is None


TELLINGS = st.lists(
    st.tuples(
        st.sampled_from(["card", "page", "quick_reply"]),
        st.integers(0, 3),
        st.one_of(st.none(), st.integers(1, 3)),
        st.one_of(st.none(), st.sampled_from(["a", "b"])),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tellings=TELLINGS, seed=st.randoms(use_true_random=False))
def test_whatever_the_order_and_however_many_at_once_the_row_is_the_same(sqlite_engine, tellings, seed):
    one, other, at_once = (request(sqlite_engine) for _ in range(3))
    shuffled = seed.sample(tellings, len(tellings))

    def answers(row, told):
        return [
            Answer(row["id"], way, "page", Update(at, score, at if score else None, text, at if text else None))
            for way, minute, score, text in told
            for at in [NOW + minute * MINUTE]
        ]

    for row, told in ((one, tellings), (other, shuffled)):
        for answer in answers(row, told):
            with writing(sqlite_engine) as connection:
                ingest(connection, answer, NOW)
    with writing(sqlite_engine) as connection:
        ingest_all(connection, answers(at_once, tellings), NOW)
    ends = [result_of(sqlite_engine, row) for row in (one, other, at_once)]
    same = [
        None if end is None else {name: value for name, value in end.items() if name not in {"request_id", "way"}}
        for end in ends
    ]
    assert same[0] == same[1] == same[2]
    kept = [
        sorted((u["way"], u["digest"], u["verdict"] == "anomaly") for u in history_of(sqlite_engine, row))
        for row in (one, other, at_once)
    ]
    assert kept[0] == kept[1] == kept[2]


# -- a bound per item


def statements(engine, work):
    seen = []

    def note(*args):
        seen.append(args[2])

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    return len(seen)


def bring(engine, bodies):
    feedbacks = [parse_feedback(body) for body in bodies]

    def work():
        with writing(engine) as connection:
            return take_in(connection, shop(), fresh(connection, feedbacks), "webhook", NOW)

    return statements(engine, work)


def test_many_updates_of_one_card_cost_no_more_statements_than_one(engine):
    few, many = request(engine), request(engine)
    cost = {
        count: bring(engine, [snapshot(row, NOW + n * MINUTE, score=1 + n % 5) for n in range(count)])
        for row, count in ((few, 2), (many, 1600))
    }
    assert cost[1600] <= cost[2] + 1
    assert result_of(engine, many)["update_count"] == 1600
    assert (result_of(engine, many)["score"], result_of(engine, many)["anomalies"]) == (1, 1280)


def test_many_cards_cost_a_few_statements_each(engine):
    rows = [request(engine) for _ in range(40)]
    assert bring(engine, [snapshot(row, NOW, score=4) for row in rows]) <= 40 * 8 + 8


def test_many_repeats_and_strays_cost_few_statements(engine):
    row = request(engine)
    body = snapshot(row, NOW, score=4)
    take(engine, body)
    assert bring(engine, [body] * 500) <= 4
    nobodys = [snapshot({**row, "id": "fr_nobody", "feedback_id": str(n), "card_dm_id": None}, NOW) for n in range(50)]
    assert bring(engine, nobodys) <= 50 * 3 + 6
    assert len(strays(engine)) == 50


def test_unreadable_fields_are_counted_with_the_answer(engine):
    row = request(engine)
    take(engine, snapshot(row, NOW, score=4, dm_id=1.9e18))
    (kept,) = history_of(engine, row)
    assert (kept["unread"], kept["score"]) == ("dm_id", 4)
