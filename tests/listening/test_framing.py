"""Bytes to requests: the same however the bytes are cut; what can never be a request is refused at once."""

import json
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import ParseException
from hypothesis import given, settings
from hypothesis import strategies as st

from service.listening.chunks import CHUNKS_AT_MOST
from service.listening.framing import HEAD_AT_MOST, IN_HAND, LINE_AT_MOST, Incoming
from service.listening.refusals import refusal_of, written
from service.web.headers import ALWAYS

LIMIT = 4096


def incoming() -> Incoming:
    cfg = Config()
    cfg.set("limit_request_line", 0)
    return Incoming(cfg, ("127.0.0.1", 1), LIMIT)


def with_length(path: str, body: bytes) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def in_chunks(path: str, pieces: list[bytes], extra: bytes = b"", trailer: bytes = b"") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    chunks = b"".join(b"%x%s\r\n%s\r\n" % (len(each), extra, each) for each in pieces if each)
    return head + chunks + b"0\r\n" + trailer + b"\r\n"


def all_of(given_: Incoming) -> list[tuple[str, bytes]]:
    found = []
    while (request := given_.take()) is not None:
        found.append((request.path, request.body.read()))
    return found


BODIES = st.binary(max_size=60)
ONE = st.one_of(
    BODIES.map(lambda body: (with_length("/l", body), ("/l", body))),
    st.lists(BODIES, max_size=4).map(lambda pieces: (in_chunks("/c", pieces), ("/c", b"".join(pieces)))),
    st.lists(BODIES, max_size=3).map(
        lambda pieces: (in_chunks("/t", pieces, b" ; a=b", b"X-Sum: 1\r\n"), ("/t", b"".join(pieces)))
    ),
    st.just((b"GET /g?a=1 HTTP/1.1\r\nHost: x\r\n\r\n", ("/g", b""))),
    st.just((b"\r\nGET /g HTTP/1.1\r\nHost: x\r\n\r\n", ("/g", b""))),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(ONE, min_size=1, max_size=4), st.lists(st.integers(1, 40), max_size=60))
def test_requests_are_the_same_however_their_bytes_are_cut(
    asked: list[tuple[bytes, tuple[str, bytes]]], cuts: list[int]
) -> None:
    data, found, one = b"".join(raw for raw, _ in asked), [], incoming()
    for cut in [*cuts, len(data)]:
        piece, data = data[:cut], data[cut:]
        one.feed(piece)
        found += all_of(one)
    assert found == [meant for _, meant in asked]
    assert not one.has_begun


def refused(data: bytes) -> int | None:
    one = incoming()
    one.feed(data)
    try:
        one.take()
    except ParseException as error:
        return refusal_of(error)[0]
    return None


POST = b"POST / HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"a" * LINE_AT_MOST, 414),
        (b"GET /" + b"a" * LINE_AT_MOST + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (HEAD_AT_MOST // 6), 431),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"\r\n\r\n\r\n", 400),
        (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (POST + b"Content-Length: x\r\n\r\n", 400),
        (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: sung\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: deflate\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
        (POST + b"Expect: more\r\n\r\n", 417),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1_0\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n123456789\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 9000, 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabXX0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1;\x01\r\na\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nffffff\r\n" + b"a" * (2 * LIMIT + HEAD_AT_MOST), 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * (CHUNKS_AT_MOST + 1), 413),
    ],
)
def test_what_can_never_be_a_request_is_refused_with_its_status(data: bytes, status: int) -> None:
    assert refused(data) == status


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"GET / HT",
        POST,
        POST + b"Content-Length: 5\r\n\r\nabc",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_an_incomplete_request_is_waited_for(data: bytes) -> None:
    assert refused(data) is None


def test_many_chunks_are_parsed_a_few_bytes_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It copies what it holds for each of them: all of a body would be copied as often as it has chunks."""
    held, parse = [], ChunkedReader.parse_chunk_size

    def noted(self: ChunkedReader, unreader: Any, data: bytes | None = None) -> Any:
        held.append(len(data or b""))
        return parse(self, unreader, data)

    monkeypatch.setattr(ChunkedReader, "parse_chunk_size", noted)
    one, pieces = incoming(), [b"a"] * 3000 + [b"b" * 1000]
    one.feed(in_chunks("/many", pieces))
    assert all_of(one) == [("/many", b"".join(pieces))]
    assert len(held) == len(pieces) + 1
    assert max(held) <= IN_HAND


def test_a_body_declared_too_large_is_not_read_and_ends_the_connection() -> None:
    one = incoming()
    one.feed(POST + b"Content-Length: 999999\r\n\r\nabc")
    request = one.take()
    assert request is not None
    assert request.body.read() == b""
    assert request.should_close()


def test_expect_100_continue_is_answered_once() -> None:
    one = incoming()
    one.feed(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert one.take() is None
    assert [one.wants_leave_to_go_on(), one.wants_leave_to_go_on()] == [True, False]
    one.feed(b"ab")
    assert all_of(one) == [("/", b"ab")]


def test_the_longest_documented_query_fits() -> None:
    ids = "&".join(f"request_id=fr_{number:028x}" for number in range(250))
    assert refused(f"GET /v1/results?{ids}&account=acme HTTP/1.1\r\nHost: x\r\n\r\n".encode()) is None


def answer_to(data: bytes) -> tuple[str, dict[str, str], dict[str, Any]]:
    one = incoming()
    one.feed(data)
    with pytest.raises(ParseException) as caught:
        one.take()
    head, _, body = written(refusal_of(caught.value)).decode().partition("\r\n\r\n")
    line, *headers = head.split("\r\n")
    return line, dict(each.split(": ", 1) for each in headers), json.loads(body)


def test_a_refusal_is_a_problem_document_with_our_headers_and_without_the_clients_words() -> None:
    line, headers, document = answer_to(b"GET / HTTP/1.1\r\nAuthorization Bearer hunter2\r\n\r\n")
    assert line == "HTTP/1.1 400 Bad request"
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Connection"] == "close"
    assert ALWAYS.items() <= headers.items()
    assert (document["status"], document["code"]) == (400, "bad_request")
    assert document["request_id"] == headers["X-Request-Id"]
    assert "hunter2" not in str(document)
