"""X's webhook: who may call it, what is accepted and answered, and that 200 means committed."""

import base64
import gzip
import hmac
import io
import json
import zlib
from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask, Request
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from structlog.testing import capture_logs

from service.db import open_engine
from service.errors import ServiceError, TooLarge, problem
from service.results import bodies
from service.results.x_webhook import blueprint
from service.settings import SettingsError
from service.x_api.webhook import SIGNATURE_HEADER, crc_response
from tests.results.cards import (
    HOUR,
    NOW,
    answer_of,
    event,
    history_of,
    request,
    result_of,
    settings,
    shop,
    snapshot,
    strays,
    take,
)

URL = "/webhooks/x/shop"
SECRET = "sandbox-consumer-secret"


def browser(engine, now=NOW, **account):
    return browser_of(settings(**account), engine, now)


def browser_of(built, engine, now=NOW):
    app = Flask(__name__)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.register_error_handler(ServiceError, lambda error: (problem(error, "r1"), error.status, error.headers))
    app.register_blueprint(blueprint(built, engine, lambda: now))
    return app.test_client()


def basic(user="x", password="a-long-random-password"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def post(client, body, url=URL, headers=None, **options):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(url, data=raw, headers=basic() if headers is None else headers, **options)


@pytest.fixture
def client(engine):
    return browser(engine)


def test_an_answer_is_stored_before_it_is_answered_200(engine, client):
    row = request(engine)
    given = post(client, event(snapshot(row, NOW, score=4, text="ok")))
    assert (given.status_code, given.get_json()) == (200, {"received": 1})
    assert answer_of(engine, row) == (4, NOW, "ok", NOW)
    assert result_of(engine, row)["first_channel"] == "webhook"


@pytest.mark.parametrize("wrap", [lambda events: events, lambda events: {"events": events, "next_cursor": ""}])
def test_a_batch_is_taken_whole(engine, client, wrap):
    rows = [request(engine) for _ in range(3)]
    given = post(client, wrap([event(snapshot(row, NOW, score=2)) for row in rows]))
    assert given.get_json() == {"received": 3}
    assert all(answer_of(engine, row)[0] == 2 for row in rows)


@pytest.mark.parametrize(
    ("ours", "theirs", "taken"),
    [
        ({"webhook_networks": ("127.0.0.0/8",)}, {}, True),
        ({"webhook_networks": ("127.0.0.0/8",)}, {"webhook_networks": ("127.0.0.0/8",)}, True),
        ({}, {"webhook_networks": ("127.0.0.0/8",)}, False),
        ({"webhook_signature": True}, {"webhook_signature": True}, True),
        ({"webhook_signature": True}, {"webhook_password": "another than shop's"}, True),
        ({"webhook_signature": True}, {"consumer_secret": "another app's"}, False),
    ],
)
def test_one_webhook_brings_cards_of_accounts_with_the_same_proof(engine, ours, theirs, taken):
    accounts = {"shop": replace(shop(), **ours), "care": replace(shop(), name="care", user_id="3434", **theirs)}
    row = request(engine, account="care")
    raw = json.dumps(event(snapshot(row, NOW, score=2, from_user_id="3434"))).encode()
    proof = basic() | {SIGNATURE_HEADER: crc_response(SECRET, raw.decode())}
    assert post(browser_of(replace(settings(), accounts=accounts), engine), raw, headers=proof).status_code == 200
    assert (result_of(engine, row) is not None) is taken


def test_two_deliveries_within_a_minute_are_both_accepted(engine, client):
    rows = [request(engine) for _ in range(2)]
    for row in rows:
        post(client, event(snapshot(row, NOW, score=4)))
    assert [answer_of(engine, row)[0] for row in rows] == [4, 4]


@pytest.mark.parametrize(
    ("theirs", "taken"),
    [
        ({}, True),
        ({"webhook_user": None, "webhook_password": None}, True),
        ({"webhook_signature": True}, False),
        ({"webhook_password": "another than shop's"}, False),
        ({"webhook_networks": ("10.0.0.0/8",)}, False),
        ({"consumer_secret": "another app's"}, False),
        ({"webhook_user": None, "webhook_password": None, "webhook_networks": ("10.0.0.0/8",)}, False),
    ],
    ids=[
        "same app",
        "asks nothing",
        "wants a signature",
        "another password",
        "from its networks",
        "another app",
        "from its networks alone",
    ],
)
def test_an_address_of_an_app_brings_the_cards_of_its_accounts(engine, theirs, taken):
    """X registers one address by hand for an app, and several accounts may write by it."""
    built = settings()
    both = replace(built, accounts={"shop": shop(), "care": replace(shop(), name="care", user_id="3434", **theirs)})
    ours, others = request(engine), request(engine, account="care")
    bodies = [snapshot(ours, NOW, score=4), snapshot(others, NOW, score=2, from_user_id="3434")]
    given = post(browser_of(both, engine), [event(each) for each in bodies])
    assert given.get_json() == {"received": 2}
    assert answer_of(engine, ours)[0] == 4
    assert (answer_of(engine, others) is not None, strays(engine)) == (taken, [] if taken else [others["feedback_id"]])


def test_a_duplicate_is_answered_200_and_changes_nothing(engine, client):
    row = request(engine)
    body = event(snapshot(row, NOW, score=4))
    post(client, body)
    before = (result_of(engine, row), history_of(engine, row))
    assert post(client, body).status_code == 200
    assert (result_of(engine, row), history_of(engine, row)) == before


def test_a_flood_of_duplicates_writes_nothing(engine, client):
    body = event(snapshot(request(engine), NOW, score=4))
    post(client, body)
    statements = []
    sa.event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    for _ in range(5):
        post(client, body)
    assert statements
    assert all(each.startswith(("SELECT", "BEGIN")) and "IMMEDIATE" not in each for each in statements)


def test_a_flood_of_strays_costs_as_many_statements_as_one(engine, client):
    def cost(first, many):
        strays = [{"id": str(n), "external_id": f"fr_{n}", "dm_id": str(n)} for n in range(first, first + many)]
        statements = []
        sa.event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        post(client, [{"event_type": "feedback.updated", "feedback": each} for each in strays])
        return len(statements)

    post(client, event({"id": "1"}))
    assert cost(1000, 1) == cost(2000, 400)


def test_a_stray_is_answered_200_and_counted(engine, client):
    row = {"id": "ticket_1", "feedback_id": "666", "card_dm_id": "667", "x_user_id": "1"}
    assert post(client, event(snapshot(row, NOW, score=4, text="private"))).status_code == 200
    assert strays(engine) == ["666"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"{}",
        b"[" * 100_000,
        b"1" * 5000,
        b'{"feedback": null}',
        b'{"feedback": {"id": {}}}',
        b'{"feedback": {"id": "1", "response": {"score": {"value": 4.7}}}}',
        b'{"feedback": {"id": "1", "response": {"score": {"value": NaN}}}}',
        b'{"for_user_id": "1", "direct_message_events": []}',
        b'{"events": [null, 1, [], "x"]}',
    ],
    ids=lambda body: body[:30].decode("latin-1"),
)
def test_an_unreadable_body_is_answered_200_to_stop_repeats(engine, client, body):
    assert post(client, body).get_json() == {"received": 0}


def test_one_unreadable_event_hides_no_other(engine, client):
    row = request(engine)
    bad = event(snapshot(row, NOW, response={"score": {"value": "5"}}))
    assert post(client, [bad, event(snapshot(row, NOW, score=4))]).get_json() == {"received": 1}
    assert answer_of(engine, row)[0] == 4


def test_logs_and_answers_hold_no_customers_words(engine, client):
    row = request(engine)
    unreadable = event(snapshot(row, NOW, response={"score": {"value": "SECRETWORD"}}))
    first = event(snapshot(row, NOW - HOUR, text="SECRETWORD"))
    second = event(snapshot(row, NOW, text="SECRETWORD changed"))
    with capture_logs() as lines:
        answers = [post(client, body) for body in (b"SECRETWORD", unreadable, first, second)]
    assert len(lines) >= 4
    assert "SECRETWORD" not in repr(lines)
    assert all(b"SECRETWORD" not in each.data for each in answers)
    assert {line["request_id"] for line in lines if line["event"] == "answer_received"} == {row["id"]}


# -- who may speak ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic(password="wrong"),
        basic(user="wrong"),
        basic(user="", password=""),
        basic(password="pässwörd"),
        {"Authorization": "Bearer a-long-random-password"},
        {"Authorization": 'Digest username="x", password="a-long-random-password"'},
        {"Authorization": "Basic %%%"},
        {"Authorization": "Basic"},
    ],
    ids=str,
)
def test_without_the_password_everything_is_refused(engine, client, headers):
    row = request(engine)
    given = post(client, event(snapshot(row, NOW, score=1)), headers=headers)
    assert given.status_code == 401
    assert given.headers["WWW-Authenticate"].startswith("Basic ")
    assert result_of(engine, row) is None


def test_an_unknown_account_is_404(client):
    assert post(client, {}, url="/webhooks/x/nobody").status_code == 404
    assert client.get("/webhooks/x/nobody?crc_token=a").status_code == 404


def test_a_webhook_without_a_password_or_signature_is_closed(engine):
    client = browser(engine, webhook_user=None, webhook_password=None)
    for headers in ({}, basic("", ""), basic("x", "")):
        assert post(client, {}, headers=headers).status_code == 404


@pytest.mark.parametrize(
    "account", [{"webhook_password": None}, {"webhook_user": "x", "webhook_password": ""}], ids=str
)
def test_half_a_login_is_a_mistake_in_the_settings(engine, account):
    with pytest.raises(SettingsError, match="does nothing without it"):
        browser(engine, **account)


@pytest.mark.parametrize(
    "half", [{"webhook_password": None}, {"webhook_user": None}, {"webhook_password": ""}], ids=str
)
def test_half_a_login_opens_nothing_wherever_it_came_from(engine, half):
    """Settings with half a one do not load; should they ever, nobody gets in by it."""
    built = settings()
    told = [
        replace(built, accounts={"shop": replace(shop(), **half, webhook_signature=signature)})
        for signature in (False, True)
    ]
    proof = {SIGNATURE_HEADER: crc_response(SECRET, "{}")}
    for user, password in (("x", ""), ("", "a-long-random-password"), ("", "")):
        given = [post(browser_of(each, engine), b"{}", headers=basic(user, password) | proof) for each in told]
        assert [each.status_code for each in given] == [404, 401]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("199.59.150.7", 200),
        ("::ffff:199.59.150.7", 200),
        ("199.59.150.7:51234", 200),
        ("[2001:db8::1]:51234", 200),
        ("2001:db8::1", 200),
        ("199.59.152.1", 403),
        ("127.0.0.1", 403),
        ("2001:db9::1", 403),
        ("", 403),
        ("unix:", 403),
    ],
)
def test_an_allow_list_admits_only_its_networks(engine, address, status):
    client = browser(engine, webhook_networks=["199.59.148.0/22", "2001:db8::/32"])
    assert post(client, {}, environ_base={"REMOTE_ADDR": address}).status_code == status


def test_an_invalid_network_prevents_the_start(engine):
    with pytest.raises(SettingsError, match=r"accounts\.shop\.webhook_networks"):
        browser(engine, webhook_networks=["199.59.148.0/99"])


def test_the_signature_is_demanded_where_the_settings_say_so(engine):
    client, row = browser(engine, webhook_signature=True), request(engine)
    raw = json.dumps(event(snapshot(row, NOW, score=3))).encode()
    signed = basic() | {SIGNATURE_HEADER: crc_response(SECRET, raw.decode())}
    assert post(client, raw).status_code == 401
    assert post(client, raw + b" ", headers=signed).status_code == 401
    assert post(client, raw, headers={SIGNATURE_HEADER: signed[SIGNATURE_HEADER]}).status_code == 401
    assert result_of(engine, row) is None
    assert post(client, raw, headers=signed).status_code == 200
    assert answer_of(engine, row)[0] == 3


def test_the_signature_alone_opens_a_webhook_without_a_password(engine):
    client = browser(engine, webhook_user=None, webhook_password=None, webhook_signature=True)
    assert post(client, b"{}", headers={SIGNATURE_HEADER: crc_response(SECRET, "{}")}).status_code == 200
    assert post(client, b"{}", headers={}).status_code == 401


# -- size -------------------------------------------------------------------------------------------------------------


def test_a_body_over_the_limit_is_refused(engine):
    limit = settings().web.max_body_bytes
    client = browser(engine)
    assert post(client, b" " * limit).status_code == 200
    assert [post(client, b" " * (limit + more)).status_code for more in (1, 2, 100)] == [413] * 3


def test_a_chunked_body_over_the_limit_is_refused_too(engine):
    limit = settings().web.max_body_bytes
    stream = io.BytesIO(b" " * (limit + 1))
    given = browser(engine).post(
        URL, input_stream=stream, headers=basic(), environ_overrides={"wsgi.input_terminated": True}
    )
    assert given.status_code == 413


@pytest.mark.parametrize(("size", "fits"), [(0, True), (9, True), (10, True), (11, False), (12, False), (1000, False)])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_small_limit_is_kept_to_the_byte(size, fits, chunked):
    wsgi = {"wsgi.input": io.BytesIO(b"x" * size), "REQUEST_METHOD": "POST"}
    given = Request(wsgi | ({"wsgi.input_terminated": True} if chunked else {"CONTENT_LENGTH": str(size)}))
    if fits:
        assert bodies.read(given, 10) == b"x" * size
        return
    with pytest.raises(TooLarge, match="10 bytes"):
        bodies.read(given, 10)


# -- the challenge ----------------------------------------------------------------------------------------------------


def test_xs_challenge_is_answered(client):
    given = client.get(f"{URL}?crc_token=challenge_string")
    assert (given.status_code, given.get_json()) == (200, {"response_token": crc_response(SECRET, "challenge_string")})


@pytest.mark.parametrize("token", ["", "{}", '{"feedback":{}}', "a" * 257, "a b", "é"])
def test_the_challenge_signs_nothing_that_could_be_a_body(client, token):
    assert client.get(URL, query_string={"crc_token": token}).status_code == 400


def test_every_view_says_how_it_authenticates(engine):
    views = browser(engine).application.view_functions
    assert {name for name, view in views.items() if getattr(view, "authentication", "")} == {
        "x_webhook.receive",
        "x_webhook.answer_challenge",
    }


@pytest.mark.parametrize("odd", [b'"name": "Ren\xe9\xf0\x9f"', b'"number": ' + b"9" * 5000])
def test_an_odd_unused_field_loses_no_answer(engine, client, odd):
    row = request(engine)
    raw = json.dumps(event(snapshot(row, NOW, score=4))).encode()
    assert post(client, b"{" + odd + b", " + raw[1:]).get_json() == {"received": 1}
    assert answer_of(engine, row)[0] == 4


def in_two_members(body):
    return gzip.compress(body[:20]) + gzip.compress(body[20:])


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, in_two_members])
def test_a_compressed_body_is_decompressed_after_verification(engine, pack):
    row = request(engine)
    raw = pack(json.dumps(event(snapshot(row, NOW, score=4))).encode())
    named = {"Content-Encoding": "deflate" if pack is zlib.compress else "gzip, identity"}
    proof = "sha256=" + base64.b64encode(hmac.digest(SECRET.encode(), raw, "sha256")).decode()
    signed = {SIGNATURE_HEADER: proof, **named, **basic()}
    given = post(browser(engine, webhook_signature=True), raw, headers=signed)
    assert (given.status_code, given.get_json(), result_of(engine, row)["score"]) == (200, {"received": 1}, 4)


def signed_of(body):
    return {SIGNATURE_HEADER: crc_response(SECRET, body.decode()), **basic()}


@pytest.mark.parametrize("path", ["before", "after"])
@pytest.mark.parametrize("named", [{"Content-Encoding": "gzip"}, {}])
def test_x_may_have_signed_before_a_proxy_compressed_and_the_header_may_be_lost(engine, path, named):
    row = request(engine)
    body = json.dumps(event(snapshot(row, NOW, score=4))).encode()
    raw = gzip.compress(body)
    proof = base64.b64encode(hmac.digest(SECRET.encode(), body if path == "before" else raw, "sha256")).decode()
    headers = {SIGNATURE_HEADER: f"sha256={proof}", **named, **basic()}
    given = post(browser(engine, webhook_signature=True), raw, headers=headers)
    assert (given.status_code, given.get_json(), result_of(engine, row)["score"]) == (200, {"received": 1}, 4)


@pytest.mark.parametrize("named", [{"Content-Encoding": "gzip"}, {}])
def test_an_answered_challenge_signs_nothing_that_was_packed(engine, named):
    """Nor does the signature of another body, and a bomb is no way around."""
    client = browser(engine, webhook_signature=True)
    for body in (b"score=4", b"A" * 40):
        assert post(client, gzip.compress(body), headers=signed_of(body) | named).status_code == 401
    assert post(client, gzip.compress(b"{}"), headers=signed_of(b"{ }") | named).status_code == 401
    assert post(client, gzip.compress(b" " * 300_000), headers=signed_of(b"{ }") | named).status_code == 413


@pytest.mark.parametrize(
    ("declared", "written", "text"),
    [
        ("iso-8859-1", "iso-8859-1", "Grüße aus Köln"),
        ("windows-1252", "windows-1252", "“schön”"),
        ("utf-8", "utf-8", "Grüße"),
        ("utf8mb4", "utf-8", "Grüße"),
        ("utf-16", "utf-8", "Grüße"),
        ("utf-16", "utf-16", "Grüße"),
        ("klingon-8", "iso-8859-1", "Gr\ufffd\ufffde"),
    ],
)
def test_a_customers_words_are_read_in_the_declared_charset(engine, declared, written, text):
    row = request(engine)
    told = event(snapshot(row, NOW, score=4, text=text.replace("\ufffd\ufffd", "üß")))
    raw = json.dumps(told, ensure_ascii=False).encode(written)
    kind = {"Content-Type": f"application/json; charset={declared}"}
    assert post(browser(engine), raw, headers=kind | basic()).get_json() == {"received": 1}
    assert result_of(engine, row)["text"] == text


def test_an_unknown_encoding_is_not_an_empty_body(engine):
    assert post(browser(engine), b"\xff", headers={"Content-Encoding": "br", **basic()}).status_code == 415
    assert post(browser(engine), b"{}", headers={"Content-Encoding": "br"}).status_code == 401


# -- the store --------------------------------------------------------------------------------------------------------


def test_while_the_store_is_away_x_is_asked_to_come_again(tmp_path):
    empty = open_engine(f"sqlite:///{tmp_path}/no-tables.db")
    with capture_logs() as lines:
        given = post(browser(empty), event(snapshot(request_like(), NOW, score=1, text="SECRETWORD")))
    empty.dispose()
    assert (given.status_code, given.headers["Retry-After"]) == (503, "5")
    assert "SECRETWORD" not in repr(lines)


def test_a_database_that_is_read_only_is_away_too(sqlite_engine):
    row = request(sqlite_engine)
    client = browser(sqlite_engine)

    def refuse(_connection, _cursor, statement, *_):
        if statement.startswith("INSERT"):
            raise sa.exc.InternalError(statement, {}, Exception("cannot execute INSERT in a read-only transaction"))

    sa.event.listen(sqlite_engine, "before_cursor_execute", refuse)
    assert post(client, event(snapshot(row, NOW, score=1))).status_code == 503


def request_like():
    return {"id": "fr_1", "feedback_id": "1", "card_dm_id": "2", "x_user_id": "3"}


def test_a_batch_that_cannot_be_committed_leaves_nothing(engine):
    rows = [request(engine) for _ in range(2)]
    client = browser(engine)

    def break_off(_connection, _cursor, statement, *_):
        if statement.startswith("INSERT INTO result_update") and len(seen) == 1:
            raise sa.exc.OperationalError(statement, {}, Exception("the disk is full"))
        seen.extend([1] * statement.startswith("INSERT INTO result_update"))

    seen = []
    sa.event.listen(engine, "before_cursor_execute", break_off)
    body = [event(snapshot(row, NOW, score=5)) for row in rows]
    assert post(client, body).status_code == 503
    sa.event.remove(engine, "before_cursor_execute", break_off)
    assert [result_of(engine, row) for row in rows] == [None, None]
    assert post(client, body).status_code == 200
    assert [answer_of(engine, row)[0] for row in rows] == [5, 5]


def test_a_commit_that_outlives_its_answer_is_a_repeat_the_next_time(engine, client):
    row = request(engine)
    body = snapshot(row, NOW, score=4)
    take(engine, body)
    assert post(client, event(body)).status_code == 200
    assert result_of(engine, row)["update_count"] == 1


NAMES = (
    "events",
    "feedback",
    "id",
    "response",
    "score",
    "text",
    "value",
    "created_at",
    "updated_at",
    "external_id",
    "dm_id",
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)


@examples(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=anything)
def test_any_json_is_answered_200(client, body):
    assert post(client, body).status_code == 200


def test_the_account_is_that_of_the_address(engine, client):
    other = request(engine, account="other")
    post(client, event(snapshot(other, NOW, score=5, from_user_id=shop().user_id)))
    assert result_of(engine, other) is None
