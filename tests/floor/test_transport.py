"""Outgoing calls end in time, and reach a host by whichever of its addresses answers."""

import socket
import threading
from collections.abc import Iterator

import httpcore
import httpx
import pytest

from service.clock import since_boot
from service.network import transport
from service.network.transport import Transport, is_over, resolve, within
from tests.x_api.lines import Line, answer, open_line, trickle


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(transport=Transport(), timeout=20) as client:
        yield client


def test_a_slow_answer_is_cut_exactly_at_the_deadline(http: httpx.Client) -> None:
    with open_line(trickle(b"HTTP/1.1 200 OK\r\nX-Words: ")) as line, within(0.2), pytest.raises(httpx.ReadTimeout):
        http.get(line.url)


def test_without_a_limit_a_wait_is_as_long_as_its_time_out(http: httpx.Client) -> None:
    with open_line(lambda connection, line: (line.read_request(connection), connection.sendall(answer(b"{}")))) as line:
        assert http.get(line.url).json() == {}
        assert not is_over()


def test_nobody_is_called_once_the_time_is_over(http: httpx.Client) -> None:
    with open_line(lambda _connection, _line: None) as line, within(0), pytest.raises(httpx.ConnectTimeout):
        http.get(line.url)
    assert line.requests == []


def test_nor_by_an_open_connection(http: httpx.Client) -> None:
    def answers(connection: socket.socket, line: Line) -> None:
        for _ in range(2):
            line.read_request(connection)
            connection.sendall(answer(b"{}"))

    with open_line(answers) as line:
        assert http.get(line.url).json() == {}
        with within(0), pytest.raises(httpx.WriteTimeout):
            http.get(line.url)
        assert http.get(line.url).json() == {}
        assert len(line.requests) == 2


def test_time_that_the_machine_slept_is_spent(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asleep = 0.0
    monkeypatch.setattr(transport, "since_boot", lambda: since_boot() + asleep)
    with open_line(lambda _connection, _line: None) as line, within(30):
        asleep = 600.0
        with pytest.raises(httpx.ConnectTimeout):
            http.get(line.url)
    assert line.requests == []


def test_a_deadline_ends_with_its_call() -> None:
    with within(0):
        assert is_over()
        with within(60):
            assert not is_over()
        assert is_over()
    assert not is_over()


def named(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let x.example stand for these."""
    ask = socket.getaddrinfo

    def answer_of_ours(host: str, port: int, *given: int, **how: int) -> list[tuple[object, ...]]:
        if host != "x.example":
            return ask(host, port, *given, **how)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer_of_ours)


def test_each_address_of_a_host_is_tried(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, "127.0.0.77", "127.0.0.1")
    with open_line(lambda connection, line: (line.read_request(connection), connection.sendall(answer(b"{}")))) as line:
        assert http.get(line.url.replace("127.0.0.1", "x.example")).json() == {}


@pytest.mark.parametrize("addresses", [(), ("127.0.0.77",)])
def test_an_unknown_host_is_no_connection(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    named(monkeypatch, *addresses)
    with pytest.raises(httpx.ConnectError):
        http.get("http://x.example:1/")


def test_a_name_server_that_is_silent_is_asked_no_longer_than_the_call_may_take(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_given, **_how: (over.wait(20), [])[1])
    with within(0.1), pytest.raises(httpx.ConnectTimeout):
        http.get("http://x.example/")
    with within(0.1), pytest.raises(TimeoutError):
        resolve("x.example", 443)
    over.set()


@pytest.mark.parametrize("name", ["x" * 64 + ".example", "no-such-host.invalid", "a..b"])
def test_an_invalid_name_is_unknown(name: str) -> None:
    with pytest.raises(OSError):
        resolve(name, 443)


def test_an_ip_address_needs_no_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "getaddrinfo")
    assert (resolve("127.0.0.1", 1), resolve("::1", 1)) == (["127.0.0.1"], ["::1"])


def test_the_transport_uses_our_bounded_connections() -> None:
    """httpx has no word for it: should it build its own pool anew, calls would be bounded no more."""
    pool = Transport()._pool
    assert isinstance(pool, httpcore.ConnectionPool)
    assert type(pool._network_backend).__module__ == "service.network.transport"
