"""Many clients, one thread: slow ones cost a deadline, others are answered. Real sockets, a clock set by the tests."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config

from service.listening.connection import HELD_AT_MOST, Connection, Phase
from service.listening.reader import Connections

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PLACES = 40


@dataclass
class Desk:
    """A reader whose requests wait until a test answers them."""

    listener: socket.socket
    now: float = 1000.0
    waiting: list[tuple[Connection, Any]] = field(default_factory=list)
    clients: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        cfg = Config()
        cfg.set("limit_request_line", 0)
        self.reader = Connections(
            cfg, lambda *job: self.waiting.append(job), places=PLACES, body_at_most=4096, clock=lambda: self.now
        )
        self.reader.listen([self.listener])

    def client(self, first: bytes = b"") -> socket.socket:
        made = socket.create_connection(self.listener.getsockname(), timeout=10)
        self.clients.append(made)
        made.sendall(first)
        self.turns()
        return made

    def turns(self, count: int = 6) -> None:
        for _ in range(count):
            self.reader.turn(0.01)

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.turns()

    def until_waiting(self, count: int) -> None:
        for _ in range(500):
            if len(self.waiting) >= count:
                return
            self.reader.turn(0.01)
        raise AssertionError(f"{len(self.waiting)} of {count} came")

    def answer(self, data: bytes = OK, *, close: bool = False) -> None:
        connection, _request = self.waiting.pop(0)
        connection.sendall(data)
        self.reader.answered(connection, close)
        self.turns()


@pytest.fixture
def desk() -> Iterator[Desk]:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        made = Desk(listener)
        yield made
        made.reader.close()
        for each in made.clients:
            each.close()


def read(client: socket.socket) -> bytes:
    client.settimeout(10)
    return client.recv(65536)


def is_served(desk: Desk) -> bool:
    """Whether a client that behaves gets its answer now."""
    with desk.client(GET) as client:
        desk.until_waiting(1)
        desk.answer()
        return read(client) == OK


def test_slow_clients_delay_nobody_and_time_out(desk: Desk) -> None:
    silent = [desk.client() for _ in range(8)]
    half = [desk.client(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Le") for _ in range(8)]
    trickling = [desk.client(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n{") for _ in range(8)]
    for _ in range(9):
        for each in [*half, *trickling]:
            each.sendall(b" ")
        desk.later(1)
        assert is_served(desk)
    desk.later(2)
    assert {read(each) for each in silent} == {b""}
    assert {read(each).partition(b"\r\n")[0] for each in half} == {b"HTTP/1.1 408 Request timeout"}
    desk.later(20)
    assert {read(each).partition(b"\r\n")[0] for each in trickling} == {b"HTTP/1.1 408 Request timeout"}
    assert is_served(desk)


def test_a_client_that_never_reads_holds_no_thread_and_is_dropped(desk: Desk) -> None:
    client = desk.client(GET * 3)
    desk.until_waiting(1)
    connection = desk.waiting[0][0]
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    body = b"x" * (HELD_AT_MOST - 1000)
    desk.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert connection.stage is Phase.ANSWER
    assert desk.waiting == [], "its next request waits until it has read the answer to the first"
    assert is_served(desk)
    desk.later(31)
    assert connection.sock.fileno() == -1


WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (4 * HELD_AT_MOST) + b"x" * 4 * HELD_AT_MOST


def unread(desk: Desk) -> Connection:
    """A client that asks, and reads nothing of an answer that is here to its end."""
    client = desk.client(GET)
    desk.until_waiting(1)
    connection = desk.waiting[0][0]
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.begin_answer(len(WHOLE))
    desk.answer(WHOLE)
    return connection


def test_a_complete_answer_is_buffered_whatever_its_size(desk: Desk) -> None:
    connection = unread(desk)
    assert connection.stage is Phase.ANSWER
    assert is_served(desk)
    desk.later(100)
    assert connection.sock.fileno() != -1, "a large one may take its time"
    desk.later(30)
    assert connection.sock.fileno() == -1


def test_the_buffer_of_a_stream_is_limited(desk: Desk) -> None:
    desk.client(GET)
    desk.until_waiting(1)
    connection = desk.waiting[0][0]
    connection.begin_answer(len(WHOLE))
    connection.begin_answer(None)
    assert connection.held_at_most == HELD_AT_MOST


def test_the_total_of_unread_answers_is_limited(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.listening.reader.HELD_AT_MOST", 2 * len(WHOLE))
    connections = [unread(desk) for _ in range(4)]
    desk.later(1)
    assert sum(each.sock.fileno() != -1 for each in connections) == 2
    assert is_served(desk)


def test_a_client_on_a_unix_socket_is_handled_like_any_other(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(tmp_path / "web.sock"))
        listener.listen()
        desk = Desk(listener)
        client.connect(str(tmp_path / "web.sock"))
        client.sendall(b"nonsense\r\n\r\n")
        desk.turns()
        assert read(client).startswith(b"HTTP/1.1 400 ")
        desk.reader.close()


def test_requests_of_one_connection_are_answered_in_their_order(desk: Desk) -> None:
    with desk.client(GET + b"GET /2 HTTP/1.1\r\nHost: x\r\n\r\n") as client:
        desk.until_waiting(1)
        assert [request.path for _, request in desk.waiting] == ["/"]
        desk.answer(b"1")
        desk.until_waiting(1)
        assert [request.path for _, request in desk.waiting] == ["/2"]
        desk.answer(b"2", close=True)
        assert read(client) + read(client) in {b"12", b"1" + b"2"}


def test_a_pipelined_request_is_read_after_the_answer(desk: Desk) -> None:
    with desk.client(GET) as client:
        desk.until_waiting(1)
        client.sendall(GET)
        desk.turns()
        assert len(desk.waiting) == 1
        desk.answer()
        desk.until_waiting(1)
        desk.answer()
        assert len(read(client)) in {len(OK), 2 * len(OK)}


def test_a_client_that_goes_away_while_it_is_being_answered_is_no_fault(desk: Desk) -> None:
    client = desk.client(GET)
    desk.until_waiting(1)
    client.close()
    desk.answer(b"x" * 200_000)
    desk.turns()
    assert is_served(desk)


def test_if_all_places_are_taken_the_longest_waiting_client_is_dropped(desk: Desk) -> None:
    clients = []
    for _ in range(PLACES):
        clients.append(desk.client())
        desk.now += 0.1
    assert is_served(desk)
    assert read(clients[0]) == b""
    clients[1].settimeout(0.01)
    with pytest.raises(TimeoutError):
        clients[1].recv(1)


def test_a_client_that_never_reads_does_not_displace_others(desk: Desk) -> None:
    connections = []
    for _ in range(PLACES):
        connections.append(unread(desk))
        desk.now += 0.1
    assert is_served(desk)
    assert connections[0].sock.fileno() == -1
    assert connections[-1].sock.fileno() != -1


def test_if_every_client_is_being_answered_no_more_are_accepted(desk: Desk) -> None:
    for _ in range(PLACES):
        desk.client(GET)
    desk.until_waiting(PLACES)
    with contextlib.suppress(ConnectionError):
        assert read(desk.client(GET)) == b""
    assert len(desk.waiting) == PLACES
    desk.answer()
    desk.until_waiting(PLACES - 1)
    desk.client(GET)
    desk.until_waiting(PLACES)


def test_a_kept_connection_is_closed_after_its_time(desk: Desk) -> None:
    with desk.client(GET) as client:
        desk.until_waiting(1)
        desk.answer()
        assert read(client) == OK
        desk.later(70)
        client.sendall(GET)
        desk.until_waiting(1)
        desk.answer()
        assert read(client) == OK
        desk.later(76)
        assert read(client) == b""


def test_a_100_continue_is_sent_before_the_body(desk: Desk) -> None:
    with desk.client(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n") as client:
        assert read(client) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"ab")
        desk.until_waiting(1)
        assert desk.waiting[0][1].body.read() == b"ab"
        desk.answer()
        assert read(client) == OK
