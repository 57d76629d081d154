"""Direct messages: sending, lagging lists, paging, limits."""

import base64
import json

import pytest

from tests.support import snowflake_ms


def test_a_sent_dm_has_the_recorded_shape(x, control):
    given = x.dm("501", "test message")
    assert given.status == 200
    assert given.headers["content-type"] == "application/json;charset=utf-8"
    event = given.body["event"]
    assert snowflake_ms(int(event["id"])) == int(event["created_timestamp"]) == 1_790_000_000_000
    assert event["type"] == "message_create"
    assert event["message_create"] == {
        "target": {"recipient_id": "501"},
        "sender_id": "1212121212121",
        "message_data": {
            "text": "test message",
            "entities": {"hashtags": [], "symbols": [], "user_mentions": [], "urls": []},
        },
    }


def test_an_integer_recipient_is_accepted(x, control):
    assert x.dm(501).body["event"]["message_create"]["target"]["recipient_id"] == "501"


@pytest.mark.parametrize("switch", [True, False])
def test_urls_come_back_as_tco_by_switch(x, control, switch):
    control.switch(urls_as_tco=switch)
    text = "see https://business.example/a?b=1 and http://b.example"
    data = x.dm("501", text).body["event"]["message_create"]["message_data"]
    if not switch:
        assert (data["text"], data["entities"]["urls"]) == (text, [])
        return
    assert "business.example" not in data["text"]
    back = data["text"]
    for url in data["entities"]["urls"]:
        start, end = url["indices"]
        assert data["text"][start:end] == url["url"]
        back = back.replace(url["url"], url["expanded_url"])
    assert back == text
    assert control.truth()["messages"][0]["text"] == text


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 403, 38),
        ([], 404, 34),
        ({"event": {"type": "other"}}, 400, 214),
        ({"event": {"type": "message_create"}}, 403, 38),
        ({"event": {"type": "message_create", "message_create": {"target": {}, "message_data": {}}}}, 403, 38),
    ],
)
def test_malformed_messages_are_refused(x, control, body, status, code):
    given = x.post_json("direct_messages/events/new", body)
    assert (given.status, given.code) == (status, code)


@pytest.mark.parametrize(
    ("recipient", "text", "status", "code"),
    [
        ("501", "", 403, 38),
        ("501", None, 403, 38),
        ("501", 5, 400, 214),
        ("501", "x" * 10_000, 200, None),
        ("501", "x" * 10_001, 403, 354),
        ("abc", "hello", 400, 214),
        ("7", "hello", 404, 50),
        ("666", "hello", 403, 63),
        ("502", "hello", 403, 349),
        ("503", "hello", 403, 150),
        ("504", "hello", 200, None),
    ],
)
def test_who_and_what_can_be_messaged(x, control, recipient, text, status, code):
    control.customer("666", suspended=True)
    control.customer("502", can_dm=False)
    control.customer("503", dm_error="403/150")
    control.customer("504", can_dm="missing")
    given = x.dm(recipient, text)
    assert given.status == status
    if code is not None:
        assert given.code == code
        assert "not a valid Long" in given.body["errors"][0]["message"] or recipient != "abc"
    assert control.truth()["counts"]["messages"] == (status == 200)


def test_answers_to_bad_parameters_are_switches(x, control):
    control.switch(
        missing_param="400/38", invalid_param="403/214", dm_not_allowed="403/150", dm_unknown_recipient="404/108"
    )
    control.customer("502", can_dm=False)
    assert x.post_json("direct_messages/events/new", {}).status == 400
    assert x.dm("abc").status == 403
    assert x.dm("502").code == 150
    assert x.dm("7").code == 108


def test_a_form_or_broken_json_is_no_message(x, control):
    assert x.post("direct_messages/events/new", text="hello").code == 34
    url, headers, _ = x.signed("POST", "/1.1/direct_messages/events/new.json")
    given = x.send("POST", url, headers | {"Content-Type": "application/json"}, "{")
    assert (given.status, given.code) == (400, 214)


def test_text_with_a_lone_surrogate_does_no_harm(x, control):
    assert x.dm("501", "a\ud800 http://b\ud800").status == 200
    assert x.get("direct_messages/events/list").status == 200


def test_the_list_is_newest_first_and_pages_by_base64_snowflakes(x, control):
    control.switch(dms_per_day=100)
    sent = []
    for number in range(5):
        sent.append(x.dm("501", f"text {number}").body["event"]["id"])
        control.advance(1)
    seen, cursor, pages = [], None, 0
    while True:
        page = x.get("direct_messages/events/list", count="2", **({"cursor": cursor} if cursor else {})).body
        seen += [event["id"] for event in page["events"]]
        pages += 1
        if "next_cursor" not in page:
            break
        cursor = page["next_cursor"]
        assert snowflake_ms(int(base64.b64decode(cursor + "=" * (-len(cursor) % 4)))) >= 1_790_000_000_000
    assert seen == sent[::-1]
    assert pages == 3


def test_the_list_shows_inbound_messages_and_only_ones_own(x, other, control):
    control.post("/customers/501/dm", text="I need help")
    x.dm("501")
    both = x.get("direct_messages/events/list").body["events"]
    assert [one["message_create"]["sender_id"] for one in both] == ["1212121212121", "501"]
    assert other.get("direct_messages/events/list").body == {"events": []}


def test_the_list_lags_by_a_fixed_time(x, control):
    control.switch(list_lag_s=120)
    sent = x.dm("501").body["event"]["id"]
    assert x.get("direct_messages/events/list").body["events"] == []
    assert x.get("direct_messages/events/show", id=sent).status == 200
    control.advance(119)
    assert x.get("direct_messages/events/list").body["events"] == []
    control.advance(1)
    assert [one["id"] for one in x.get("direct_messages/events/list").body["events"]] == [sent]


def test_the_list_lags_by_a_random_time_within_bounds(x, control):
    control.switch(list_lag_s=[10, 180])
    for _ in range(20):
        x.dm("501")
    lags = {(one["visible_ms"] - one["at_ms"]) / 1000 for one in control.truth()["messages"]}
    assert len(lags) > 10
    assert min(lags) >= 10
    assert max(lags) <= 180


def test_empty_and_short_pages_still_carry_a_cursor(x, control):
    control.switch(list_empty_pages=[1, 3], list_short_pages=True)
    for _ in range(3):
        x.dm("501")
    sizes, cursor, cursors = [], None, set()
    while True:
        page = x.get("direct_messages/events/list", count="6", **({"cursor": cursor} if cursor else {})).body
        sizes.append(len(page["events"]))
        cursor = page.get("next_cursor")
        if cursor is None:
            break
        assert cursor not in cursors
        cursors.add(cursor)
    assert sizes == [0, 2, 0, 1]


@pytest.mark.parametrize("query", [{"cursor": "zzz"}, {"count": "51"}, {"count": "0"}, {"count": "x"}])
def test_bad_paging_is_refused(x, control, query):
    assert x.get("direct_messages/events/list", **query).code == 214


def test_a_message_is_unreadable_to_others_and_after_30_days(x, other, control):
    sent = x.dm("501").body["event"]["id"]
    assert x.get("direct_messages/events/show", id=sent).body["event"]["id"] == sent
    assert other.get("direct_messages/events/show", id=sent).code == 34
    control.advance(30 * 86_400)
    assert x.get("direct_messages/events/show", id=sent).code == 34
    assert x.get("direct_messages/events/list").body["events"] == []


def test_a_thousand_dms_in_24_hours_and_no_more(x, control):
    assert control.get("/assumptions")["assumptions"]["dms_per_day"]["value"] == 1_000
    control.switch(dms_per_day=2)
    assert [x.dm("501").status for _ in range(2)] == [200, 200]
    over = x.dm("501")
    assert (over.status, over.code) == (429, 88)
    assert "x-rate-limit-limit" not in over.headers
    control.advance(86_400)
    assert x.dm("501").status == 200


def test_the_app_has_an_allowance_of_its_own(x, other, control):
    control.switch(app_dms_per_day=2, dm_daily_limit="403/226")
    assert (x.dm("501").status, other.dm("501").status) == (200, 200)
    assert other.dm("501").code == 226


def test_five_replies_to_an_inbound_dm_are_free(x, control):
    control.switch(dms_per_day=1)
    control.post("/customers/501/dm", text="help")
    assert [x.dm("501").status for _ in range(7)] == [200] * 6 + [429]
    control.post("/customers/501/dm", text="more")
    assert x.dm("501").status == 200
    control.switch(reply_allowance=0)
    assert x.dm("501").status == 429


def test_over_v2_no_reply_is_free(x, control):
    control.switch(v2_dms_per_day=2)
    control.post("/customers/501/dm", text="help")

    def dm(text):
        url, headers, _ = x.signed("POST", "/2/dm_conversations/with/501/messages")
        headers["Content-Type"] = "application/json"
        return x.send("POST", url, headers, json.dumps({"text": text})).status

    assert [dm(each) for each in ("one", "two", "three")] == [201, 201, 429]


@pytest.mark.parametrize("asked", [{"max_results": "x"}, {"max_results": "101"}, {"pagination_token": "next"}])
def test_a_wrong_page_of_a_conversation_over_v2_is_refused(x, asked):
    url, headers, _ = x.signed("GET", "/2/dm_conversations/with/501/dm_events", asked)
    assert x.send("GET", url, headers).status == 400
