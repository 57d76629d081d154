"""What a bad connection does to a call, on real sockets: nothing is sent twice, and silence is no answer."""

import socket
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from flask import Flask
from structlog.testing import capture_logs

from service.x_api.client import Card, XClient
from service.x_api.errors import (
    AccountProblem,
    OutcomeUnknown,
    RateLimited,
    RecipientRefused,
    Temporary,
    Unexplained,
    Unreachable,
)
from service.x_api.oauth1 import Credentials
from service.x_api.wire import MAX_BODY, Timeouts
from tests.serving import served
from tests.x_api.lines import answer, open_line, trickle

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEYS = Credentials("ck", "cs-secret", "tk", "ts-secret")
PATIENT = Timeouts(read=60, total=120)  # a machine may be slow: only what is too slow by intent is waited for shortly
SHORT_READ, SHORT_CALL = replace(PATIENT, read=0.15), replace(PATIENT, total=0.3)
USER = b'{"id": "2"}'
SENT = b'{"event": {"id": "77"}}'
CARD = Card("csat", "2", "How did we do?", "https://b.example/p")

SENDS = [
    pytest.param(lambda x: x.send_dm("2", "Hello", signed_at=NOW), id="send_dm"),
    pytest.param(lambda x: x.create_feedback(CARD, signed_at=NOW), id="create_feedback"),
]


def client(url, patience=PATIENT, **kwargs):
    return XClient(KEYS, base_url=url, patience=patience, clock=lambda: NOW, **kwargs)


def drop(connection, line):
    line.read_request(connection)


def reset(connection, line):
    line.read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def silence(connection, line):
    line.read_request(connection)
    line.over.wait(5)


def half_a_head(connection, line):
    line.read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-")


def half_a_body(connection, line):
    line.read_request(connection)
    connection.sendall(answer(SENT)[:-5])


def no_http(connection, line):
    line.read_request(connection)
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


def flood(connection, line):
    line.read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
    for _ in range(MAX_BODY // 65536 + 2):
        connection.sendall(b" " * 65536)


def refuse_and_drop(connection, line):
    line.read_request(connection)
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 500\r\n\r\n{")


@pytest.mark.parametrize(
    ("script", "reason", "patience"),
    [
        (drop, "remote_protocol_error", PATIENT),
        (reset, "read_error", PATIENT),
        (silence, "read_timeout", SHORT_READ),
        (half_a_head, "remote_protocol_error", PATIENT),
        (half_a_body, "remote_protocol_error", PATIENT),
        (no_http, "remote_protocol_error", PATIENT),
        (trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"), "answer_too_slow", SHORT_CALL),
        (trickle(b"HTTP/1.1 200 OK\r\nX-Words: "), "answer_too_slow", SHORT_CALL),
        (flood, "answer_too_large", PATIENT),
        (refuse_and_drop, "remote_protocol_error", PATIENT),
    ],
)
def test_a_lost_answer_is_unknown_after_a_send_and_temporary_after_a_question(script, reason, patience):
    with open_line(script) as line, client(line.url, patience) as x:
        for send in (entry.values[0] for entry in SENDS):
            with pytest.raises(OutcomeUnknown) as unknown:
                send(x)
            assert unknown.value.reason == reason
        with pytest.raises(Temporary) as temporary:
            x.show_user(user_id="2")
        assert temporary.value.reason == reason
        assert len(line.requests) == 3, "something was sent twice"


@pytest.mark.parametrize("send", SENDS)
def test_a_refused_connection_sent_nothing(send):
    with socket.create_server(("127.0.0.1", 0)) as once:
        url = f"http://127.0.0.1:{once.getsockname()[1]}"
    with client(url) as x:
        with pytest.raises(Unreachable) as caught:
            send(x)
        assert caught.value.reason == "connect_error"
        with pytest.raises(Unreachable):
            x.show_user(user_id="2")


def nobody_knows(*_given, **_how):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("send", SENDS)
def test_a_name_nobody_knows_has_a_word_of_its_own(send, monkeypatch):
    """It is our name server, or a mistyped address, and no outage of X's."""
    monkeypatch.setattr(socket, "getaddrinfo", nobody_knows)
    with client("https://x.example") as x, pytest.raises(Unreachable) as caught:
        send(x)
    assert caught.value.reason == "name_not_known"


@pytest.mark.parametrize("send", SENDS)
def test_a_certificate_nobody_vouches_for_has_a_word_of_its_own(send):
    """A company's proxy that looks into what passes shows one of its own."""
    patient = Timeouts(read=30, total=60)
    with (
        served(Flask("x"), tls=True) as url,
        XClient(KEYS, base_url=url, patience=patient, clock=lambda: NOW) as x,
        pytest.raises(Unreachable) as caught,
    ):
        send(x)
    assert caught.value.reason == "certificate_not_trusted"


def test_a_failed_tls_handshake_sent_nothing():
    def no_tls(connection, line):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Plain\r\n\r\n")

    with open_line(no_tls) as line, client(line.url.replace("http:", "https:")) as x:
        with pytest.raises(Unreachable) as caught:
            x.send_dm("2", "Hello", signed_at=NOW)
        assert (caught.value.reason, line.connections) == ("connect_error", 1)


@pytest.mark.parametrize("kind", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError])
@pytest.mark.parametrize("send", SENDS)
def test_a_failure_before_the_request_left_is_safe_to_repeat(send, kind):
    def fail(request):
        raise kind("x", request=request)

    with client("http://x.example", transport=httpx.MockTransport(fail)) as x, pytest.raises(Unreachable):
        send(x)


@pytest.mark.parametrize(
    "kind",
    [
        httpx.WriteError,
        httpx.WriteTimeout,
        httpx.ReadError,
        httpx.ReadTimeout,
        httpx.CloseError,
        httpx.RemoteProtocolError,
        httpx.LocalProtocolError,
        httpx.DecodingError,
    ],
)
@pytest.mark.parametrize("send", SENDS)
def test_a_failure_after_that_is_not(send, kind):
    def fail(request):
        raise kind("x", request=request)

    with client("http://x.example", transport=httpx.MockTransport(fail)) as x:
        with pytest.raises(OutcomeUnknown):
            send(x)
        with pytest.raises(Temporary):
            x.list_dms()


def test_a_kept_connection_that_x_closes_makes_a_send_unknown_and_is_not_tried_again():
    def answer_once(connection, line):
        line.read_request(connection)
        connection.sendall(answer(USER))
        line.read_request(connection)

    with open_line(answer_once) as line, client(line.url) as x:
        x.show_user(user_id="2")
        with pytest.raises(OutcomeUnknown):
            x.send_dm("2", "Hello", signed_at=NOW)
        assert (line.connections, len(line.requests)) == (1, 2)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b"<html>", b'{"event": {"id"', b"\xff", b'{"errors":[]}', b"[" * 50_000],
)
def test_an_unreadable_success_is_unknown_after_a_send(body):
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body, headers={"x-transaction": "t1"}))
    with client("http://x.example", transport=transport) as x:
        for send in (entry.values[0] for entry in SENDS):
            with pytest.raises(OutcomeUnknown) as unknown:
                send(x)
            assert (unknown.value.reason, unknown.value.http_status, unknown.value.transaction) == (
                "unreadable_answer",
                200,
                "t1",
            )
        with pytest.raises(Temporary) as temporary:
            x.show_feedback("1")
        assert temporary.value.reason == "unreadable_answer"


@pytest.mark.parametrize("beside", [{}, {"event": None, "events": [], "relationship": {}}], ids=["alone", "empty"])
@pytest.mark.parametrize(
    ("code", "kind"),
    [(326, AccountProblem), (88, RateLimited), (50, RecipientRefused), (131, Temporary), (99999, Unexplained)],
)
def test_an_error_of_x_in_a_200_is_that_error_and_of_a_send_leaves_open_whether_it_went(code, kind, beside):
    said = {"errors": [{"code": code, "message": "m"}], **beside}
    answered = httpx.MockTransport(lambda _: httpx.Response(200, json=said, headers={"retry-after": "600"}))
    reads = (
        lambda x: x.show_user(user_id="2"),
        lambda x: x.show_friendship("2"),
        lambda x: x.list_dms(),
        lambda x: x.show_feedback("1"),
        lambda x: x.verify_credentials(),
    )
    with client("http://x.example", transport=answered) as x:
        for read in reads:
            with pytest.raises(kind) as refused:
                read(x)
            assert (refused.value.code, refused.value.http_status) == (code, 200)
            assert kind is not RateLimited or refused.value.reset_at == NOW + timedelta(seconds=600)
        for send in (entry.values[0] for entry in SENDS):
            with pytest.raises(OutcomeUnknown) as unknown:
                send(x)
            assert (unknown.value.code, unknown.value.row.kind) == (code, kind)


def test_errors_beside_an_answer_take_nothing_from_it():
    said = {"errors": [{"code": 326}], "id_str": "2", "event": {"id": "77"}}
    with client("http://x.example", transport=httpx.MockTransport(lambda _: httpx.Response(200, json=said))) as x:
        assert x.show_user(user_id="2").value.id == "2"
        assert x.send_dm("2", "Hello", signed_at=NOW).value.id == "77"


def test_a_redirect_is_not_followed():
    def elsewhere(connection, line):
        while line.read_request(connection):
            connection.sendall(
                answer(b"", head=b"HTTP/1.1 307 Moved", extra=f"Location: {line.url}/other\r\n".encode())
            )

    with open_line(elsewhere) as line, client(line.url) as x:
        with pytest.raises(OutcomeUnknown):
            x.send_dm("2", "Hello", signed_at=NOW)
        with pytest.raises(Temporary):
            x.show_user(user_id="2")
        assert len(line.requests) == 2


def test_a_proxy_of_the_environment_is_not_used(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    def serve(connection, line):
        line.read_request(connection)
        connection.sendall(answer(USER))

    with open_line(serve) as line, client(line.url) as x:
        assert x.show_user(user_id="2").value.id == "2"


def test_cookies_are_not_kept_and_the_answer_is_asked_for_uncompressed():
    def serve(connection, line):
        while line.read_request(connection):
            connection.sendall(answer(USER, extra=b"Set-Cookie: guest_id=1; Path=/\r\n"))

    with open_line(serve) as line, client(line.url) as x:
        x.show_user(user_id="2")
        x.show_user(user_id="2")
        heads = [head.lower() for head, _ in line.requests]
    assert len(heads) == 2
    assert all(b"\r\ncookie:" not in head for head in heads)
    assert all(b"accept-encoding: identity" in head and b"user-agent: dm-feedback" in head for head in heads)


def test_many_threads_each_get_their_own_answer():
    def echo(request):
        return httpx.Response(200, json={"id": request.url.params["user_id"]})

    got = {}
    with client("http://x.example", transport=httpx.MockTransport(echo)) as x:

        def ask(start):
            for number in range(start, start + 20):
                got[number] = x.show_user(user_id=str(number)).value.id

        threads = [threading.Thread(target=ask, args=(start,)) for start in range(0, 160, 20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert got == {number: str(number) for number in range(160)}


def test_a_refusal_carries_what_x_said_about_the_limit():
    headers = {"x-rate-limit-reset": str(int(NOW.timestamp()) + 60), "x-transaction-id": "t2"}
    transport = httpx.MockTransport(lambda _: httpx.Response(429, json={"errors": [{"code": 88}]}, headers=headers))
    with client("http://x.example", transport=transport) as x, pytest.raises(RateLimited) as caught:
        x.send_dm("2", "Hello", signed_at=NOW)
    assert (caught.value.reset_at.timestamp(), caught.value.transaction) == (NOW.timestamp() + 60, "t2")


@pytest.mark.parametrize(("date", "dated"), [("Sun, 22 Nov 2026 11:59:30 GMT", 30), (None, None), ("soon", None)])
def test_every_answer_tells_when_x_gave_it(date, dated):
    """One that can be read, one that cannot, and a refusal."""
    headers, at = {"date": date} if date else {}, None if dated is None else NOW - timedelta(seconds=dated)
    answers = iter([(200, b'{"id": "2"}'), (200, b"<html>"), (503, b"")])

    def answer(_):
        status, body = next(answers)
        return httpx.Response(status, content=body, headers=headers)

    with client("http://x.example", transport=httpx.MockTransport(answer)) as x:
        assert x.show_user(user_id="2").dated == at
        for _ in range(2):
            with pytest.raises(OutcomeUnknown) as unclear:
                x.send_dm("2", "Hello", signed_at=NOW)
            assert unclear.value.dated == at


def test_the_log_names_the_call_and_tells_nothing_of_its_content():
    refusal = {"errors": [{"code": 32, "message": "quoting Hello"}]}
    transport = httpx.MockTransport(lambda _: httpx.Response(401, json=refusal, headers={"x-transaction": "t3"}))
    with capture_logs() as logs, client("http://x.example", transport=transport) as x, pytest.raises(AccountProblem):
        x.send_dm("2", "Hello", signed_at=NOW)
    (line,) = logs
    assert line.pop("milliseconds") >= 0
    assert line == {
        "event": "x_called",
        "log_level": "info",
        "method": "POST",
        "path": "/1.1/direct_messages/events/new.json",
        "status": 401,
        "transaction": "t3",
        "outcome": "AccountProblem",
        "reason": "not_authenticated",
        "code": 32,
    }
