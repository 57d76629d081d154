"""Load and servers for benchmarks: signed, distinct deliveries sent by wrk; gunicorn with a peer or with ours."""

import base64
import hashlib
import hmac
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import httpx

from service.db.sqlite import sqlite_driver
from tests.processes.children import Child, cli, listens, until
from tests.processes.site import Site, free_port
from tests.support import SOURCE_KEY

HERE = Path(__file__).parent
PATH = "/webhooks/crm/crm"
FIGURE = re.compile(r"(\w+)=([\d.]+)")
WRK_THREADS = 2


@dataclass(frozen=True)
class Load:
    """What wrk saw: a rate a second, times in milliseconds, counts."""

    rate: float
    p50: float
    p90: float
    p99: float
    max: float
    requests: float
    refused: float
    broken: float
    timeouts: float


@dataclass(frozen=True)
class Server:
    """Something that listens, and its processes."""

    port: int
    child: Child

    def cpu_s(self) -> float:
        """CPU seconds of its processes: the cost of a request on a busy machine too."""
        return sum(_cpu_s(pid) for pid in (self.child.pid, *self.child.forked()))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Deliveries:
    """Signed deliveries, none twice."""

    def __init__(self, source_key: str = SOURCE_KEY, prefix: str = "c") -> None:
        self._secret = base64.b64decode(source_key.removeprefix("whsec_"))
        self._prefix = prefix
        self._made = 0

    def next(self) -> tuple[dict[str, str], bytes]:
        """Headers and body of another delivery."""
        self._made += 1
        n, now = self._made, int(time.time())
        ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 5))
        data = {
            "conversation_id": f"{self._prefix}-{n}", "x_user_id": str(5_000_000_000 + n),
            "agent_id": f"agent-{n % 40}", "team_id": f"team-{n % 5}", "language": "en", "tags": ["billing"],
        }  # fmt: skip
        body = json.dumps({"type": "conversation.ended", "timestamp": ended, "data": data}).encode()
        event_id = f"msg_{self._prefix}_{n}"
        signed = hmac.digest(self._secret, f"{event_id}.{now}.".encode() + body, hashlib.sha256)
        return {
            "content-type": "application/json", "webhook-id": event_id, "webhook-timestamp": str(now),
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }, body  # fmt: skip

    def raw(self, port: int) -> bytes:
        """Another delivery as the bytes of an HTTP request."""
        headers, body = self.next()
        given = {"Host": f"127.0.0.1:{port}", **headers, "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        return f"POST {PATH} HTTP/1.1\r\n{head}\r\n".encode() + body


def wrk(deliveries: Deliveries, port: int, *, count: int, connections: int, seconds: int, folder: Path) -> Load:
    """Send deliveries over `connections` for `seconds`; `count` must be more than can be sent."""
    if shutil.which("wrk") is None:
        raise click.ClickException("wrk is not installed; on Debian: apt-get install wrk")
    file = folder / "requests"
    with file.open("wb") as out:
        out.writelines(deliveries.raw(port).replace(b"\r\n", b"\1") + b"\n" for _ in range(count))
    command = [
        "wrk", f"-t{WRK_THREADS}", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s",
        "-s", str(HERE / "wrk.lua"), f"http://127.0.0.1:{port}/",
    ]  # fmt: skip
    env = {**os.environ, "REQUESTS": str(file), "WRK_THREADS": str(WRK_THREADS)}
    said = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    line = next(each for each in said.splitlines() if each.startswith("RESULT"))
    found = Load(**{name: float(value) for name, value in FIGURE.findall(line)})
    if found.requests > count:
        raise click.ClickException(f"{found.requests:.0f} requests were sent and only {count} were made: make more.")
    return found


@contextmanager
def ours(site: Site) -> Iterator[Server]:
    """Our web, as it is started in production."""
    with cli("web", site.directory, "--config", str(site.config), "web") as child:
        until(lambda: answers(site.web_port), 60, "the web answers")
        yield Server(site.web_port, child)
        child.terminate(30)


@contextmanager
def gunicorn(module: str, folder: Path, python: str, workers: int, threads: int, **env: str) -> Iterator[Server]:
    """A peer under gunicorn's own threads."""
    port = free_port()
    words: Sequence[str] = (
        "env", *(f"{name}={value}" for name, value in env.items()), python, "-m", "gunicorn", "-b", f"127.0.0.1:{port}",
        "-k", "gthread", "-w", str(workers), "--threads", str(threads), "--keep-alive", "5",
        "--worker-tmp-dir", "/dev/shm", "--no-control-socket", f"tests.bench.peers.{module}:app",
    )  # fmt: skip
    with Child(module, words, folder / f"{module}.log") as child:
        until(lambda: answers(port), 60, f"{module} answers")
        yield Server(port, child)
        child.terminate(30)


@contextmanager
def celery(folder: Path, python: str, workers: int, key: str) -> Iterator[Server]:
    """Flask + Celery over a Redis that fsyncs each write before it answers."""
    port = free_port()
    words = (
        "redis-server", "--port", str(port), "--dir", str(folder), "--appendonly", "yes", "--appendfsync", "always",
        "--save", "",
    )  # fmt: skip
    with Child("redis", words, folder / "redis.log"):
        until(lambda: listens(port), 30, "redis answers")
        with gunicorn(
            "celery_app", folder, python, workers, 4, CRM_KEY=key, REDIS_URL=f"redis://127.0.0.1:{port}/0"
        ) as web:
            yield web


def answers(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=2, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


def machine() -> str:
    """The machine in one line."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text("utf-8"))
    versions = (f"{name} {importlib.metadata.version(name)}" for name in ("gunicorn", "flask", "sqlalchemy"))
    return ", ".join([
        f"{os.cpu_count()} x {model[1] if model else platform.machine()}", f"load {os.getloadavg()[0]:.1f} before",
        f"Python {platform.python_version()}", *versions, f"SQLite {sqlite_driver.sqlite_version}",
    ])  # fmt: skip


PYTHON = sys.executable
