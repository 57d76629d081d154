"""Two products of X push messages in two forms; both name the account and carry the same messages."""

import pytest

from service.x_api import ParseProblem
from service.x_api.activity import parse_activity
from tests.x_api.test_parsing import SENT

MESSAGE = SENT["event"]
TAPPED = {
    **MESSAGE,
    "message_create": {
        **MESSAGE["message_create"],
        "message_data": {"text": "4", "quick_reply_response": {"type": "options", "metadata": "dmf1:fr_1:4:proof"}},
    },
}


def account_activity(*messages):
    return {"for_user_id": "2", "direct_message_events": list(messages), "users": {}, "apps": {}}


def x_activity(*messages, event_type="dm.received"):
    payload = {"direct_message_events": list(messages), "users": {}}
    return {"data": {"event_uuid": "u", "filter": {"user_id": "2"}, "event_type": event_type, "payload": payload}}


@pytest.mark.parametrize("form", [account_activity, x_activity])
def test_either_form_says_whose_it_is_and_what_came(form):
    activity = parse_activity(form(MESSAGE, TAPPED))
    assert activity.user_id == "2"
    assert [(each.text, each.tapped) for each in activity.messages] == [
        ("Tom & Jerry: https://b.example/p", None), ("4", "dmf1:fr_1:4:proof"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "raw",
    [
        {"for_user_id": 2, "follow_events": []},
        {"for_user_id": "2", "direct_message_events": "x"},
        {"data": {"filter": {"user_id": "2"}, "event_type": "chat.received", "payload": {"encoded_event": "AAA"}}},
        {"data": {"filter": {"user_id": "2"}, "event_type": "dm.read"}},
        {"data": {"filter": {"user_id": "2"}, "payload": []}},
    ],
)
def test_other_pushes_contain_no_message(raw):
    assert (parse_activity(raw).user_id, parse_activity(raw).messages) == ("2", ())


def test_an_unreadable_message_does_not_hide_the_others():
    activity = parse_activity(account_activity({"message_create": {}}, MESSAGE))
    assert (len(activity.messages), len(activity.problems)) == (1, 1)


@pytest.mark.parametrize("response", ["x", [], {"metadata": 5}, {"metadata": ""}, {"metadata": "x" * 1001}, None])
def test_an_unreadable_tap_is_a_typed_message(response):
    content = {"text": "4", "quick_reply_response": response}
    message = {**MESSAGE, "message_create": {**MESSAGE["message_create"], "message_data": content}}
    (read,) = parse_activity(account_activity(message)).messages
    assert (read.text, read.tapped) == ("4", None)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        "x",
        {},
        {"for_user_id": None},
        {"for_user_id": []},
        {"data": []},
        {"data": {}},
        {"data": {"filter": 1}},
    ],
)
def test_a_push_without_an_account_is_refused(raw):
    with pytest.raises(ParseProblem):
        parse_activity(raw)
