"""The one door: the same rows whatever the order, channel and number of reports."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from service.db import writing
from service.models import feedback_request
from service.results import forget
from service.results.card import take_in
from service.results.ingest import Verdict
from service.x_api.cards import parse_feedback
from service.x_api.fields import ID_LIMIT
from tests.results.cards import (
    DAY,
    HOUR,
    NOW,
    answer_of,
    history_of,
    number,
    request,
    result_of,
    shop,
    snapshot,
    strays,
    take,
    x_date,
)

MINUTE = timedelta(minutes=1)
EARLIER = NOW - 30 * MINUTE
CHANNELS = ("webhook", "events", "show")


def test_a_first_answer_makes_a_row_with_its_own_clocks(engine):
    row = request(engine)
    body = snapshot(row, NOW, score=4, score_at=EARLIER, text="ok", text_at=NOW)
    assert take(engine, body) == Verdict.APPLIED
    found = result_of(engine, row)
    assert (found["score"], found["score_at"], found["text"], found["text_at"]) == (4, EARLIER, "ok", NOW)
    assert (found["x_updated_at"], found["first_channel"], found["update_count"], found["anomalies"]) == (
        NOW,
        "webhook",
        1,
        0,
    )


def test_a_text_that_comes_later_joins_the_score(engine):
    row = request(engine)
    take(engine, snapshot(row, EARLIER, score=4))
    assert take(engine, snapshot(row, NOW, score=4, score_at=EARLIER, text="ok"), "events") == Verdict.APPLIED
    assert answer_of(engine, row) == (4, EARLIER, "ok", NOW)
    assert result_of(engine, row)["first_channel"] == "webhook"


def test_an_older_update_changes_nothing_and_is_kept(engine):
    row = request(engine)
    take(engine, snapshot(row, NOW, score=4, score_at=EARLIER, text="ok"))
    before = result_of(engine, row)
    assert take(engine, snapshot(row, EARLIER, score=4), now=NOW + HOUR) == Verdict.OLDER
    assert result_of(engine, row) == {**before, "update_count": 2}
    assert [each["verdict"] for each in history_of(engine, row)] == ["applied", "older"]


def test_an_older_update_still_brings_a_value_we_do_not_have(engine):
    row = request(engine)
    take(engine, snapshot(row, NOW, text="ok"))
    assert take(engine, snapshot(row, EARLIER, score=4)) == Verdict.APPLIED
    assert answer_of(engine, row) == (4, EARLIER, "ok", NOW)
    assert result_of(engine, row)["x_updated_at"] == NOW


def test_a_newer_update_without_the_value_takes_nothing_back(engine):
    row = request(engine)
    take(engine, snapshot(row, EARLIER, score=4))
    take(engine, snapshot(row, NOW))
    assert answer_of(engine, row) == (4, EARLIER, None, None)


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_repeat_by_any_channel_writes_nothing(engine, channel):
    row = request(engine)
    body = snapshot(row, NOW, score=4)
    take(engine, body)
    statements = []
    sa.event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert take(engine, body, channel, NOW + HOUR) == Verdict.REPEAT
    assert [each for each in statements if not each.startswith(("SELECT", "BEGIN"))] == []


def test_a_changed_score_is_kept_as_an_anomaly_with_both_values_and_not_applied(engine):
    row = request(engine)
    take(engine, snapshot(row, EARLIER, score=4))
    with capture_logs() as lines:
        assert take(engine, snapshot(row, NOW, score=1, score_at=EARLIER)) == Verdict.ANOMALY
    assert [(line["event"], line["request_id"]) for line in lines] == [
        ("answer_received", row["id"]), ("result_contradicts", row["id"]),
    ]  # fmt: skip
    found = result_of(engine, row)
    assert (found["score"], found["anomalies"]) == (4, 1)
    assert [(each["score"], each["verdict"]) for each in history_of(engine, row)] == [(4, "applied"), (1, "anomaly")]


def test_of_several_reports_at_once_one_contradiction_is_logged(engine):
    row = request(engine)
    bodies = (snapshot(row, EARLIER, score=4), snapshot(row, NOW, score=1, score_at=EARLIER))
    with capture_logs() as lines, writing(engine) as connection:
        take_in(connection, shop(), [parse_feedback(each) for each in bodies], "events", NOW)
    assert [line["event"] for line in lines] == ["answer_received", "result_contradicts"]


def test_the_score_given_first_counts_in_any_order_of_arrival(engine):
    first, second = request(engine), request(engine)
    for row, bodies in ((first, (0, 1)), (second, (1, 0))):
        both = [snapshot(row, EARLIER, score=5, score_at=EARLIER), snapshot(row, NOW, score=2, score_at=NOW)]
        for index in bodies:
            take(engine, both[index])
    for row in (first, second):
        assert (result_of(engine, row)["score"], result_of(engine, row)["anomalies"]) == (5, 1)
        assert {(each["score"], each["verdict"] == "anomaly") for each in history_of(engine, row)} == {
            (5, False),
            (2, True),
        }


def test_a_changed_text_is_an_anomaly_too(engine):
    row = request(engine)
    take(engine, snapshot(row, EARLIER, text="good"))
    assert take(engine, snapshot(row, NOW, text="bad")) == Verdict.ANOMALY
    assert answer_of(engine, row) == (None, None, "good", EARLIER)


def test_a_score_outside_the_cards_scale_never_counts(engine):
    row = request(engine, type="csat")
    # X left the type out, so the parser could not know the scale; the request does.
    assert take(engine, snapshot(row, NOW, score=9, type=None)) == Verdict.ANOMALY
    assert result_of(engine, row) is None
    take(engine, snapshot(row, NOW, score=3, score_at=NOW))
    assert (result_of(engine, row)["score"], result_of(engine, row)["anomalies"]) == (3, 1)


def test_a_score_off_the_scale_takes_no_text_with_it(engine):
    row = request(engine, type="csat")
    assert take(engine, snapshot(row, NOW, score=0, text="It was Anna.")) == Verdict.ANOMALY
    assert answer_of(engine, row) == (None, None, "It was Anna.", NOW)
    assert (result_of(engine, row)["anomalies"], history_of(engine, row)[0]["score"]) == (1, 0)


def test_a_date_later_than_the_update_that_carries_it_does_no_harm(engine):
    row = request(engine)
    take(engine, snapshot(row, EARLIER, score=4, score_at=NOW))
    assert answer_of(engine, row) == (4, NOW, None, None)
    assert result_of(engine, row)["x_updated_at"] == EARLIER


def test_missing_dates_do_no_harm(engine):
    row = request(engine)
    body = snapshot(row, NOW, created_at=None, response={"score": {"value": 4}})
    del body["updated_at"]
    assert take(engine, body) == Verdict.APPLIED
    assert answer_of(engine, row) == (4, None, None, None)
    take(engine, snapshot(row, NOW, score=4))
    assert answer_of(engine, row) == (4, NOW, None, None)


def test_only_an_id_and_a_score_are_enough(engine):
    row = request(engine)
    take(engine, {"id": int(row["feedback_id"]), "response": {"score": {"value": 5}}})
    assert answer_of(engine, row)[0] == 5


def test_both_spellings_of_a_card_are_one_update(engine):
    row = request(engine)
    spelt = snapshot(row, NOW, score=4)
    collapsed = {
        **snapshot(row, NOW, id=int(row["feedback_id"]), question_variant_id=3, dm_id=int(row["card_dm_id"])),
        "updated_at": x_date(NOW, collapsed=True),
        "response": {"score": {"value": 4, "created_at": x_date(NOW, collapsed=True)}, "text": None},
    }
    assert take(engine, spelt) == Verdict.APPLIED
    assert take(engine, collapsed, "events") == Verdict.REPEAT


# -- whose is it ------------------------------------------------------------------------------------------------------


def test_a_card_is_known_by_external_id_before_outreach_recorded_its_id(engine):
    row = request(engine, feedback_id=None, card_dm_id=None, state="unknown")
    body = snapshot({**row, "feedback_id": "777", "card_dm_id": "778"}, NOW, score=2)
    assert take(engine, body) == Verdict.APPLIED
    found = result_of(engine, row)
    assert (found["feedback_id"], found["score"]) == ("777", 2)


def test_a_card_is_known_by_its_dm(engine):
    row = request(engine, feedback_id=None)
    body = snapshot({**row, "feedback_id": "779"}, NOW, score=2, external_id=None)
    assert take(engine, body) == Verdict.APPLIED
    assert result_of(engine, row)["feedback_id"] == "779"


def test_a_result_is_known_by_its_feedback_id_when_nothing_else_says_so(engine):
    row = request(engine, feedback_id=None)
    take(engine, snapshot({**row, "feedback_id": "780"}, EARLIER, score=2))
    assert take(engine, {"id": "780", "response": {"text": {"value": "ok"}}}) == Verdict.APPLIED
    assert answer_of(engine, row)[2] == "ok"


def test_the_ledger_is_never_written(engine):
    row = request(engine, feedback_id=None, state="unknown")
    take(engine, snapshot({**row, "feedback_id": "781"}, NOW, score=2))
    with engine.connect() as connection:
        found = connection.execute(sa.select(feedback_request).where(feedback_request.c.id == row["id"])).one()
    assert (found.feedback_id, found.state, found.updated_at) == (None, "unknown", row["updated_at"])


def test_a_card_without_an_answer_makes_a_row_only_as_evidence(engine):
    known, unproven = request(engine), request(engine, feedback_id=None)
    assert take(engine, snapshot(known, NOW)) == Verdict.OLDER
    assert result_of(engine, known) is None
    assert take(engine, snapshot({**unproven, "feedback_id": "782"}, NOW)) == Verdict.APPLIED
    found = result_of(engine, unproven)
    assert (found["feedback_id"], found["score"], found["text"]) == ("782", None, None)


def test_the_first_channel_is_that_of_the_first_answer_not_of_the_evidence(engine):
    row = request(engine, feedback_id=None)
    body = {**row, "feedback_id": "783"}
    take(engine, snapshot(body, EARLIER), "events", NOW)
    take(engine, snapshot(body, NOW, score=3), "webhook", NOW + HOUR)
    found = result_of(engine, row)
    assert (found["first_channel"], found["first_seen_at"]) == ("webhook", NOW + HOUR)


def test_a_card_nobody_asked_for_is_counted_without_its_words(engine):
    body = snapshot(
        {"feedback_id": "666", "card_dm_id": "667", "id": "ticket_5555", "x_user_id": "1"}, NOW, text="private"
    )
    assert take(engine, body) == Verdict.STRAY
    assert take(engine, body) == Verdict.STRAY
    assert strays(engine) == ["666"]
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM result_update").scalar_one() == 0


def test_another_accounts_card_is_a_stray_even_with_our_ids(engine):
    row = request(engine)
    assert take(engine, snapshot(row, NOW, score=5, from_user_id="99")) == Verdict.STRAY
    other = request(engine, account="other")
    assert take(engine, snapshot(other, NOW, score=5)) == Verdict.STRAY
    assert result_of(engine, row) is None
    assert result_of(engine, other) is None


def test_an_answer_on_a_second_card_that_bears_the_requests_id_is_the_requests(engine):
    """A person has sent it anew, or X has made two of one: the customer answers whichever they like."""
    recorded, unproven = request(engine), request(engine, feedback_id=None, card_dm_id=None)
    second = {**recorded, "feedback_id": "888"}
    assert take(engine, snapshot(second, NOW, score=5, dm_id=None)) == Verdict.APPLIED
    assert take(engine, snapshot(recorded, NOW + HOUR, score=5, score_at=NOW, text="Fine")) == Verdict.APPLIED
    found = result_of(engine, recorded)
    assert (found["score"], found["text"], found["feedback_id"]) == (5, "Fine", recorded["feedback_id"])
    assert take(engine, snapshot({**unproven, "feedback_id": "889"}, NOW, score=4)) == Verdict.APPLIED
    assert take(engine, snapshot({**unproven, "feedback_id": "890"}, NOW + HOUR, score=1)) == Verdict.ANOMALY
    found = result_of(engine, unproven)
    assert (found["score"], found["anomalies"], found["feedback_id"]) == (4, 1, "889")
    assert strays(engine) == []


@pytest.mark.parametrize("when", [NOW - 4000 * DAY, NOW - 2 * HOUR, NOW + 300_000 * DAY])
def test_an_impossible_date_of_an_answer_is_ignored(engine, when):
    """By it an answer would stand in the figures of another year; when we first saw it is as near as we know."""
    row = request(engine)
    body = snapshot(row, NOW, score=4, score_at=when, text="ok", text_at=when)
    assert take(engine, body) == Verdict.APPLIED
    assert answer_of(engine, row) == (4, None, "ok", None)
    assert take(engine, body, "events") == Verdict.REPEAT
    assert take(engine, snapshot(row, NOW, score=4, score_at=EARLIER, text="ok", text_at=NOW)) == Verdict.APPLIED
    assert answer_of(engine, row) == (4, EARLIER, "ok", NOW)


def test_a_second_card_that_names_no_request_is_a_stray(engine):
    row = request(engine)
    body = snapshot({**row, "feedback_id": "888"}, NOW, score=5, external_id=None)
    assert take(engine, body) == Verdict.STRAY
    assert (result_of(engine, row), strays(engine)) == (None, ["888"])


def test_a_stray_that_is_recognised_later_is_no_stray(engine):
    row = request(engine, feedback_id=None, card_dm_id=None)
    body = snapshot({**row, "feedback_id": "891", "card_dm_id": "892"}, NOW, score=4, external_id=None)
    assert take(engine, body) == Verdict.STRAY
    with writing(engine) as connection:
        connection.execute(
            sa.update(feedback_request).where(feedback_request.c.id == row["id"]).values(card_dm_id="892")
        )
    assert take(engine, body) == Verdict.APPLIED
    assert strays(engine) == []


@pytest.mark.parametrize("letter", ["1", "e", "f-"])
def test_an_id_of_x_may_be_as_long_as_the_edge_lets_one_in(engine, letter):
    card, stranger = ((each * ID_LIMIT)[:ID_LIMIT] for each in (letter, "z"))
    row = request(engine, feedback_id=card, card_dm_id="d" * ID_LIMIT)
    assert take(engine, snapshot(row, NOW, score=4)) == Verdict.APPLIED
    assert take(engine, snapshot({**row, "feedback_id": stranger}, NOW, from_user_id="9")) == Verdict.STRAY
    assert (result_of(engine, row)["feedback_id"], strays(engine)) == (card, [stranger])
    with writing(engine) as connection:
        forget.erase(connection, row["x_user_id"], scores=False, now=NOW)
    assert result_of(engine, row)["feedback_id"] != card
    assert feedback_request.c.feedback_id.type.length == ID_LIMIT


# -- any order, any number, any channel -------------------------------------------------------------------------------

dates = st.integers(0, 5).map(lambda minutes: EARLIER + minutes * MINUTE)
updates = st.fixed_dictionaries(
    {"updated_at": dates},
    optional={"score": st.integers(1, 5), "score_at": dates, "text": st.text(min_size=1, max_size=4), "text_at": dates},
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), known=st.booleans(), bodies=st.lists(updates, min_size=1, max_size=6))
def test_any_order_and_any_repetition_end_in_the_same_rows(engine, data, known, bodies):
    ends = []
    for _ in range(2):
        order = data.draw(st.permutations(bodies + data.draw(st.lists(st.sampled_from(bodies), max_size=3))))
        n = number()
        ids = {"feedback_id": f"7{n:06}", "card_dm_id": f"6{n:06}"}
        row = {**request(engine, **(ids if known else dict.fromkeys(ids))), **ids}
        for body in order:
            take(engine, snapshot(row, **body), data.draw(st.sampled_from(CHANNELS)))
        found = result_of(engine, row)
        kept = {(each["digest"], each["verdict"] == "anomaly") for each in history_of(engine, row)}
        for name in ("request_id", "feedback_id", "first_channel"):
            (found or {}).pop(name, None)
        ends.append((found, kept))
    assert ends[0] == ends[1]
    found, kept = ends[0]
    assert (found is None) == (known and not any("score" in each or clean(each) for each in bodies))
    if found:
        assert found["anomalies"] == sum(contrary for _, contrary in kept)
        assert found["x_updated_at"] == max(each["updated_at"] for each in bodies)
        assert found["update_count"] == len(kept)


def clean(body):
    return body.get("text", "").replace("\x00", "")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec=None, categories=None), min_size=1, max_size=40))
def test_any_text_survives_or_loses_only_what_no_database_holds(engine, text):
    row = request(engine)
    take(engine, snapshot(row, NOW, score=3, text=text))
    kept = "".join("\ufffd" if "\ud800" <= each <= "\udfff" else each for each in text if each != "\x00")
    assert answer_of(engine, row) == (3, NOW, kept or None, NOW if kept else None)


def test_two_cards_that_claim_one_request_at_the_same_instant_wait_for_each_other(engine):
    row, got = request(engine, feedback_id=None, card_dm_id=None), []
    one, two = ({**row, "feedback_id": str(7_000 + number()), "card_dm_id": None} for _ in range(2))
    second = threading.Thread(target=lambda: got.append(take(engine, snapshot(two, NOW, score=1))))
    with writing(engine) as connection:
        take_in(connection, shop(), [parse_feedback(snapshot(one, NOW, score=4))], "webhook", NOW)
        second.start()
        second.join(timeout=0.3)
    second.join()
    assert (got, result_of(engine, row)["anomalies"]) == ([Verdict.APPLIED], 1)
    assert result_of(engine, row)["score"] == 1, "of two scores of one moment the smaller"


def test_two_channels_at_the_same_instant_make_one_row(engine):
    rows = [request(engine, feedback_id=None) for _ in range(8)]
    bodies = []
    for row in rows:
        known = {**row, "feedback_id": f"5{number():06}"}
        bodies += [snapshot(known, EARLIER, score=4), snapshot(known, NOW, score=4, score_at=EARLIER, text="ok")]
    start, failed = threading.Barrier(4), []

    def bring(channel, mine):
        start.wait()
        try:
            for body in mine:
                take(engine, body, channel, account=shop())
        except Exception as error:  # noqa: BLE001 - whatever it is must fail the test, not the thread
            failed.append(error)

    work = [("webhook", bodies), ("events", bodies), ("show", bodies[::-1]), ("events", bodies[::-1])]
    threads = [threading.Thread(target=bring, args=each) for each in work]
    [each.start() for each in threads]
    [each.join() for each in threads]
    assert failed == []
    for row in rows:
        assert answer_of(engine, row) == (4, EARLIER, "ok", NOW)
        assert result_of(engine, row)["update_count"] == len(history_of(engine, row)) == 2
