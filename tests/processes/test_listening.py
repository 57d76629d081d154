"""The real server: slow clients delay nobody, bad requests get our answers, a kill loses nothing we promised."""

import json
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import reading
from service.listening.connection import HELD_AT_MOST
from service.models import feedback_request
from tests.processes.children import cli, until
from tests.processes.deliveries import deliver, post
from tests.processes.site import Site


def web(site: Site) -> Any:
    return cli("web", site.directory, "--config", str(site.config), "web")


def wait_for(site: Site) -> None:
    until(lambda: is_up(site), 60, "the web answers")


def is_up(site: Site) -> bool:
    try:
        return httpx.get(f"{site.web_url}/healthz", timeout=5, trust_env=False, verify=False).is_success
    except httpx.HTTPError:
        return False


def client(site: Site, first: bytes) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", site.web_port), timeout=120)
    made.sendall(first)
    return made


POST = b"POST /webhooks/crm/crm HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
PIPELINED = b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n" * 200


def test_slow_clients_delay_no_delivery(sqlite_site: Site) -> None:
    kinds = {b"": 100, POST + b"Content-Le": 50, POST + b"Content-Length: 100000\r\n\r\n{": 50, PIPELINED: 8}
    with web(sqlite_site):
        wait_for(sqlite_site)
        slow = [client(sqlite_site, first) for first, count in kinds.items() for _ in range(count)]
        assert [deliver(sqlite_site, f"c-{n}") for n in range(10)] == [200] * 10
        for each in slow:
            each.close()


def test_large_unread_answers_delay_no_reader(sqlite_site: Site) -> None:
    described = b"GET /openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n"
    with web(sqlite_site):
        wait_for(sqlite_site)
        assert len(fetched(sqlite_site, "/openapi.yaml")) > HELD_AT_MOST
        greedy = [client(sqlite_site, described * 100) for _ in range(24)]
        for _ in range(10):
            assert fetched(sqlite_site, "/docs/versions")
        for each in greedy:
            each.close()


def fetched(site: Site, path: str) -> bytes:
    got = httpx.get(f"{site.web_url}{path}", timeout=30, trust_env=False, headers={"Accept-Encoding": "identity"})
    assert got.status_code == 200
    return got.content


def answer(site: Site, request: bytes) -> tuple[int, dict[str, Any]]:
    with client(site, request) as asked:
        said = b""
        while part := asked.recv(65536):
            said += part
    head, _, body = said.decode().partition("\r\n\r\n")
    assert "content-type: application/problem+json" in head.lower()
    return int(head.split(" ")[1]), json.loads(body)


def test_unreadable_requests_are_refused_in_the_usual_shape(sqlite_site: Site) -> None:
    with web(sqlite_site):
        wait_for(sqlite_site)
        for request, status, code in (
            (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "bad_request"),
            (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "uri_too_long"),
            (b"GET / HTTP/1.1\r\nA: " + b"b" * 9000 + b"\r\n\r\n", 431, "headers_too_large"),
            (POST + b"Content-Length: 99999999\r\n\r\n", 413, "body_too_large"),
        ):
            found, document = answer(sqlite_site, request)
            assert (found, document["code"]) == (status, code)
        assert deliver(sqlite_site, "c-1") == 200


EXPECTS = b"Expect: 100-continue\r\nConnection: close\r\n"


def test_who_asks_for_leave_to_go_on_and_sends_all_at_once_is_answered(sqlite_site: Site) -> None:
    """Some proxies hand the header on together with the body; a request without one asks in vain."""
    with web(sqlite_site):
        wait_for(sqlite_site)
        for request, status, code in (
            (POST + EXPECTS + b"Content-Length: 2\r\n\r\n{}", 401, "signature_refused"),
            (POST + EXPECTS + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 401, "signature_refused"),
            (POST + EXPECTS + b"Content-Length: 99999999\r\n\r\n", 413, "body_too_large"),
            (b"GET /nowhere HTTP/1.1\r\nHost: x\r\n" + EXPECTS + b"\r\n", 404, "not_found"),
        ):
            found, document = answer(sqlite_site, request)
            assert (found, document["code"]) == (status, code)


def test_a_killed_process_has_acknowledged_only_what_is_stored(site: Site, engine_of: Callable[[Site], Engine]) -> None:
    names = [f"c-{n}" for n in range(60)]
    with web(site) as process, ThreadPoolExecutor(12) as senders:
        wait_for(site)
        first = senders.map(lambda name: deliver(site, name), names)
        until(lambda: kept(engine_of(site)) > 0, 30, "the first is stored")
        process.signal(signal.SIGKILL)
        process.wait(120)
        promised = {name for name, status in zip(names, first, strict=True) if status == 200}
        process.start()
        wait_for(site)
        again = dict(zip(names, senders.map(lambda name: post(site, name).json(), names), strict=True))
    assert all(again[name]["duplicate"] == 1 for name in promised)
    assert kept(engine_of(site)) == len(names)


def kept(engine: Engine) -> int:
    with reading(engine) as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(feedback_request)) or 0


@pytest.mark.parametrize("senders", [16])
def test_deliveries_that_come_together_are_each_told_what_became_of_them(
    senders: int, site: Site, engine_of: Callable[[Site], Engine]
) -> None:
    names = [f"c-{n % 40}" for n in range(80)]
    with web(site), ThreadPoolExecutor(senders) as pool:
        wait_for(site)
        counts = [answer.json()["accepted"] for answer in pool.map(lambda name: post(site, name), names)]
    assert sum(counts) == 40
    assert kept(engine_of(site)) == 40
