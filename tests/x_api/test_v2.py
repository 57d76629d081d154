"""X's v2 for messages: what is asked, what is read of the answer, and what it refuses."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from service.x_api import (
    AccountProblem,
    Credentials,
    OutcomeUnknown,
    RateLimited,
    RecipientRefused,
    Temporary,
    Unexplained,
)
from service.x_api.facts import Friendship, OwnAccount, User
from service.x_api.v2 import XClientV2

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEYS = Credentials("ck", "cs", "1212-t", "ts")
ADA = {"data": {"id": "501", "username": "ada", "receives_your_dm": True}}


def asking(status, body, headers=None):
    """A client and the list of what it asked; X answers always the same."""
    asked = []

    def answer(request):
        asked.append((request.method, request.url.path, dict(request.url.params), request.content))
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.Response(status, content=content, headers=headers)

    transport = httpx.MockTransport(answer)
    return XClientV2(KEYS, base_url="http://x.example", clock=lambda: NOW, transport=transport), asked


@pytest.mark.parametrize(
    ("by", "path"), [({"user_id": "501"}, "/2/users/501"), ({"screen_name": "ada"}, "/2/users/by/username/ada")]
)
def test_a_user_says_whether_they_take_our_messages(by, path):
    x, asked = asking(200, ADA)
    assert x.show_user(**by).value == User("501", "ada", can_dm=True)
    assert asked[0][:3] == ("GET", path, {"user.fields": "receives_your_dm,username"})
    assert x.show_friendship("501").value == Friendship(can_dm=True, target_id="501")


@pytest.mark.parametrize("said", [{}, {"receives_your_dm": None}, {"receives_your_dm": "yes"}])
def test_silence_is_no_no(said):
    x, _ = asking(200, {"data": {"id": "501", **said}})
    assert x.show_user(user_id="501").value.can_dm is None


def test_who_we_are():
    x, asked = asking(200, {"data": {"id": "1212", "username": "acme"}})
    assert (x.verify_credentials().value, asked[0][1]) == (OwnAccount("1212", "acme"), "/2/users/me")


def test_a_message_is_sent_with_its_text_and_nothing_else():
    x, asked = asking(201, {"data": {"dm_conversation_id": "501-1212", "dm_event_id": "77"}})
    assert x.send_dm("501", "How did we do?\x00", signed_at=NOW).value.id == "77"
    assert asked[0][:2] == ("POST", "/2/dm_conversations/with/501/messages")
    assert json.loads(asked[0][3]) == {"text": "How did we do?"}


@pytest.mark.parametrize("body", [{}, {"data": {}}, {"data": {"dm_event_id": None}}, b"<html>", b""])
def test_a_send_without_a_readable_id_is_unclear(body):
    x, _ = asking(201, body)
    with pytest.raises(OutcomeUnknown):
        x.send_dm("501", "Hi", signed_at=NOW)


@pytest.mark.parametrize("ask", [
    lambda x: x.show_user(user_id="502"), lambda x: x.show_user(screen_name="bob"), lambda x: x.show_friendship("502"),
])  # fmt: skip
def test_a_user_nobody_asked_for_is_no_answer(ask):
    x, _ = asking(200, ADA)
    with pytest.raises(Temporary) as caught:
        ask(x)
    assert caught.value.reason == "unreadable_answer"


def test_a_send_answered_for_another_conversation_is_unclear():
    x, _ = asking(201, {"data": {"dm_conversation_id": "501-1212", "dm_event_id": "77"}})
    with pytest.raises(OutcomeUnknown):
        x.send_dm("502", "Hi", signed_at=NOW)


def test_messages_of_another_conversation_prove_nothing_of_this_one():
    x, _ = asking(200, {"data": [{**EVENT, "dm_conversation_id": "501-1212"}], "meta": {}})
    assert len(x.list_dms_with("501").value.events) == 1
    page = x.list_dms_with("502").value
    assert (page.events, [each.field for each in page.problems]) == ((), ["events[0].dm_conversation_id"])


EVENT = {
    "id": "77", "event_type": "MessageCreate", "sender_id": "1212", "created_at": "2026-11-22T12:00:00.000Z",
    "text": "See https://t.co/ab &amp; more",
    "entities": {"urls": [{"url": "https://t.co/ab", "expanded_url": "https://b.example/p"}]},
}  # fmt: skip


def test_a_conversation_is_read_by_its_other_side():
    theirs = {"id": "78", "sender_id": "501", "text": "4"}
    x, asked = asking(200, {"data": [EVENT, theirs], "meta": {"result_count": 2, "next_token": "n1"}})
    page = x.list_dms_with("501", "n0").value
    assert [(m.id, m.sender_id, m.recipient_id, m.text, m.created_at) for m in page.events] == [
        ("77", "1212", "501", "See https://b.example/p & more", NOW), ("78", "501", None, "4", None),
    ]  # fmt: skip
    assert (page.next_cursor, page.problems) == ("n1", ())
    assert asked[0][1] == "/2/dm_conversations/with/501/dm_events"
    assert (asked[0][2]["max_results"], asked[0][2]["pagination_token"]) == ("100", "n0")


@pytest.mark.parametrize("meta", [{"result_count": 0}, {"next_token": ""}, {"next_token": None}, None])
def test_a_conversation_without_messages_has_no_data_and_an_end(meta):
    x, _ = asking(200, {"meta": meta})
    assert (x.list_dms_with("501").value.events, x.list_dms_with("501").value.next_cursor) == ((), None)


NOT_FOUND = {
    "title": "Not Found Error",
    "type": "https://api.twitter.com/2/problems/resource-not-found",
    "value": "501",
}


@pytest.mark.parametrize("beside", [{}, {"data": []}, {"meta": {"result_count": 0}}])
def test_a_conversation_of_which_x_only_complains_is_not_an_empty_one(beside):
    x, _ = asking(200, {**beside, "errors": [NOT_FOUND]})
    with pytest.raises(RecipientRefused):
        x.list_dms_with("501")


def test_an_error_of_an_unknown_kind_about_one_person_says_nothing_of_the_account():
    x, _ = asking(200, {"errors": [{"title": "Odd", "type": "https://api.twitter.com/2/problems/nobody-knows"}]})
    with pytest.raises(Unexplained) as refused:
        x.show_user(user_id="501")
    assert not refused.value.about_us


@pytest.mark.parametrize(("headers", "reset_at"), [({"retry-after": "600"}, NOW + timedelta(minutes=10)), ({}, None)])
def test_a_limit_in_a_200_is_waited_out_as_any_other(headers, reset_at):
    used_up = {"errors": [{"type": "https://api.twitter.com/2/problems/usage-capped", "title": "UsageCapExceeded"}]}
    x, _ = asking(200, used_up, headers)
    for ask in (lambda: x.show_user(user_id="501"), lambda: x.list_dms_with("501")):
        with pytest.raises(RateLimited) as limited:
            ask()
        assert limited.value.reset_at == reset_at
        assert limited.value.back_at(NOW) == (reset_at or NOW + timedelta(minutes=15))


def test_a_conversation_of_which_x_leaves_something_out_proves_no_absence():
    x, _ = asking(200, {"data": [EVENT], "errors": [NOT_FOUND], "meta": {"result_count": 1}})
    assert [each.field for each in x.list_dms_with("501").value.problems] == ["errors"]


def test_an_answer_with_nothing_in_it_is_no_conversation():
    x, _ = asking(200, {})
    with pytest.raises(Temporary):
        x.list_dms_with("501")


def test_a_message_without_a_sender_is_a_problem_and_no_absence():
    x, _ = asking(200, {"data": [{**EVENT, "sender_id": None}]})
    assert [each.field for each in x.list_dms_with("501").value.problems] == ["events[0].sender_id"]


@pytest.mark.parametrize("name", ["", "a/b", "../me", "501?x=1", "\u0665", "a b"])
def test_an_invalid_id_never_becomes_a_path(name):
    x, asked = asking(200, ADA)
    with pytest.raises(ValueError, match="no id"):
        x.send_dm(name, "Hi", signed_at=NOW)
    assert asked == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"title": "Forbidden", "status": 403, "type": "about:blank",
          "detail": "You do not have permission to DM one or more participants."}, RecipientRefused),
        ({"title": "Client Forbidden", "type": "https://api.twitter.com/2/problems/client-forbidden"}, AccountProblem),
        ({"title": "Forbidden", "status": 403, "type": "about:blank", "detail": "Forbidden"}, AccountProblem),
    ],
)  # fmt: skip
def test_a_refusal_says_whether_it_is_about_us_or_the_customer(body, kind):
    x, _ = asking(403, body)
    with pytest.raises(kind):
        x.send_dm("501", "Hi", signed_at=NOW)
