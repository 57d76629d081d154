"""What X sends becomes facts, or a problem that names its field."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.x_api.cards import parse_feedback, parse_feedback_event, parse_feedback_page, parse_sent_feedback
from service.x_api.facts import Feedback, Friendship, OwnAccount, ParseProblem, User
from service.x_api.fields import parse_date
from service.x_api.parsing import parse_dm_page, parse_friendship, parse_identity, parse_sent_message, parse_user

CREATED = {
    "created_at": "SatDec1517:58:20+00002015",
    "updated_at": "Sat Dec 15 17:59:22 +0000 2015",
    "id": "123456789",
    "type": "nps",
    "test": False,
    "dm_id": "8989898989",
    "from_user_id": "1212121212121",
    "to_user_id": "343434343434",
    "privacy_url": "https://business.example/privacy",
    "external_id": "ticket_5555",
    "question_variant_id": "3",
    "display_name": "MyBusinessName",
}
ANSWERED = {
    **CREATED,
    "question_variant_id": 3,
    "response": {
        "score": {"created_at": "Sat Dec 15 18:59:22 +0000 2015", "value": 1},
        "text": {"created_at": "Sat Dec 15 19:00:00 +0000 2015", "value": "Kept waiting"},
    },
}


def at(hour, minute, second, day=15):
    return datetime(2015, 12, day, hour, minute, second, tzinfo=UTC)


def answered(**score):
    return {"id": "1", "type": "csat", "response": {"score": score}}


def test_a_created_card_is_read_without_an_answer():
    assert parse_feedback(CREATED) == Feedback(
        id="123456789",
        dm_id="8989898989",
        from_user_id="1212121212121",
        to_user_id="343434343434",
        external_id="ticket_5555",
        created_at=at(17, 58, 20),
        updated_at=at(17, 59, 22),
    )


def test_score_and_text_come_with_their_own_times():
    feedback = parse_feedback(ANSWERED)
    assert (feedback.score, feedback.score_at) == (1, at(18, 59, 22))
    assert (feedback.text, feedback.text_at) == ("Kept waiting", at(19, 0, 0))


def test_only_the_id_is_required():
    assert parse_feedback({"id": 5}) == Feedback(id="5")


@pytest.mark.parametrize(
    "given", [None, {}, {"score": None}, {"score": {}}, {"text": {"value": ""}}, {"text": {"value": None}}]
)
def test_an_answer_without_a_value_is_no_answer(given):
    feedback = parse_feedback({"id": "1", "response": given})
    assert (feedback.score, feedback.score_at, feedback.text, feedback.text_at) == (None, None, None, None)


def test_a_score_without_a_time_and_a_text_without_a_score_are_taken():
    assert parse_feedback(answered(value=5)).score_at is None
    text_only = parse_feedback({"id": "1", "response": {"text": {"value": "Fine"}}})
    assert (text_only.score, text_only.text) == (None, "Fine")


def test_the_malformed_example_of_the_page_is_read():
    raw = {"id": 77, "text": "at the root", "media_id_str": 5, "unknown": {"deep": [1]}}
    assert parse_feedback(raw) == Feedback(id="77")


@pytest.mark.parametrize(
    ("kind", "score"),
    [("nps", 0), ("nps", 10), ("csat", 1), ("csat", 5), (None, 0), ("csat", 0), ("nps", 11), (None, -(2**31) + 1)],
)
def test_a_whole_number_is_taken_whatever_the_cards_scale_says(kind, score):
    assert parse_feedback({"id": "1", "type": kind, "response": {"score": {"value": score}}}).score == score


@pytest.mark.parametrize(
    ("kind", "score"),
    [
        ("csat", 2**31),
        ("nps", -(2**31)),
        ("csat", 10**30),
        ("csat", True),
        ("csat", False),
        ("csat", 4.7),
        ("csat", 4.0),
        ("csat", "5"),
        ("csat", [5]),
        ("csat", {}),
        ("csat", float("nan")),
    ],
)
def test_a_score_that_cannot_be_one_is_a_problem_that_names_it(kind, score):
    raw = {"id": "1", "type": kind, "response": {"score": {"value": score}}}
    with pytest.raises(ParseProblem) as caught:
        parse_feedback(raw)
    assert caught.value.field == "response.score.value"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({}, "id"),
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"id": " \x00"}, "id"),
        ({"id": True}, "id"),
        ({"id": 1.5}, "id"),
        ({"id": "9" * 65}, "id"),
        ({"id": "1", "response": []}, "response"),
        ({"id": "1", "response": {"score": 5}}, "response.score"),
        ({"id": "1", "response": {"text": {"value": 5}}}, "response.text.value"),
        ({"id": "1", "response": {"score": {"value": "5", "created_at": "x"}}}, "response.score.value"),
        ([], "body"),
        ("text", "body"),
        (None, "body"),
    ],
)
def test_an_unreadable_value_is_a_problem_that_names_its_field(raw, field):
    with pytest.raises(ParseProblem) as caught:
        parse_feedback(raw)
    assert caught.value.field == field
    assert caught.value.sentence.endswith(".")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("dm_id", []),
        ("dm_id", 1.9e18),
        ("from_user_id", True),
        ("to_user_id", {}),
        ("created_at", "yesterday"),
        ("updated_at", "Sat Feb 30 17:58:20 +0000 2015"),
        ("updated_at", 10**30),
        ("updated_at", float("nan")),
        ("response.score.created_at", "x"),
        ("response.score.created_at", 5),
        ("response.text.created_at", []),
        ("response.text.value", 5),
        ("response.text", "Kept waiting"),
        ("response.text", []),
        ("response.score.value", "1"),
        ("response.score", 1),
    ],
)
def test_a_field_in_another_form_is_absent_and_named_and_costs_nothing_else(place, value):
    raw = json.loads(json.dumps(ANSWERED))
    *parents, last = place.split(".")
    inside = raw
    for parent in parents:
        inside = inside[parent]
    inside[last] = value
    read = parse_feedback(raw)
    assert read.unread == (place,)
    expected = json.loads(json.dumps(ANSWERED))
    inside = expected
    for parent in parents:
        inside = inside[parent]
    del inside[last]
    assert read == replace(parse_feedback(expected), unread=(place,))


def test_a_complete_reading_reports_nothing():
    assert parse_feedback(ANSWERED).unread == ()


def test_an_answer_of_which_nothing_can_be_read_is_a_problem_and_no_empty_answer():
    with pytest.raises(ParseProblem):
        parse_feedback({"id": "1", "response": {"score": {"value": "5"}, "text": {"value": 5}}})


def test_a_problem_never_quotes_the_customer():
    with pytest.raises(ParseProblem) as caught:
        parse_feedback({"id": "1", "response": {"text": {"value": ["my private words"]}}})
    assert "private" not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize("odd", ["perhaps", 2, [], {}, None])
def test_what_we_told_x_ourselves_is_not_read_back(odd):
    ours = dict.fromkeys(("type", "test", "question_variant_id", "display_name", "privacy_url"), odd)
    assert parse_feedback({**ANSWERED, **ours}) == parse_feedback(ANSWERED)


def test_texts_lose_what_no_database_takes():
    raw = json.loads('{"id":"1","external_id":"a\\u0000\\ud800","response":{"text":{"value":"x\\u0000\\udfff"}}}')
    feedback = parse_feedback(raw)
    assert (feedback.external_id, feedback.text) == ("a\ufffd", "x\ufffd")


def test_numbers_and_other_things_in_place_of_words():
    feedback = parse_feedback({"id": 7, "external_id": 5555, "to_user_id": 12})
    assert (feedback.id, feedback.external_id, feedback.to_user_id) == ("7", "5555", "12")
    assert parse_feedback({"id": 7, "external_id": ["x"]}) == Feedback(id="7")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Sat Dec 15 17:58:20 +0000 2015", at(17, 58, 20)),
        ("SatDec1517:58:20+00002015", at(17, 58, 20)),
        ("Tue Dec 15 17:58:20 +0000 2015", at(17, 58, 20)),
        ("Tue Dec 15 19:58:20 +0200 2015", at(17, 58, 20)),
        ("TueDec1510:28:20-07302015", at(17, 58, 20)),
        ("Tue Dec  1 07:58:20 +0000 2015", at(7, 58, 20, day=1)),
        ("TueDec107:58:20+00002015", at(7, 58, 20, day=1)),
        ("  Tue Dec 15 17:58:20 +0000 2015 ", at(17, 58, 20)),
        ("2015-12-15T17:58:20Z", at(17, 58, 20)),
        ("2015-12-15T17:58:20.000Z", at(17, 58, 20)),
        ("2015-12-15T18:58:20+01:00", at(17, 58, 20)),
        ("2015-12-15T17:58:20", at(17, 58, 20)),
        (1450202300000, at(17, 58, 20)),
        ("1450202300000", at(17, 58, 20)),
        ("Tue, 15 Dec 2015 17:58:20 GMT", at(17, 58, 20)),
        ("15 Dec 2015 19:58:20 +0200", at(17, 58, 20)),
        ("2015/12/15 17:58:20", at(17, 58, 20)),
        ("2015/12/1 17:58", at(17, 58, 0, day=1)),
        (1450202300, at(17, 58, 20)),
        ("1450202300", at(17, 58, 20)),
        (1450202300000.0, at(17, 58, 20)),
        ("1450202300000.0", at(17, 58, 20)),
        (1450202300000000, at(17, 58, 20)),
        ("1450202300000000", at(17, 58, 20)),
        (1450202300000000000, at(17, 58, 20)),
        ("1516403560557", datetime(2018, 1, 19, 23, 12, 40, 557000, tzinfo=UTC)),
    ],
)
def test_every_spelling_of_a_date_is_the_same_instant_in_utc(written, read):
    assert parse_date(written) == read
    assert parse_date(written).utcoffset().total_seconds() == 0


@pytest.mark.parametrize(
    "written",
    [
        "",
        "soon",
        True,
        None,
        1.5,
        [],
        "Sat Foo 15 17:58:20 +0000 2015",
        "Sat Dec 32 17:58:20 +0000 2015",
        "Sat Dec 15 24:00:00 +0000 2015",
        "Sat Dec 15 17:58:20 +9900 2015",
        "Mon Jan 01 00:00:00 +0100 0001",
        "9" * 18,
        "9" * 20,
        0,
        5_000_000,
        "1970-01-21T00:00:00Z",
        "12/15/2015 17:58",
        float("inf"),
        10**400,
        -1,
        "١٢",
    ],
)
def test_an_invalid_date_is_refused(written):
    with pytest.raises(ValueError):
        parse_date(written)


def test_an_event_carries_the_card():
    raw = {"event_type": "feedback.updated", "created_at": "Sat Dec 15 17:58:22 +0000 2015", "feedback": ANSWERED}
    assert parse_feedback_event(raw) == parse_feedback(ANSWERED)


def test_a_card_with_nothing_around_it_is_an_event_too():
    assert parse_feedback_event(ANSWERED) == parse_feedback(ANSWERED)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({}, "feedback"),
        ({"event_type": "feedback.updated", "id": "7"}, "feedback"),
        ({"feedback": None}, "feedback"),
        ({"feedback": "x"}, "feedback"),
        ({"feedback": {}}, "feedback.id"),
    ],
)
def test_an_event_without_a_readable_card_is_a_problem(raw, field):
    with pytest.raises(ParseProblem) as caught:
        parse_feedback_event(raw)
    assert caught.value.field == field


def test_one_unreadable_event_does_not_hide_the_others():
    events = [{"feedback": {"id": "1"}}, {"feedback": answered(value="9")}, "?", {"feedback": {"id": "2"}}]
    page = parse_feedback_page({"events": events, "next_cursor": "10011"})
    assert [card.id for card in page.events] == ["1", "2"]
    assert [problem.field for problem in page.problems] == ["events[1].feedback.response.score.value", "events[2].body"]
    assert page.next_cursor == "10011"


@pytest.mark.parametrize(
    ("ending", "cursor"),
    [
        ({}, None),
        ({"next_cursor": ""}, None),
        ({"next_cursor": None}, None),
        ({"next_cursor": 0}, None),
        ({"next_cursor": "0"}, None),
        ({"next_cursor": 5}, "5"),
        ({"next_cursor": "MTE0"}, "MTE0"),
    ],
)
@pytest.mark.parametrize("parse", [parse_feedback_page, parse_dm_page])
def test_only_an_empty_cursor_or_zero_is_the_end(parse, ending, cursor):
    page = parse({"events": [], **ending})
    assert (page.events, page.next_cursor) == ((), cursor)


@pytest.mark.parametrize("raw", [{}, {"events": None}, {"events": {}}, [], None, "x"])
@pytest.mark.parametrize("parse", [parse_feedback_page, parse_dm_page])
def test_a_page_without_a_list_is_a_problem_and_not_an_empty_page(parse, raw):
    with pytest.raises(ParseProblem):
        parse(raw)


@pytest.mark.parametrize("parse", [parse_feedback_page, parse_dm_page])
def test_an_empty_list_may_be_left_out_of_a_page_but_then_it_proves_nothing(parse):
    page = parse({"next_cursor": "MTE0"})
    assert (page.events, page.next_cursor) == ((), "MTE0")
    assert page.problems != ()


@pytest.mark.parametrize("rest", [{"events": []}, {"events": [], "next_cursor": ""}, {"next_cursor": "MTE0"}])
@pytest.mark.parametrize("parse", [parse_feedback_page, parse_dm_page])
def test_an_answer_that_only_complains_is_no_empty_page(parse, rest):
    with pytest.raises(ParseProblem):
        parse({**rest, "errors": [{"code": 130, "message": "Over capacity"}]})


def test_a_page_that_complains_beside_what_it_shows_is_not_all_there_is():
    page = parse_feedback_page({"events": [{"feedback": {"id": "1"}}], "errors": [{"code": 63}]})
    assert ([card.id for card in page.events], [each.field for each in page.problems]) == (["1"], ["errors"])


SENT = {
    "event": {
        "type": "message_create",
        "id": "1150493286110552068",
        "created_timestamp": "1563133949197",
        "message_create": {
            "target": {"recipient_id": "2"},
            "sender_id": "1072250532645998596",
            "message_data": {
                "text": "Tom &amp; Jerry: https://t.co/ab",
                "entities": {
                    "hashtags": [],
                    "urls": [{"url": "https://t.co/ab", "expanded_url": "https://b.example/p"}],
                },
            },
        },
    }
}


def test_a_message_is_read_as_it_was_typed():
    message = parse_sent_message(SENT)
    assert (message.id, message.sender_id, message.recipient_id) == ("1150493286110552068", "1072250532645998596", "2")
    assert message.text == "Tom & Jerry: https://b.example/p"
    assert message.raw_text == "Tom &amp; Jerry: https://t.co/ab"
    assert message.created_at == datetime(2019, 7, 14, 19, 52, 29, 197000, tzinfo=UTC)


def test_a_message_with_nothing_but_an_id_is_read():
    message = parse_sent_message({"event": {"id": 5}})
    assert (message.id, message.text, message.sender_id, message.created_at) == ("5", "", None, None)


@pytest.mark.parametrize("odd", ["soon", 0, "0", -1, True, {"ms": 1}, [], 1e400, None])
def test_an_odd_date_of_a_message_costs_only_the_date(odd):
    dated = parse_sent_message(SENT)
    undated = replace(dated, created_at=None)
    assert parse_sent_message({"event": {**SENT["event"], "created_timestamp": odd}}) == undated
    page = parse_dm_page({"events": [{**SENT["event"], "created_timestamp": odd}]})
    assert (page.events, page.problems) == ((undated,), ())


@pytest.mark.parametrize("odd", [5, 5.0, True, None, ["5"], {"text": "5"}])
def test_an_odd_text_of_a_message_costs_no_tap(odd):
    said = {"text": odd, "quick_reply_response": {"type": "options", "metadata": "signed"}}
    raw = {**SENT["event"]["message_create"], "message_data": said}
    message = parse_sent_message({"event": {**SENT["event"], "message_create": raw}})
    assert (message.text, message.raw_text, message.tapped) == ("", "", "signed")


def test_a_page_of_messages_leaves_out_what_is_no_message_and_keeps_messages_of_every_type():
    other = {"type": "participants_join", "id": "9"}
    card = {**SENT["event"], "type": "feedback_card", "id": "10"}
    lost = {"type": "message_create", "id": "11"}
    page = parse_dm_page(
        {"events": [SENT["event"], other, lost, {"type": "message_create", "message_create": {}}, card]}
    )
    assert [message.id for message in page.events] == ["1150493286110552068", "10"]
    assert [problem.field for problem in page.problems] == ["events[2].message_create", "events[3].id"]


@pytest.mark.parametrize("lost", ["sender_id", "target"])
def test_an_unreadable_listed_message_is_a_problem_and_no_absence(lost):
    said = {name: value for name, value in SENT["event"]["message_create"].items() if name != lost}
    page = parse_dm_page({"events": [{**SENT["event"], "message_create": said}]})
    assert (page.events, [problem.field for problem in page.problems]) == ((), ["events[0].message_create"])


def test_a_sent_message_is_sent_even_if_its_date_cannot_be_read():
    raw = {"event": {**SENT["event"], "created_timestamp": "soon"}}
    assert parse_sent_message(raw).id == "1150493286110552068"


def test_an_answer_wrapped_otherwise_than_x_does_is_an_answer():
    assert parse_sent_feedback({"feedback": {"id": "9", "dm_id": 5}}) == Feedback(id="9", dm_id="5")
    assert parse_sent_feedback({"feedback": {"id": "9", "response": {"score": "?"}}}) == Feedback(id="9")
    assert parse_sent_message({"id": "7", "created_timestamp": "1450202300000"}).id == "7"
    assert parse_sent_message({"id": "7", "message_create": "?"}).id == "7"


def test_a_created_card_is_created_even_if_its_dates_cannot_be_read():
    created = parse_sent_feedback({**CREATED, "created_at": "soon"})
    assert (created.id, created.dm_id) == ("123456789", "8989898989")
    assert parse_sent_feedback(CREATED) == parse_feedback(CREATED)


@pytest.mark.parametrize("raw", [{}, [], None, {"event": None}, {"event": {}}, {"errors": [{"code": 349}]}])
def test_an_answer_to_a_send_without_an_id_is_a_problem(raw):
    for parse in (parse_sent_message, parse_sent_feedback):
        with pytest.raises(ParseProblem):
            parse(raw)


@pytest.mark.parametrize(
    ("raw", "user"),
    [
        (
            {"id": 12345678901234567, "id_str": "12345678901234568", "screen_name": "ann"},
            User("12345678901234568", "ann", None),
        ),
        ({"id": 7, "id_str": {}, "can_dm": True}, User("7", None, True)),
        ({"id": 7, "can_dm": False}, User("7", None, False)),
        ({"id": 7, "can_dm": None}, User("7", None, None)),
        ({"id": 7, "can_dm": "true"}, User("7", None, None)),
        ({"id": 7, "can_dm": 1}, User("7", None, None)),
    ],
)
def test_can_dm_is_yes_no_or_not_known(raw, user):
    assert parse_user(raw) == user


@pytest.mark.parametrize("raw", [{}, [], None, {"id": None}])
def test_a_user_without_an_id_is_a_problem(raw):
    with pytest.raises(ParseProblem):
        parse_user(raw)


@pytest.mark.parametrize(
    ("raw", "can_dm"),
    [
        ({"relationship": {"source": {"can_dm": True}, "target": {}}}, True),
        ({"relationship": {"source": {"can_dm": False}}}, False),
        ({"relationship": {"source": {"can_dm": None}}}, None),
        ({"relationship": {"source": None}}, None),
        ({"relationship": {}}, None),
        ({}, None),
    ],
)
def test_a_friendship_says_whether_we_may_write(raw, can_dm):
    assert parse_friendship(raw) == Friendship(can_dm)


def test_who_we_are_comes_with_what_we_may_do():
    assert parse_identity({"id_str": "1", "screen_name": "us"}, "read-write-directmessages") == OwnAccount(
        "1", "us", "read-write-directmessages"
    )
    assert parse_identity({"id": 1}, None).access_level is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "response", "score", "value", "test"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from([*CREATED, "response"]), JSON) | JSON)
def test_nothing_from_a_stranger_is_more_than_a_problem(raw):
    try:
        feedback = parse_feedback(raw)
    except ParseProblem:
        return
    assert feedback.id
    assert feedback.score is None or type(feedback.score) is int
