"""Each endpoint as X sees it, against a small X that checks signatures and remembers requests."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, parse_qsl

import httpx
import pytest

from service.x_api import Card, Credentials, XClient
from service.x_api.errors import AccountProblem, OutcomeUnknown, RecipientRefused, Temporary
from tests.x_api.oracle import header_fields, valid

NOW = datetime(2026, 11, 22, 12, 0, 0, 500_000, tzinfo=UTC)
INTENT = NOW - timedelta(minutes=4)
KEYS = Credentials("ck", "consumer &secret", "tk", "token secret")
RESET = int(NOW.timestamp()) + 900
RATE = [("x-rate-limit-limit", "180"), ("x-rate-limit-remaining", "179"), ("x-rate-limit-reset", str(RESET))]
ME = {"id": 1, "id_str": "1", "screen_name": "us"}


class SmallX:
    """A WSGI app: refuses what is not signed, answers from `routes`, remembers what it was asked."""

    def __init__(self, routes):
        self.routes = routes
        self.asked = []

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read()
        status, headers, answer = self.answer(environ, body)
        start_response(f"{status} X", [("Content-Type", "application/json"), *headers])
        return [json.dumps(answer).encode()]

    def answer(self, environ, body):
        path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
        url = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}{path}" + (f"?{query}" if query else "")
        form = body.decode() if environ.get("CONTENT_TYPE") == "application/x-www-form-urlencoded" else ""
        header = environ["HTTP_AUTHORIZATION"]
        if not valid(environ["REQUEST_METHOD"], url, form, header, KEYS.consumer_secret, KEYS.token_secret):
            return 401, [], {"errors": [{"code": 32, "message": "Could not authenticate you."}]}
        self.asked.append((environ["REQUEST_METHOD"], path, dict(parse_qsl(query)), body, header_fields(header)))
        return self.routes.get(path, (404, [], {"errors": [{"code": 34, "message": "no such page"}]}))


def asking(path, answer, headers=(), status=200):
    app = SmallX({path: (status, list(headers), answer)})
    x = XClient(
        KEYS,
        base_url="http://127.0.0.1:8080/",
        clock=lambda: NOW,
        transport=httpx.WSGITransport(app=app),
    )
    return app, x


def test_a_wrong_secret_is_an_account_problem():
    app = SmallX({})
    wrong = Credentials("ck", "other", "tk", "token secret")
    transport = httpx.WSGITransport(app=app)
    x = XClient(wrong, base_url="http://x.example", clock=lambda: NOW, transport=transport)
    with x, pytest.raises(AccountProblem) as caught:
        x.show_user(user_id="2")
    assert (caught.value.reason, app.asked) == ("not_authenticated", [])


def test_verify_credentials_says_who_we_are_and_what_we_may_do():
    level = [("x-access-level", "read-write-directmessages"), *RATE]
    app, x = asking("/1.1/account/verify_credentials.json", ME, level)
    answer = x.verify_credentials()
    assert (answer.value.id, answer.value.screen_name, answer.value.access_level) == (
        "1",
        "us",
        "read-write-directmessages",
    )
    assert (answer.rate.limit, answer.rate.remaining, answer.rate.reset_at.timestamp()) == (180, 179, RESET)
    assert app.asked[0][4]["oauth_timestamp"] == str(int(NOW.timestamp()))


@pytest.mark.parametrize("asked", [{"user_id": "2"}, {"screen_name": "ann"}])
def test_show_user_asks_by_id_or_by_name(asked):
    app, x = asking("/1.1/users/show.json", {"id_str": "2", "can_dm": True})
    assert x.show_user(**asked).value.can_dm is True
    assert app.asked[0][:3] == ("GET", "/1.1/users/show.json", asked)


@pytest.mark.parametrize("asked", [{}, {"user_id": "2", "screen_name": "ann"}])
def test_show_user_asks_by_one_of_them(asked):
    _, x = asking("/1.1/users/show.json", {})
    with pytest.raises(ValueError, match="not both"):
        x.show_user(**asked)


@pytest.mark.parametrize("asked", [{"user_id": "2"}, {"screen_name": "Ann"}])
def test_a_user_nobody_asked_for_is_no_answer(asked):
    _, x = asking("/1.1/users/show.json", {"id": 2, "screen_name": "ann"})
    assert x.show_user(**asked).value.id == "2"
    _, x = asking("/1.1/users/show.json", {"id_str": "3", "screen_name": "bob", "can_dm": True})
    with pytest.raises(Temporary) as caught:
        x.show_user(**asked)
    assert caught.value.reason == "unreadable_answer"


@pytest.mark.parametrize(("target", "answered"), [
    ({"id": 2, "id_str": "2"}, True), ({"id": 2}, True), ({}, True), (None, True), ({"id": 3, "id_str": "3"}, False),
])  # fmt: skip
def test_a_friendship_with_somebody_else_is_no_answer(target, answered):
    _, x = asking("/1.1/friendships/show.json", {"relationship": {"source": {"can_dm": True}, "target": target}})
    with nullcontext() if answered else pytest.raises(Temporary):
        assert x.show_friendship("2").value.can_dm is True


@pytest.mark.parametrize(("path", "answer", "send"), [
    ("/1.1/direct_messages/events/new.json",
     lambda whom: {"event": {"id": "77", "message_create": {"target": {"recipient_id": whom}}}},
     lambda x: x.send_dm("2", "Hello", signed_at=INTENT)),
    ("/1.1/feedback/create.json", lambda whom: {"id": "77", "dm_id": "6", "to_user_id": whom},
     lambda x: x.create_feedback(Card("csat", "2", "Hello", "https://b.example/p"), signed_at=INTENT)),
])  # fmt: skip
def test_a_send_answered_for_somebody_else_is_unclear(path, answer, send):
    assert send(asking(path, answer("2"))[1]).value.id == "77"
    with pytest.raises(OutcomeUnknown) as caught:
        send(asking(path, answer("3"))[1])
    assert (caught.value.reason, caught.value.http_status) == ("unreadable_answer", 200)


def test_show_friendship_reads_can_dm_of_the_source():
    app, x = asking("/1.1/friendships/show.json", {"relationship": {"source": {"can_dm": False}}})
    assert x.show_friendship("2").value.can_dm is False
    assert app.asked[0][2] == {"target_id": "2"}


def test_send_dm_writes_json_signed_with_the_moment_of_the_intent():
    sent = {"event": {"id": "77", "created_timestamp": "1563133949197", "message_create": {"sender_id": "1"}}}
    app, x = asking("/1.1/direct_messages/events/new.json", sent)
    answer = x.send_dm("2", "Café & Co: a=b\n\x00\ud800", signed_at=INTENT)
    assert (answer.value.id, answer.value.sender_id, answer.rate) == ("77", "1", None)
    method, _, query, body, header = app.asked[0]
    assert (method, query) == ("POST", {})
    assert json.loads(body) == {
        "event": {
            "type": "message_create",
            "message_create": {
                "target": {"recipient_id": "2"},
                "message_data": {"text": "Café & Co: a=b\n\ufffd"},
            },
        }
    }
    assert header["oauth_timestamp"] == str(int(INTENT.timestamp()))


def test_send_dm_tells_a_refused_recipient_from_other_refusals():
    refusal = {"errors": [{"code": 349, "message": "You cannot send messages to this user."}]}
    _, x = asking("/1.1/direct_messages/events/new.json", refusal, status=403)
    with pytest.raises(RecipientRefused) as caught:
        x.send_dm("2", "Hello", signed_at=INTENT)
    assert (caught.value.reason, caught.value.code, caught.value.http_status) == ("cannot_dm", 349, 403)


@pytest.mark.parametrize(
    ("asked", "query"),
    [({}, {"count": "50"}), ({"cursor": "MT+/=E0", "count": 20}, {"count": "20", "cursor": "MT+/=E0"})],
)
def test_list_dms_asks_for_a_page(asked, query):
    app, x = asking("/1.1/direct_messages/events/list.json", {"events": [], "next_cursor": "MTE0"})
    page = x.list_dms(**asked).value
    assert (page.events, page.next_cursor) == ((), "MTE0")
    assert app.asked[0][2] == query


FULL = Card(
    type="nps",
    to_user_id="343434343434",
    message="Thanks for chatting with us! How did we do?",
    privacy_url="https://business.example/privacy",
    external_id="ticket_5555",
    question_variant_id=3,
    display_name="Café & Co",
    test=True,
)


def test_create_feedback_sends_the_form_of_the_reference_signed_with_the_moment_of_the_intent():
    app, x = asking("/1.1/feedback/create.json", {"id": "5", "dm_id": "6"})
    answer = x.create_feedback(FULL, signed_at=INTENT)
    assert (answer.value.id, answer.value.dm_id) == ("5", "6")
    method, _, query, body, header = app.asked[0]
    assert (method, query) == ("POST", {})
    assert body.decode() == (
        "type=nps&to_user_id=343434343434&message=Thanks+for+chatting+with+us%21+How+did+we+do%3F"
        "&privacy_url=https%3A%2F%2Fbusiness.example%2Fprivacy&external_id=ticket_5555&question_variant_id=3"
        "&display_name=Caf%C3%A9+%26+Co&test=true"
    )
    assert header["oauth_timestamp"] == str(int(INTENT.timestamp()))


def test_create_feedback_leaves_out_what_is_empty_and_sends_a_zero():
    app, x = asking("/1.1/feedback/create.json", {"id": "5"})
    x.create_feedback(Card("csat", "2", "Hello", "https://b.example/p", display_name=""), signed_at=INTENT)
    x.create_feedback(Card("csat", "2", "Hello", "https://b.example/p", question_variant_id=0), signed_at=INTENT)
    first, second = (parse_qs(body.decode(), keep_blank_values=True) for _, _, _, body, _ in app.asked)
    assert set(first) == {"type", "to_user_id", "message", "privacy_url", "test"}
    assert first["test"] == ["false"]
    assert second["question_variant_id"] == ["0"]


def test_show_feedback_asks_by_id_in_the_path():
    answered = {
        "id": "5",
        "type": "csat",
        "response": {"score": {"value": 4, "created_at": "Tue Dec 15 17:58:20 +0000 2015"}},
    }
    app, x = asking("/1.1/feedback/show/5.json", answered, RATE)
    answer = x.show_feedback("5")
    assert (answer.value.score, answer.rate.remaining) == (4, 179)
    assert app.asked[0][:3] == ("GET", "/1.1/feedback/show/5.json", {})


def test_an_odd_feedback_id_cannot_leave_its_path():
    seen = []

    def look(request):
        seen.append(request.url.raw_path)
        return httpx.Response(200, json={"id": "1"})

    with XClient(KEYS, base_url="http://x.example", clock=lambda: NOW, transport=httpx.MockTransport(look)) as x:
        x.show_feedback("../../account/settings?a=b#c")
    assert seen == [b"/1.1/feedback/show/..%2F..%2Faccount%2Fsettings%3Fa%3Db%23c.json"]


FROM = datetime(2016, 1, 4, 19, 45, 37, 470_000, tzinfo=UTC)
TO = datetime(2016, 1, 5, 19, 45, 37, 470_000, tzinfo=UTC)


def test_the_first_page_of_events_sends_its_range_in_milliseconds():
    app, x = asking("/1.1/feedback/events.json", {"events": [{"feedback": {"id": "5"}}], "next_cursor": "10011"})
    page = x.list_feedback_events(from_time=FROM, to_time=TO).value
    assert ([card.id for card in page.events], page.next_cursor) == (["5"], "10011")
    assert app.asked[0][2] == {"from_time": "1451936737470", "to_time": "1452023137470", "count": "100"}


def test_a_later_page_of_events_sends_its_cursor_alone():
    app, x = asking("/1.1/feedback/events.json", {"events": [], "next_cursor": ""})
    page = x.list_feedback_events(from_time=FROM, to_time=TO, cursor="10011", count=50).value
    assert page.next_cursor is None
    assert app.asked[0][2] == {"cursor": "10011", "count": "50"}


def test_events_are_not_asked_for_in_local_time():
    _, x = asking("/1.1/feedback/events.json", {})
    with pytest.raises(ValueError, match="aware"):
        x.list_feedback_events(from_time=FROM.replace(tzinfo=None), to_time=TO)


def test_a_base_url_may_have_a_path_of_its_own():
    app = SmallX({"/x/1.1/users/show.json": (200, [], {"id": "2"})})
    transport = httpx.WSGITransport(app=app)
    with XClient(KEYS, base_url="http://proxy.example/x", clock=lambda: NOW, transport=transport) as x:
        assert x.show_user(user_id="2").value.id == "2"
