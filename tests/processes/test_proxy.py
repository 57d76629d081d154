"""The story through nginx as deploy/ configures it: TLS, a checked certificate, slow requests."""

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import httpx
import pytest
from sqlalchemy.engine import Engine

from service.db import reading
from service.models import access_log, feedback_request
from tests.processes.children import cli, listens, until
from tests.processes.deliveries import signed
from tests.processes.site import Site, free_port
from tests.serving import own_certificate, served

NAME = "feedback.example.com"
SECRET_ADDRESSES = ("/v1/feeds/0123456789ab/SECRET-of-a-feed.csv", "/f/SECRET-of-a-customer")
WHOSE = ("/v1/customers/SECRET", "/v1/opt-outs/SECRET", "/v1/conversations/crm/SECRET/link")
CONFIG = Path(__file__).parents[2] / "deploy" / "proxy" / "nginx.conf"
pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx comes with Debian's nginx")


class Proxy:
    """nginx before a site."""

    def __init__(self, site: Site, directory: Path) -> None:
        self.port, plain = free_port(), free_port()
        self.plain_url = f"http://127.0.0.1:{plain}"
        self.directory = directory
        self.trusted = ssl.create_default_context(cafile=str(own_certificate(directory, NAME).certificate))
        text = CONFIG.read_text("utf-8")
        for old, new in (
            ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
            ("listen 80;", f"listen 127.0.0.1:{plain};"),
            (f"/etc/letsencrypt/live/{NAME}", str(directory)),
            ("/var/log/nginx", str(directory)),
            ("/run/nginx.pid", f"{directory}/nginx.pid"),
            ("worker_processes auto;", "worker_processes 1; daemon off; user root;"),
        ):
            assert old in text, old
            text = text.replace(old, new)
        self.config = directory / "nginx.conf"
        self.config.write_text(text, "utf-8")
        clusters = CONFIG.with_name("clusters.conf").read_text("utf-8")
        assert "127.0.0.1:8000" in clusters
        self.clusters = directory / "clusters.conf"
        self.clusters.write_text(clusters.replace("127.0.0.1:8000", f"127.0.0.1:{site.web_port}"), "utf-8")

    def words(self, *more: str) -> list[str]:
        return [
            "nginx",
            "-p",
            str(self.directory),
            "-e",
            str(self.directory / "early.log"),
            "-c",
            str(self.config),
            *more,
        ]

    def client(self) -> httpx.Client:
        """Resolves NAME to where nginx listens, and checks its certificate by that name."""
        return httpx.Client(base_url=f"https://127.0.0.1:{self.port}", verify=self.trusted, headers={"Host": NAME})

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        with self.client() as client:
            return client.post(path, content=body, headers=headers, extensions={"sni_hostname": NAME})

    def stream(self) -> ssl.SSLSocket:
        return self.trusted.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 5), server_hostname=NAME)


@contextmanager
def running(proxy: Proxy) -> Iterator[None]:
    process = subprocess.Popen(proxy.words(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: listens(proxy.port), 10, "nginx listens")
        yield
    finally:
        process.terminate()
        process.wait(10)


def ended(conversation_id: str) -> tuple[bytes, dict[str, str]]:
    """A signed delivery: body and headers."""
    data = {"conversation_id": conversation_id, "x_user_id": "501"}
    event = {"type": "conversation.ended", "timestamp": datetime.now(UTC).isoformat(), "data": data}
    body = json.dumps(event).encode()
    return body, signed(conversation_id, body)


UNENCRYPTED = ("/webhooks/crm/crm", "/v1/results", "/metrics", "/dashboard/", "/docs")


@pytest.fixture
def proxied(site_of: Callable[..., Site], sqlite_url: str, tmp_path: Path) -> Site:
    return site_of(sqlite_url, web__trusted_proxies=1, web__proxy_networks=["127.0.0.1/32"])


def test_nginx_accepts_the_configuration(proxied: Site, tmp_path: Path) -> None:
    done = subprocess.run(Proxy(proxied, tmp_path).words("-t"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


def test_the_story_goes_through_nginx(proxied: Site, tmp_path: Path, engine_of: Callable[[Site], Engine]) -> None:
    proxy, config = Proxy(proxied, tmp_path), ("--config", str(proxied.config))
    with cli("web", tmp_path, *config, "web"), cli("worker", tmp_path, *config, "worker"), running(proxy):
        until(lambda: listens(proxied.web_port), 120, "web listens")
        answer = proxy.post("/webhooks/crm/crm", *ended("c-1"))
        assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
        assert "strict-transport-security" in answer.headers
        asked_slowly(proxy)
        with proxy.client() as client:
            key = {"Authorization": "Bearer dmf_0.0", "X-Forwarded-For": "203.0.113.9"}  # claims another address
            asked = client.get("/v1/summary", headers=key, extensions={"sni_hostname": NAME})
            for path in SECRET_ADDRESSES:
                assert client.get(path, extensions={"sni_hostname": NAME}).status_code == 404
        assert asked.status_code == 401
        plain = [httpx.get(f"{proxy.plain_url}{path}", headers={"Host": NAME}).status_code for path in UNENCRYPTED]
        assert plain == [403, 403, 403, 301, 301], "who sends a key unencrypted should notice"
        engine = engine_of(proxied)
        # one customer, asked once: about whichever of the two the worker comes to first
        until(lambda: sorted(states(engine).values()) == ["card_sent", "skipped"], 60, "both have an outcome")
        with reading(engine) as connection:
            calls = access_log.select().where(access_log.c.action != "settings.change")
            addresses = {row.address for row in connection.execute(calls)}
    assert addresses == {"127.0.0.1"}
    logged = (tmp_path / "access.log").read_text("utf-8")
    assert "Bearer" not in logged
    assert "SECRET" not in logged
    assert [words[3] for words in map(str.split, logged.splitlines()) if words[2] == "GET" and "-" in words[3]] == [
        "/v1/feeds/0123456789ab/-",
        "/f/-",
    ]


def test_a_service_that_does_not_answer_is_logged_without_the_keys_of_its_callers(
    proxied: Site, tmp_path: Path
) -> None:
    proxy = Proxy(proxied, tmp_path)
    with running(proxy), proxy.client() as client:
        for path in (*SECRET_ADDRESSES, *WHOSE, "/webhooks/crm/crm?token=SECRET"):
            assert client.get(path, extensions={"sni_hostname": NAME}).status_code == 502
    told = [line.split() for line in (tmp_path / "access.log").read_text("utf-8").splitlines()]
    assert [(words[4], words[-1]) for words in told] == [("502", f"127.0.0.1:{proxied.web_port}")] * 6
    assert "SECRET" not in "".join(each.read_text("utf-8") for each in tmp_path.glob("*.log"))


def test_a_question_page_is_found_in_the_cluster_of_its_host_and_then_in_the_one_named(
    proxied: Site, tmp_path: Path
) -> None:
    """Links have the host name of the cluster that made them, which may not be where the account is now."""
    proxy = Proxy(proxied, tmp_path)
    with ExitStack() as stack:
        one, two, three = (stack.enter_context(served(page_of(each)))[7:] for each in ("one", "two", "three"))
        table = proxy.clusters.read_text("utf-8").replace(f"127.0.0.1:{proxied.web_port}", one)
        table = table.replace("map $host $read_at {", "map $host $read_at { three.example.com cluster_3;")
        table = table.replace(
            "map $host $asked_next {", f"map $host $asked_next {{ {NAME} cluster_2; three.example.com cluster_1;"
        )
        table += f"upstream cluster_2 {{ server {two}; }} upstream cluster_3 {{ server {three}; }}\n"
        proxy.clusters.write_text(table, "utf-8")
        stack.enter_context(running(proxy))
        client = stack.enter_context(proxy.client())
        for path, host, status in (
            ("/f/one", NAME, 200),
            ("/f/two", NAME, 200),
            ("/f/three", "three.example.com", 200),
            ("/f/one", "three.example.com", 200),
            ("/f/two", "three.example.com", 404),
        ):
            for method in ("GET", "POST"):
                answer = client.request(method, path, headers={"Host": host}, extensions={"sni_hostname": NAME})
                assert answer.status_code == status, (method, path, host)


def page_of(token: str) -> WSGIApplication:
    """A service that knows one page."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        known = environ["PATH_INFO"] == f"/f/{token}"
        start_response("200 OK" if known else "404 Not Found", [("Content-Type", "text/plain")])
        return [token.encode()]

    return answer


def states(engine: Engine) -> dict[str, str]:
    with reading(engine) as connection:
        return {row.conversation_id: row.state for row in connection.execute(feedback_request.select())}


def asked_slowly(proxy: Proxy) -> None:
    """A delivery in pieces costs the service nothing: it sees the request when it is whole."""
    body, headers = ended("c-slow")
    lines = {**headers, "Host": NAME, "Content-Length": str(len(body)), "Connection": "close"}
    head = "POST /webhooks/crm/crm HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with proxy.stream() as stream:
        stream.sendall(f"{head}\r\n".encode())
        stream.sendall(body[:20])
        before = answered_by_web(proxy)
        stream.sendall(body[20:])
        said = stream.recv(65536)
    assert said.startswith(b"HTTP/1.1 200")
    assert before == 200, "others are answered meanwhile"


def answered_by_web(proxy: Proxy) -> int:
    with proxy.client() as client:
        return client.get("/healthz", extensions={"sni_hostname": NAME}).status_code
