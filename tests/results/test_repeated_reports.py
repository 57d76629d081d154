"""Several reports about one request: the verdict on each, what the row counts, and whose card it names."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.db import writing
from service.models import result
from service.results.answer import Answer
from service.results.card import take_in
from service.results.ingest import ingest
from service.results.merge import Update
from service.telemetry.counters import PROCESS_COUNTS
from service.x_api.cards import parse_feedback
from tests.results.cards import HOUR, NOW, request, result_of, shop, snapshot, take

MINUTE = timedelta(minutes=1)


def take_all(engine, *bodies, now=NOW):
    with writing(engine) as connection:
        return take_in(connection, shop(), [parse_feedback(each) for each in bodies], "webhook", now)


def unrecorded(engine):
    """A request of whose card outreach has heard nothing, and the card as X shows it."""
    row = request(engine, feedback_id=None, card_dm_id=None)
    return {**row, "feedback_id": "900", "card_dm_id": "901"}


def test_the_second_of_two_simultaneous_reports_is_judged_by_the_first(engine):
    row = request(engine)
    told = [
        snapshot(row, NOW, score=4),
        snapshot(row, NOW - MINUTE, score=4, score_at=NOW),
        snapshot(row, NOW, score=4),
    ]
    assert take_all(engine, *told) == ["applied", "older", "repeat"]


def test_a_report_without_an_answer_counts_once_there_is_one(engine):
    row = request(engine)
    assert take(engine, snapshot(row, NOW - MINUTE)) == "older"
    assert result_of(engine, row) is None
    assert take(engine, snapshot(row, NOW, score=4)) == "applied"
    assert result_of(engine, row)["update_count"] == 2


def test_evidence_of_a_card_keeps_its_first_channel(engine):
    card = unrecorded(engine)
    assert take(engine, snapshot(card, NOW), "webhook", NOW) == "applied"
    assert take(engine, snapshot(card, NOW + MINUTE), "show", NOW + HOUR) == "applied"
    found = result_of(engine, card)
    assert (found["first_channel"], found["first_seen_at"], found["update_count"]) == ("webhook", NOW, 2)


def test_an_undated_card_is_evidence_too(engine):
    body = snapshot(unrecorded(engine), NOW, created_at=None)
    assert take(engine, {name: value for name, value in body.items() if name != "updated_at"}) == "applied"


@pytest.mark.parametrize("recorded", [None, "77"])
def test_the_recorded_or_first_of_two_cards_names_the_feedback_id(engine, recorded):
    row = request(engine, feedback_id=recorded, card_dm_id=None)
    first, second = ({**row, "feedback_id": each} for each in ("900", "901"))
    take_all(engine, snapshot(first, NOW, score=4), snapshot(second, NOW + MINUTE, score=4, score_at=NOW))
    assert result_of(engine, row)["feedback_id"] == (recorded or "900")
    take(engine, snapshot(second, NOW + HOUR, score=4, score_at=NOW))
    assert result_of(engine, row)["feedback_id"] == (recorded or "900")


def test_a_card_names_an_answer_that_came_by_the_page(engine):
    card = unrecorded(engine)
    with writing(engine) as connection:
        ingest(connection, Answer(card["id"], "page", "page", Update(NOW, 4, NOW)), NOW)
    assert result_of(engine, card)["feedback_id"] is None
    take(engine, snapshot(card, NOW))
    assert result_of(engine, card)["feedback_id"] == "900"


def test_a_contradiction_that_changes_nothing_else_moves_the_row_all_the_same(engine):
    row = request(engine)
    take(engine, snapshot(row, NOW, score=4), now=NOW)
    assert take(engine, snapshot(row, NOW - MINUTE, score=1, score_at=NOW + MINUTE), now=NOW + HOUR) == "anomaly"
    found = result_of(engine, row)
    assert (found["score"], found["anomalies"], found["updated_at"]) == (4, 1, NOW + HOUR)


def test_a_score_after_a_forgotten_text_is_no_first_answer(engine):
    row = request(engine)
    take(engine, snapshot(row, NOW, text="It was Anna."), now=NOW)
    with writing(engine) as connection:
        connection.execute(sa.update(result).values(text=None))
    take(engine, snapshot(row, NOW + MINUTE, score=4), "show", NOW + HOUR)
    found = result_of(engine, row)
    assert (found["first_channel"], found["first_seen_at"], found["score_seen_at"]) == ("webhook", NOW, NOW + HOUR)
    assert (found["text"], found["text_at"]) == (None, NOW)


def counted():
    return {key: row for key, row in PROCESS_COUNTS.so_far().items() if key[0] in {"results", "card_to_answer_seconds"}}


@pytest.mark.parametrize("outcome_at", [None, NOW - HOUR])
def test_a_request_is_counted_once_with_its_first_answer_and_the_time_it_took(sqlite_engine, outcome_at):
    PROCESS_COUNTS.begin_anew()
    row = request(sqlite_engine, outcome_at=outcome_at)
    take(sqlite_engine, snapshot(row, NOW - MINUTE))
    assert counted() == {}, "it says nothing yet"
    for n in range(3):
        take(sqlite_engine, snapshot(row, NOW + n * MINUTE, score=4, score_at=NOW), now=NOW)
    found = counted()
    assert found.pop(("results", ("shop", "webhook"))) == (1.0,)
    times = [row[-1] for row in found.values()]
    assert times == ([] if outcome_at is None else [3600.0])
