"""Quick replies: X's limits, customers who tap or type, and the app's pushes in both forms."""

import json

import pytest

from service.sandbox import pushes
from tests.sandbox.conftest import message

OPTIONS = [{"label": str(score), "metadata": f"m{score}"} for score in range(1, 6)]


def prompt(x, recipient="501", options=OPTIONS, kind="options"):
    body = message(recipient, "How did we do?")
    content = body["event"]["message_create"]["message_data"]
    content["quick_reply"] = {"type": kind, "options": options}
    return x.post_json("direct_messages/events/new", body)


def heard(x):
    """What the customer has said to us, newest first: text and metadata of a tap."""
    events = x.get("direct_messages/events/list").body["events"]
    inner = [each["message_create"] for each in events]
    return [
        (each["message_data"]["text"], each["message_data"].get("quick_reply_response", {}).get("metadata"))
        for each in inner
        if each["sender_id"] == "501"
    ]


def test_a_prompt_comes_back_with_its_options(x, control):
    data = prompt(x).body["event"]["message_create"]["message_data"]
    assert data["quick_reply"] == {"type": "options", "options": OPTIONS}


@pytest.mark.parametrize(
    "options",
    [
        [],
        [{"label": "x", "metadata": ""}] * 21,
        [{"label": ""}],
        [{"label": "x" * 37}],
        [{"label": "see https://b.example"}],
        [{"label": 5}],
        [{"label": "x", "metadata": "m" * 1001}],
        ["x"],
        "x",
        None,
    ],
)
def test_what_x_does_not_take_as_quick_replies_is_refused(x, control, options):
    assert prompt(x, options=options).code == 214
    assert control.truth()["counts"]["messages"] == 0


def test_a_tap_is_a_message_of_the_label_with_the_metadata(x, control):
    prompt(x)
    control.post("/customers/501/dm", tap=3)
    assert heard(x) == [("4", "m4")]


@pytest.mark.parametrize("tap", [5, -1, "x"])
def test_a_tap_on_nothing_is_refused(x, control, app, tap):
    prompt(x)
    given = app.test_client().post("/_control/customers/501/dm", json={"tap": tap}, base_url="http://x.test")
    assert given.status_code == 404


def test_scripted_customers_tap_and_type(x, control):
    control.customer("501", script=[{"after_s": 5, "tap": 1}, {"after_s": 9, "dm": "5"}])
    prompt(x)
    assert heard(x) == []
    control.advance(10)
    assert heard(x) == [("5", None), ("2", "m2")]


def test_a_tap_by_chance_is_on_the_scale(x, control):
    control.customer("501", script=[{"after_s": 1, "tap": "random"}])
    for _ in range(5):
        prompt(x)
        control.advance(2)
    assert {text for text, _ in heard(x)} <= {"1", "2", "3", "4", "5"}


@pytest.mark.parametrize("form", ["x_activity", "account_activity"])
def test_each_message_is_pushed_once_to_the_app_and_says_whose_it_is(x, control, app, form, monkeypatch):
    sent = []
    monkeypatch.setattr(pushes, "launch", lambda _world, item: sent.append(item))
    control.switch(activity_form=form)
    control.post("/webhooks", activity_url="http://127.0.0.1:1/webhooks/x")
    prompt(x)
    control.post("/customers/501/dm", tap=0)
    bodies = [json.loads(each.body) for each in sent]
    assert [each.event_type for each in sent] == ["dm.sent", "dm.received"]
    if form == "account_activity":
        assert {each["for_user_id"] for each in bodies} == {x.account.user_id}
    else:
        assert {each["data"]["filter"]["user_id"] for each in bodies} == {x.account.user_id}
        assert len({each["data"]["event_uuid"] for each in bodies}) == 2


@pytest.mark.parametrize("answer", ["403/187", "403/151"])
def test_the_same_text_again_is_refused_by_switch(x, control, answer):
    assert (x.dm("501").status, x.dm("501").status) == (200, 200)
    control.switch(duplicate_dm=answer)
    given = x.dm("501")
    assert (given.status, given.code) == tuple(map(int, answer.split("/")))
    assert x.dm("501", "another text").status == 200


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        ("typed", 'a\u200bb "c" - d.'),
        ("visible", 'ab "c" - d.'),
        ("escaped", "a\u200bb &quot;c&quot; - d."),
        ("rewritten", "a\u200bb \u201dc\u201d \u2014 d"),
    ],
)
def test_the_list_shows_a_text_as_the_switch_says(x, control, shown, text):
    x.dm("501", 'a\u200bb "c" - d.')
    control.switch(list_texts=shown)
    (event,) = x.get("direct_messages/events/list").body["events"]
    assert event["message_create"]["message_data"]["text"] == text
