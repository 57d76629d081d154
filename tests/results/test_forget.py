"""Retention removes texts and superseded rows; erasure removes a person's words for good; scores stay unless asked."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.db import batch_deletion, reading, writing
from service.models import feedback_request, poll_window, refresh, result, result_update, stray_feedback
from service.results.card import take_in
from service.results.forget import erase, too_old
from service.results.ingest import Verdict
from service.results.poll import complete_until
from service.x_api.cards import parse_feedback
from tests.results.cards import (
    DAY,
    HOUR,
    NOW,
    answer_of,
    history_of,
    request,
    result_of,
    shop,
    snapshot,
    strays,
    take,
    x_date,
)

LONG_AGO = NOW - 800 * DAY


def answered(engine, now=NOW, **changes):
    row = request(engine, **{"ended_at": now - DAY, **changes})
    take(engine, snapshot(row, now - HOUR, score=4), now=now - HOUR)
    take(engine, snapshot(row, now, score=4, score_at=now - HOUR, text="It was Anna."), now=now)
    return row


def cut(engine, texts=NOW - 730 * DAY, history=NOW - 365 * DAY, dry_run=False, now=NOW):
    kinds = too_old(texts_before=texts, history_before=history, now=now)
    return {each.name: (batch_deletion.count if dry_run else batch_deletion.forget)(engine, each) for each in kinds}


def forget(engine, row, scores=False, mark=True):
    with writing(engine) as connection:
        went = dict(erase(connection, row["x_user_id"], scores=scores, now=NOW + HOUR))
        if mark:
            mine = feedback_request.c.id == row["id"]
            gone = {"x_user_id": None, "feedback_id": None, "card_dm_id": None}
            connection.execute(sa.update(feedback_request).where(mine).values(erased_at=NOW + HOUR, **gone))
        return went


def words(engine):
    with reading(engine) as connection:
        return [
            text
            for table in (result, result_update)
            for text in connection.scalars(sa.select(table.c.text).where(table.c.text.is_not(None)))
        ]


def test_old_texts_go_and_their_dates_and_the_scores_stay(engine):
    old, young = answered(engine, LONG_AGO), answered(engine)
    assert cut(engine)["texts"] == 1
    assert answer_of(engine, old) == (4, LONG_AGO - HOUR, None, LONG_AGO)
    assert answer_of(engine, young)[2] == "It was Anna."
    assert words(engine) == ["It was Anna."] * 2


def test_a_changed_row_does_not_keep_its_text_longer(engine):
    row = answered(engine, LONG_AGO)
    take(engine, snapshot(row, NOW, score=1, score_at=LONG_AGO, text="It was Anna.", text_at=LONG_AGO))
    assert result_of(engine, row)["updated_at"] == NOW
    assert cut(engine, now=NOW + HOUR)["texts"] == 1
    found = result_of(engine, row)
    assert (found["text"], found["updated_at"], found["text_seen_at"]) == (None, NOW + HOUR, LONG_AGO)
    assert cut(engine)["texts"] == 0


def test_a_text_of_an_older_version_is_dated_by_its_row(engine):
    row = answered(engine, LONG_AGO)
    with writing(engine) as connection:
        connection.execute(sa.update(result).values(text_seen_at=None))
    assert cut(engine)["texts"] == 1
    assert result_of(engine, row)["text"] is None


def test_mirrors_learn_of_every_erasure(engine):
    scored, worded, both = request(engine), request(engine), request(engine)
    take(engine, snapshot(scored, NOW, score=4))
    take(engine, snapshot(worded, NOW, text="It was Anna."))
    take(engine, snapshot(both, NOW, score=4, text="It was Anna."))
    for row in (scored, worded, both):
        forget(engine, row)
    told = [(result_of(engine, row)["updated_at"], result_of(engine, row)["gone_at"]) for row in (scored, worded, both)]
    assert told == [(NOW + HOUR, None), (NOW + HOUR, NOW + HOUR), (NOW + HOUR, None)]


def test_with_its_score_the_whole_answer_is_gone(engine):
    row = request(engine)
    take(engine, snapshot(row, NOW, score=4))
    forget(engine, row, scores=True)
    assert result_of(engine, row)["gone_at"] == NOW + HOUR


def test_old_history_goes_where_a_newer_update_covers_it(engine):
    old, young = answered(engine, NOW - 400 * DAY), answered(engine)
    assert cut(engine)["updates"] == 1
    assert [(each["score"], each["text"]) for each in history_of(engine, old)] == [(None, None), (4, "It was Anna.")]
    assert [each["score"] for each in history_of(engine, young)] == [4, 4]


def read_again(engine, row, *bodies):
    return [take(engine, snapshot(row, **body), "events", NOW) for body in bodies]


@pytest.mark.parametrize("dated", [{}, {"created_at": None}], ids=["dated", "undated"])
def test_a_pruned_text_does_not_come_back_when_x_repeats_it(engine, dated):
    row = request(engine)
    text = {"value": "It was Anna.", "created_at": x_date(LONG_AGO), **dated}
    first = {"updated_at": LONG_AGO, "response": {"text": text}}
    score = {"value": 2, "created_at": x_date(LONG_AGO + HOUR)}
    second = {"updated_at": LONG_AGO + HOUR, "response": {"text": text, "score": score}}
    for body in (first, second):
        take(engine, snapshot(row, **body), now=LONG_AGO + HOUR)
    cut(engine, texts=LONG_AGO)  # the history's time is over first
    assert words(engine) == ["It was Anna."] * 2
    cut(engine)
    before = result_of(engine, row)
    assert (before["score"], before["text"], before["text_at"] is None) == (2, None, False)
    assert read_again(engine, row, first, second) == [Verdict.REPEAT] * 2
    third = {**second, "updated_at": NOW}
    assert read_again(engine, row, third) == [Verdict.APPLIED]
    assert words(engine) == []
    assert result_of(engine, row) == {**before, "update_count": 3, "x_updated_at": NOW, "updated_at": NOW}
    assert read_again(engine, row, third) == [Verdict.REPEAT]


def test_a_score_that_comes_after_the_texts_time_brings_no_text_back(engine):
    row = request(engine)
    take(engine, snapshot(row, LONG_AGO, text="It was Anna."), now=LONG_AGO)
    cut(engine)
    both = {"updated_at": NOW, "score": 2, "text": "It was Anna.", "text_at": LONG_AGO}
    assert read_again(engine, row, both) == [Verdict.APPLIED]
    assert (answer_of(engine, row), words(engine)) == ((2, NOW, None, LONG_AGO), [])
    found = result_of(engine, row)
    assert (found["first_channel"], found["first_seen_at"]) == ("webhook", LONG_AGO)
    assert read_again(engine, row, both) == [Verdict.REPEAT]


def test_an_update_kept_longer_than_the_row_brings_no_text_back(engine):
    row = request(engine)
    take(engine, snapshot(row, LONG_AGO, text="It was Anna."), now=LONG_AGO)
    take(engine, snapshot(row, LONG_AGO - HOUR, text="It was Anna.", text_at=LONG_AGO), now=NOW - DAY)
    cut(engine)
    take(engine, snapshot(row, NOW, score=2))
    assert answer_of(engine, row) == (2, NOW, None, LONG_AGO)
    assert (result_of(engine, row)["anomalies"], len(words(engine))) == (0, 1)


def test_contradictions_are_never_pruned(engine):
    row = answered(engine, LONG_AGO)
    take(engine, snapshot(row, LONG_AGO + HOUR, score=1), now=LONG_AGO + HOUR)
    cut(engine)
    assert [each["score"] for each in history_of(engine, row)] == [4, 4, 1]
    assert result_of(engine, row)["anomalies"] == 1


def test_a_dry_run_counts_the_same_and_removes_nothing(engine):
    row = answered(engine, LONG_AGO)
    before = (result_of(engine, row), history_of(engine, row))
    foretold = cut(engine, dry_run=True)
    assert (result_of(engine, row), history_of(engine, row)) == before
    assert cut(engine) == foretold
    assert foretold["texts"] == foretold["updates"] == 1
    assert set(cut(engine).values()) == {0}


def test_a_pruned_value_still_counts_against_a_later_report(engine):
    row = answered(engine, LONG_AGO)
    cut(engine)
    assert take(engine, snapshot(row, NOW, score=1)) == Verdict.ANOMALY
    assert answer_of(engine, row)[:2] == (4, LONG_AGO - HOUR)
    assert answer_of(engine, row)[3] == LONG_AGO


def test_a_score_without_its_update_is_kept(engine):
    row = request(engine, ended_at=LONG_AGO - DAY)
    take(engine, snapshot(row, LONG_AGO, score=5), now=LONG_AGO)
    take(engine, snapshot(row, LONG_AGO + HOUR), now=LONG_AGO + HOUR)
    assert cut(engine)["updates"] == 1
    take(engine, snapshot(row, NOW, text="late"))
    assert answer_of(engine, row) == (5, LONG_AGO, "late", NOW)


def test_finished_refreshes_and_windows_are_deleted_except_the_newest(engine):
    row = request(engine, card_sent_at=LONG_AGO)
    with writing(engine) as connection:
        debt = {"account": "shop", "feedback_id": "1", "checks": 3}
        connection.execute(sa.insert(refresh).values(request_id=row["id"], due_at=None, **debt))
        for day in (0, 1):
            window = {"account": "shop", "from_time": LONG_AGO + day * DAY, "to_time": LONG_AGO + (day + 1) * DAY}
            counts = {"pages": 1, "events": 0, "found_missing": 0, "done_at": LONG_AGO + 9 * DAY}
            connection.execute(sa.insert(poll_window).values(**window, **counts))
    gone = cut(engine)
    assert (gone["refresh"], gone["poll_windows"]) == (1, 1)
    with reading(engine) as connection:
        assert complete_until(connection, "shop") == LONG_AGO + 2 * DAY


def test_an_erased_persons_words_are_gone_everywhere_and_the_score_stays(engine):
    row, other = answered(engine), answered(engine)
    assert forget(engine, row) == {"results": 1, "updates": 2, "refresh": 0}
    assert answer_of(engine, row) == (4, NOW - HOUR, None, None)
    assert words(engine) == ["It was Anna."] * 2
    assert answer_of(engine, other)[2] == "It was Anna."
    assert result_of(engine, row)["updated_at"] == NOW + HOUR


def test_the_score_is_deleted_too_if_set(engine):
    row = answered(engine)
    forget(engine, row, scores=True)
    assert answer_of(engine, row) == (None, None, None, None)
    assert history_of(engine, row) == []


@pytest.mark.parametrize("scores", [False, True])
def test_nothing_brings_an_erased_persons_words_back(engine, scores):
    row = answered(engine)
    forget(engine, row, scores=scores)
    before = result_of(engine, row)
    again = snapshot(row, NOW, score=4, score_at=NOW - HOUR, text="It was Anna.")
    later = snapshot(row, NOW + DAY, score=4, text="It was Anna.")
    for channel in ("webhook", "events", "show"):
        assert [take(engine, body, channel, NOW + DAY) for body in (again, later)] == [Verdict.ERASED] * 2
    assert result_of(engine, row) == before
    assert words(engine) == []


def test_an_answer_on_its_way_in_is_not_kept_past_an_erasure(engine):
    row = request(engine)
    erasing = threading.Thread(target=forget, args=(engine, row))
    with writing(engine) as connection:
        take_in(connection, shop(), [parse_feedback(snapshot(row, NOW, text="It was Anna."))], "webhook", NOW)
        erasing.start()
        erasing.join(timeout=0.3)  # it must wait for us; if it does not, it is over before we commit
    erasing.join()
    assert words(engine) == []


def test_an_answer_that_meets_an_erasure_finds_the_request_erased(engine):
    row, got = request(engine), []
    late = threading.Thread(target=lambda: got.append(take(engine, snapshot(row, NOW, text="It was Anna."))))
    with writing(engine) as connection:
        erase(connection, row["x_user_id"], scores=False, now=NOW)
        late.start()
        late.join(timeout=0.3)
        mine = feedback_request.c.id == row["id"]
        connection.execute(sa.update(feedback_request).where(mine).values(erased_at=NOW))
    late.join()
    assert (got, words(engine)) == ([Verdict.ERASED], [])


def test_the_digest_of_an_erased_text_goes_with_it(engine):
    row = answered(engine)
    before = {each["digest"] for each in history_of(engine, row)}
    forget(engine, row)
    assert before.isdisjoint(each["digest"] for each in history_of(engine, row))


def test_no_feedback_id_leads_back_to_an_erased_person(engine):
    row, other = answered(engine), answered(engine)
    with writing(engine) as connection:
        debt = {"account": "shop", "feedback_id": row["feedback_id"], "checks": 0, "due_at": NOW}
        connection.execute(sa.insert(refresh).values(request_id=row["id"], **debt))
        stray = {"feedback_id": row["feedback_id"], "account": "shop", "first_seen_at": NOW, "channel": "show"}
        connection.execute(sa.insert(stray_feedback).values(stray))
    forget(engine, row)
    with reading(engine) as connection:
        debts = connection.scalars(sa.select(refresh.c.feedback_id)).all()
    found = {result_of(engine, row)["feedback_id"], *(each["feedback_id"] for each in history_of(engine, row)), *debts}
    assert len(found) == 1
    assert found.isdisjoint({row["feedback_id"], other["feedback_id"]})
    assert strays(engine) == []
    assert result_of(engine, other)["feedback_id"] == other["feedback_id"]
    later = {"updated_at": NOW + DAY, "score": 4, "text": "It was Anna."}
    assert read_again(engine, row, later) == [Verdict.ERASED]
    assert take(engine, snapshot(row, **later, external_id=None)) == Verdict.STRAY
    assert (words(engine), strays(engine)) == (["It was Anna."] * 2, [row["feedback_id"]])


def test_the_history_of_an_erased_person_is_pruned_like_any_other(engine):
    row = answered(engine, LONG_AGO)
    forget(engine, row)
    assert cut(engine)["updates"] == 1
    assert [each["score"] for each in history_of(engine, row)] == [None, 4]
    assert answer_of(engine, row) == (4, LONG_AGO - HOUR, None, None)


def test_an_erased_person_is_not_asked_about_again(engine):
    row = answered(engine)
    with writing(engine) as connection:
        debt = {"account": "shop", "feedback_id": "1", "checks": 0, "due_at": NOW + timedelta(hours=1)}
        connection.execute(sa.insert(refresh).values(request_id=row["id"], **debt))
    assert forget(engine, row)["refresh"] == 1
    assert forget(engine, row, mark=False) == {"results": 0, "updates": 0, "refresh": 0}


def test_erasing_twice_or_nobody_changes_nothing(engine):
    row = answered(engine)
    forget(engine, row)
    before = result_of(engine, row)
    assert forget(engine, row)["results"] == 0
    assert forget(engine, {"id": "none", "x_user_id": "1"}) == {"results": 0, "updates": 0, "refresh": 0}
    assert result_of(engine, row) == before


def test_a_contradiction_without_its_text_stays_one(engine):
    row = request(engine, card_sent_at=LONG_AGO)
    for hours, text in enumerate(("It was Anna.", "It was Bob.")):
        take(engine, snapshot(row, LONG_AGO + hours * HOUR, text=text), now=LONG_AGO + hours * HOUR)
    assert result_of(engine, row)["anomalies"] == 1
    cut(engine)
    take(engine, snapshot(row, LONG_AGO + 3 * HOUR, score=2), now=NOW)
    assert (result_of(engine, row)["score"], result_of(engine, row)["anomalies"]) == (2, 1)
