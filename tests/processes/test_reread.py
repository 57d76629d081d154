"""On the real server: settings are read again on SIGHUP, what cannot be read is no fault, and no key is in a log."""

import socket

import httpx

from service.auth import keys
from service.db import open_engine, writing
from tests.processes.children import Child, cli, until
from tests.processes.house import House
from tests.support import START

CONTACT = "/.well-known/security.txt"


def serving(house: House, *words: str) -> Child:
    return cli(words[0], house.directory, "--config", str(house.config), *words)


def status(house: House, path: str = CONTACT) -> int:
    try:
        return httpx.get(f"{house.web_url}{path}", timeout=5, trust_env=False, verify=False).status_code
    except httpx.HTTPError:
        return 0


def write(house: House, old: str, new: str) -> None:
    text = house.config.read_text("utf-8")
    assert old in text
    house.config.write_text(text.replace(old, new, 1), "utf-8")


def test_web_takes_new_settings_on_sighup_and_keeps_the_old_ones_where_the_new_are_wrong(sqlite_house: House) -> None:
    house = sqlite_house
    with serving(house, "web") as web:
        until(lambda: status(house) == 404, 60, "web answers, nobody is named")
        write(house, "[web]\n", '[web]\nsecurity_contact = "https://acme.example/security"\n')
        web.hang_up()
        until(lambda: status(house) == 200, 60, "the contact is told")
        write(house, "https://acme.example/security", "nobody")
        web.hang_up()
        until(lambda: "settings_not_taken" in web.output(), 60, "the mistake is said")
        until(lambda: status(house) == 200, 60, "the old contact is told")
        assert "web.security_contact" in web.output()


def test_a_worker_begins_anew_on_sighup_and_goes_on_where_the_settings_are_wrong(sqlite_house: House) -> None:
    house = sqlite_house

    def started(worker: Child) -> int:
        return worker.output().count('"worker_started"')

    with serving(house, "worker") as worker:
        until(lambda: started(worker) == 1, 60, "it works")
        worker.hang_up()
        until(lambda: started(worker) == 2, 60, "it works with the new settings")
        write(house, "[web]\n", "[web]\ncolour = 1\n")
        worker.hang_up()
        until(lambda: "settings_not_taken" in worker.output(), 60, "the mistake is said")
        assert worker.running
        assert started(worker) == 2


def raw(house: House, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", house.web_port), timeout=10) as line:
        line.sendall(request)
        return line.recv(65_536)


def test_a_body_nobody_can_read_is_the_clients_mistake_and_a_broken_header_shows_no_key(sqlite_house: House) -> None:
    house = sqlite_house
    engine = open_engine(house.database_url)
    with writing(engine) as connection:
        key = keys.create(connection, "ada", "admin", (), START)
    engine.dispose()
    chunked = (
        f"POST /v1/opt-outs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"
    )
    with serving(house, "web") as web:
        until(lambda: status(house, "/healthz") == 200, 60, "web answers")
        assert b" 400 " in raw(house, chunked.encode()).partition(b"\r\n")[0]
        for broken in (f"Authorization Bearer {key}", f"Authorization: Bearer {key}\x00"):
            answer = raw(house, f"GET /v1/results HTTP/1.1\r\nHost: x\r\n{broken}\r\n\r\n".encode())
            assert b" 400 " in answer.partition(b"\r\n")[0]
        assert key.partition(".")[2] not in web.output()
        assert "Traceback" not in web.output()
