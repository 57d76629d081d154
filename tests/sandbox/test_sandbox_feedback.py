"""Feedback cards: creation and its checks, answers, events."""

import re

import pytest

from tests.support import snowflake_ms

DAY_MS = 86_400_000
NOW_MS = 1_790_000_000_000


def events(x, control, count="100", cursor=None, **changes):
    now_ms = control.get("/clock")["now_ms"]
    times = {"from_time": str(NOW_MS), "to_time": str(now_ms - DAY_MS)} if cursor is None else {"cursor": cursor}
    return x.get("feedback/events", **(times | {"count": count} | changes))


def all_pages(x, control, **query):
    pages, cursor = [], None
    while cursor != "":
        page = events(x, control, cursor=cursor, **query).body
        pages.append([one["feedback"]["external_id"] for one in page["events"]])
        cursor = page["next_cursor"]
    return pages


def test_a_created_card_has_the_documented_shape(x, control):
    given = x.card("501", question_variant_id="3", display_name="MyBusinessName", test="true")
    assert given.status == 200
    assert "x-rate-limit-limit" not in given.headers
    body = dict(given.body)
    card_id, dm_id = body.pop("id"), body.pop("dm_id")
    assert snowflake_ms(int(card_id)) == snowflake_ms(int(dm_id)) == NOW_MS
    assert body == {
        "created_at": "Mon Sep 21 14:13:20 +0000 2026",
        "updated_at": "Mon Sep 21 14:13:20 +0000 2026",
        "type": "csat",
        "test": True,
        "from_user_id": "1212121212121",
        "to_user_id": "501",
        "privacy_url": "https://business.example/privacy",
        "external_id": "ticket_5555",
        "question_variant_id": "3",
        "display_name": "MyBusinessName",
    }


@pytest.mark.parametrize("switch", [True, False])
def test_the_card_sends_a_dm_of_its_own(x, control, switch):
    control.switch(card_dm_in_list=switch)
    dm_id = x.card("501", message="How did we do?").body["dm_id"]
    listed = [one["id"] for one in x.get("direct_messages/events/list").body["events"]]
    assert listed == ([dm_id] if switch else [])
    shown = x.get("direct_messages/events/show", id=dm_id).body["event"]["message_create"]
    assert shown["message_data"]["text"] == "How did we do?"
    assert control.truth()["messages"][0]["via"] == "card"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"type": "CSAT"}, 400, 214),
        ({"type": ""}, 403, 38),
        ({"message": ""}, 403, 38),
        ({"to_user_id": ""}, 403, 38),
        ({"privacy_url": ""}, 403, 38),
        ({"privacy_url": "business.example"}, 400, 214),
        ({"privacy_url": "http://[x"}, 400, 214),
        ({"to_user_id": "x"}, 400, 214),
        ({"message": "x" * 10_001}, 403, 354),
        ({"external_id": "x" * 257}, 400, 214),
        ({"external_id": "x" * 256}, 200, None),
        ({"display_name": "x" * 21}, 400, 214),
        ({"display_name": "x" * 20}, 200, None),
        ({"question_variant_id": "37"}, 200, None),
        ({"question_variant_id": "38"}, 400, 214),
        ({"question_variant_id": "-1"}, 400, 214),
        ({"question_variant_id": ""}, 400, 214),
        ({"type": "nps", "question_variant_id": "9"}, 200, None),
        ({"type": "nps", "question_variant_id": "10"}, 400, 214),
        ({"test": "True"}, 400, 214),
        ({"to_user_id": "7"}, 404, 50),
        ({"to_user_id": "666"}, 403, 63),
        ({"to_user_id": "502"}, 403, 349),
        ({"to_user_id": "503"}, 403, 150),
    ],
)
def test_what_create_accepts(x, control, changes, status, code):
    control.customer("502", can_dm=False)
    control.customer("503", dm_error="403/150")
    control.customer("666", suspended=True)
    given = x.card("501", **changes)
    assert given.status == status
    if code is not None:
        assert given.code == code
        assert control.truth()["counts"]["messages"] == 0


def test_privilege_status_and_parameter_answers_are_switches(x, control):
    control.switch(feedback_privilege=False)
    assert x.card("501").code == 220
    control.switch(no_privilege="403/87")
    assert x.card("501").code == 87
    control.switch(feedback_privilege=True, create_status=201, missing_param="400/38")
    assert x.card("501", message="").status == 400
    assert x.card("501").status == 201


@pytest.mark.parametrize(("switch", "status"), [(False, 403), (True, 200)])
def test_create_reads_the_query_by_switch(x, control, card_form_501, switch, status):
    control.switch(create_accepts_query=switch)
    assert x.post("feedback/create", query=card_form_501).status == status


def test_one_card_per_pair_and_24_hours(x, other, control):
    assert x.card("501").status == 200
    again = x.card("501")
    assert (again.status, again.code) == (429, 88)
    assert other.card("501").status == 200
    control.advance(86_400)
    assert x.card("501").status == 200
    assert control.truth()["counts"]["cards"] == 3


def test_the_pair_rule_has_switches(x, other, control):
    control.switch(pair_scope="recipient", pair_limit="403/226")
    x.card("501")
    assert other.card("501").code == 226
    control.switch(pair_scope="off")
    assert other.card("501").status == 200


@pytest.mark.parametrize(("switch", "status"), [(True, 429), (False, 200)])
def test_test_cards_count_by_switch(x, control, switch, status):
    control.switch(test_cards_count=switch)
    x.card("501", test="true")
    assert x.card("501").status == status


@pytest.mark.parametrize(("switch", "status"), [(False, 429), (True, 200)])
def test_a_dismissal_frees_the_pair_by_switch(x, control, switch, status):
    control.switch(dismiss_frees_slot=switch)
    x.card("501")
    control.post("/customers/501/answer", dismiss=True)
    assert x.card("501").status == status


def test_cards_per_day_and_their_dm_budget(x, control):
    control.post("/customers", range={"first_id": 1000, "count": 5})
    control.switch(cards_per_day=2, dms_per_day=2)
    assert [x.card(str(1000 + n)).status for n in range(3)] == [200, 200, 429]
    assert x.dm("501").status == 200
    control.switch(cards_per_day=100, card_uses_dm_budget=True, card_daily_limit="403/185")
    assert [x.card(str(1003 + n)).status for n in range(2)] == [200, 429]
    control.switch(cards_per_day=1)
    assert x.card("501").code == 185


def test_show_grows_with_the_answer(x, other, control):
    card_id = x.card("501").body["id"]
    assert "response" not in x.get(f"feedback/show/{card_id}").body
    control.advance(60)
    control.post("/customers/501/answer", score=4)
    control.advance(60)
    control.post("/customers/501/answer", text="Thank you")
    shown = x.get(f"feedback/show/{card_id}").body
    assert shown["response"] == {
        "score": {"created_at": "Mon Sep 21 14:14:20 +0000 2026", "value": 4},
        "text": {"created_at": "Mon Sep 21 14:15:20 +0000 2026", "value": "Thank you"},
    }
    assert shown["updated_at"] == "Mon Sep 21 14:15:20 +0000 2026"
    assert other.get(f"feedback/show/{card_id}").code == 34
    assert x.get("feedback/show/12").code == 34
    assert x.get("feedback/show/" + "9" * 5000).code == 34
    control.switch(feedback_not_found="403/220", show_full_object=False)
    assert x.get("feedback/show/12").code == 220
    assert not {"type", "dm_id"} & set(x.get(f"feedback/show/{card_id}").body)


def test_dates_and_variant_ids_change_shape_by_switch(x, control):
    card_id = x.card("501", question_variant_id="3").body["id"]
    control.switch(dates="collapsed", question_variant_id="integer")
    shown = x.get(f"feedback/show/{card_id}").body
    assert (shown["created_at"], shown["question_variant_id"]) == ("MonSep2114:13:20+00002026", 3)
    pattern = r"^[A-Z][a-z]{2}\s*([A-Z][a-z]{2})\s*(\d{1,2})\s*(\d\d):(\d\d):(\d\d)\s*([+-]\d{4})\s*(\d{4})$"
    assert re.match(pattern, shown["created_at"]).groups() == ("Sep", "21", "14", "13", "20", "+0000", "2026")
    control.switch(question_variant_id="alternate")
    kinds = {type(x.get(f"feedback/show/{card_id}").body["question_variant_id"]) for _ in range(2)}
    assert kinds == {int, str}


def submit(x, card_id, customer="501", **form):
    headers = {"X-Sandbox-Customer": customer}
    return x.sandbox.post(f"/1.1/feedback/submit/{card_id}.json", base_url="http://x.test", data=form, headers=headers)


def dismiss(x, card_id, customer="501"):
    headers = {"X-Sandbox-Customer": customer}
    return x.sandbox.post(f"/1.1/feedback/dismiss/{card_id}.json", base_url="http://x.test", headers=headers)


def test_a_customer_submits_once_each_part(x, control):
    card_id = x.card("501").body["id"]
    assert submit(x, card_id).status_code == 403
    assert submit(x, card_id, score="6").status_code == 400
    assert submit(x, card_id, score="5").get_json()["response"]["score"]["value"] == 5
    assert submit(x, card_id, score="1").status_code == 409
    assert submit(x, card_id, text="Good").status_code == 200
    assert submit(x, card_id, text="Bad").status_code == 409
    assert submit(x, card_id, customer="502", text="Bad").status_code == 404
    card = control.truth()["cards"][0]
    assert (card["score"]["value"], card["text"]["value"]) == (5, "Good")
    control.switch(submit_twice="403/139")
    assert submit(x, card_id, score="1").status_code == 403


@pytest.mark.parametrize(("kind", "score", "status"), [("nps", 0, 200), ("nps", 10, 200), ("csat", 0, 400)])
def test_scores_have_the_range_of_their_card(x, control, kind, score, status):
    assert submit(x, x.card("501", type=kind).body["id"], score=score).status_code == status


def test_a_dismissed_or_expired_card_takes_no_answer(x, control):
    card_id = x.card("501").body["id"]
    assert dismiss(x, card_id).status_code == 200
    assert dismiss(x, card_id).status_code == 200
    assert submit(x, card_id, score="5").status_code == 403
    control.switch(submit_after_dismiss="409/0")
    assert submit(x, card_id, score="5").status_code == 409
    control.switch(card_expires_after_s=60, submit_expired="410/0")
    control.advance(86_400)
    later = x.card("501").body["id"]
    control.advance(60)
    assert submit(x, later, score="5").status_code == 410


def test_a_customer_can_sign_with_a_token_of_their_own(x, control):
    card_id = x.card("501").body["id"]
    keys = control.get("/customers/501")
    changes = {"resource_owner_key": keys["token"], "resource_owner_secret": keys["token_secret"]}
    url, headers, body = x.signed("POST", f"/1.1/feedback/submit/{card_id}.json", form={"score": "5"}, **changes)
    assert x.send("POST", url, headers, body).status == 200
    assert x.post(f"feedback/submit/{card_id}", text="as the business").code == 220
    url, headers, _ = x.signed("GET", "/1.1/users/show.json", {"user_id": "501"}, **changes)
    assert x.send("GET", url, headers).code == 220


def test_the_customer_header_is_for_this_machine_only(x, control):
    card_id = x.card("501").body["id"]
    given = x.sandbox.post(
        f"/1.1/feedback/submit/{card_id}.json",
        data={"score": "5"},
        headers={"X-Sandbox-Customer": "501"},
        environ_base={"REMOTE_ADDR": "192.0.2.1"},
    )
    assert given.status_code == 400


def test_events_tell_every_change_a_day_later(x, control):
    x.card("501")
    control.advance(60)
    control.post("/customers/501/answer", score=4)
    control.advance(60)
    control.post("/customers/501/answer", text="Thanks")
    assert events(x, control, from_time=str(NOW_MS - DAY_MS)).body["events"] == []
    control.advance(86_400)
    body = events(x, control).body
    assert body["next_cursor"] == ""
    assert [one["event_type"] for one in body["events"]] == ["feedback.created"] + ["feedback.updated"] * 2
    assert "response" not in body["events"][0]["feedback"]
    assert set(body["events"][1]["feedback"]["response"]) == {"score"}
    assert set(body["events"][2]["feedback"]["response"]) == {"score", "text"}
    assert body["events"][1]["created_at"] == body["events"][1]["feedback"]["updated_at"]


def test_the_range_is_inclusive_at_both_ends(x, control):
    x.card("501")
    control.advance(2 * 86_400)
    for span, count in (((0, 0), 1), ((-5, -1), 0), ((1, 5), 0)):
        times = {"from_time": str(NOW_MS + span[0]), "to_time": str(NOW_MS + span[1])}
        assert len(events(x, control, **times).body["events"]) == count


@pytest.mark.parametrize(("switch", "status"), [(True, 400), (False, 200)])
def test_the_24_hour_rule_is_a_switch(x, control, switch, status):
    control.switch(events_24h_rule=switch)
    x.card("501")
    given = events(x, control, from_time="0", to_time=str(NOW_MS - DAY_MS + 1))
    assert given.status == status
    assert events(x, control, from_time="0", to_time=str(NOW_MS - DAY_MS)).status == 200


@pytest.mark.parametrize(
    "query",
    [
        {"count": "10"},
        {"count": "10", "from_time": "0"},
        {"count": "10", "from_time": "5", "to_time": "4"},
        {"count": "10", "from_time": "x", "to_time": "4"},
        {"count": "101", "from_time": "0", "to_time": "4"},
        {"count": "0", "from_time": "0", "to_time": "4"},
        {"count": "10", "cursor": "12345"},
    ],
)
def test_bad_event_queries_are_refused(x, control, query):
    given = x.get("feedback/events", **query)
    assert (given.status, given.code) == (400, 214)
    control.switch(events_refused="403/38")
    assert x.get("feedback/events", **query).status == 403


@pytest.mark.parametrize(("switch", "status"), [(True, 403), (False, 200)])
def test_count_is_required_by_switch(x, control, switch, status):
    control.switch(events_count_required=switch)
    assert x.get("feedback/events", from_time="0", to_time="4").status == status


@pytest.fixture
def seven(x, control):
    control.post("/customers", range={"first_id": 1000, "count": 7})
    for number in range(7):
        x.card(str(1000 + number), external_id=str(number))
        control.advance(1)
    control.advance(86_400)
    return [str(number) for number in range(7)]


def test_events_page_to_an_empty_cursor(x, control, seven):
    assert all_pages(x, control, count="3") == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert all_pages(x, control, count="7") == [seven]


def test_event_pages_can_be_empty_short_and_repeating(x, control, seven):
    control.switch(events_empty_pages=[1, 3], events_short_pages=True)
    assert all_pages(x, control, count="9") == [[], ["0", "1", "2"], [], ["3", "4", "5"], ["6"]]
    control.switch(events_empty_pages=[], events_short_pages=False, events_repeat=True)
    assert all_pages(x, control, count="4") == [["0", "1", "2", "3"], ["3", "4", "5", "6"]]
    assert all_pages(x, control, count="1") == [[one] for one in seven]


def test_an_empty_last_page_still_ends(x, control, seven):
    control.switch(events_empty_pages=[2])
    assert all_pages(x, control, count="7") == [seven, [], []]


def test_a_cursor_belongs_to_its_range_and_account(x, other, control, seven):
    cursor = events(x, control, count="3").body["next_cursor"]
    assert events(x, control, count="3", cursor=cursor, from_time="1", to_time="2").code == 214
    assert events(other, control, count="3", cursor=cursor).code == 214
    assert events(x, control, count="3", cursor=cursor).status == 200


def test_order_range_retention_and_end_are_switches(x, control, seven):
    control.switch(events_order="newest_first")
    assert all_pages(x, control) == [seven[::-1]]
    control.switch(events_order="oldest_first", events_retention_s=86_404)
    assert all_pages(x, control) == [["3", "4", "5", "6"]]
    control.switch(events_retention_s=None, events_end=None)
    assert events(x, control).body["next_cursor"] is None
    control.switch(events_end="missing")
    assert "next_cursor" not in events(x, control).body
    control.post("/customers/1000/answer", score=5)
    control.advance(86_400)
    assert len(events(x, control, to_time=str(NOW_MS)).body["events"]) == 1
    control.switch(events_range="created_at")
    assert len(events(x, control, to_time=str(NOW_MS)).body["events"]) == 2


@pytest.mark.parametrize("switch", [False, True])
def test_a_dismissal_is_visible_by_switch(x, control, switch):
    control.switch(dismiss_visible=switch)
    card_id = x.card("501").body["id"]
    control.post("/customers/501/answer", dismiss=True)
    assert x.get(f"feedback/show/{card_id}").body.get("dismissed") is (True if switch else None)
    control.advance(86_400)
    assert len(events(x, control).body["events"]) == (2 if switch else 1)
