"""Slow clients of every kind at once, without a proxy in front, while others deliver.

    python -m tests.bench slow

A thousand silent connections, 300 half-sent heads, 300 bodies at one byte a second, 50 clients that never read their
answer; each is reopened when it is closed. Deliveries come at a steady rate meanwhile.
"""

import selectors
import socket
import statistics
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import click
import httpx

from tests.bench import load
from tests.bench.accept import Choice, site
from tests.bench.load import PATH, Deliveries
from tests.processes.site import Site

HEAD = b"POST /webhooks/crm/crm HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
ASKING = b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n" * 300
KINDS = {
    "silent": (b"", b"", 1000),
    "half heads": (HEAD + b"Content-Le", b"", 300),
    "trickling bodies": (HEAD + b"Content-Length: 100000\r\n\r\n{", b" ", 300),
    "never reading": (ASKING, b"", 50),
}
P99_GOAL_MS = 250


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
@click.option("--seconds", default=100, show_default=True)
@click.option("--pace", default=20.0, show_default=True, help="deliveries a second meanwhile")
def main(database: str, seconds: int, pace: float) -> None:
    """Hold slow clients for a while; print how others fared and how the slow ones ended."""
    click.echo(load.machine())
    with tempfile.TemporaryDirectory(prefix="dmf-bench-") as folder:
        crowd, answers, took = held(site(Choice(database, 0, 1, 1, 2, 0, 0), Path(folder) / "h", 0), seconds, pace)
    cuts = statistics.quantiles(took, n=100)
    click.echo(
        f"deliveries of others: {dict(answers)}; p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f}, worst {max(took):.0f}"
    )
    click.echo(f"goal: none refused, p99 at most {P99_GOAL_MS} ms")
    for kind, ended in crowd.ended.items():
        click.echo(f"{kind}: {sum(ended.values())} ended while held: {dict(ended)}")


def held(of: Site, seconds: float, pace: float) -> tuple["Crowd", Counter[str], list[float]]:
    """Hold the slow clients for a while and deliver meanwhile."""
    with load.ours(of) as server:
        crowd, until = Crowd(server.port), time.monotonic() + seconds
        crowd.open()
        holder = threading.Thread(target=crowd.hold, args=(until,))
        holder.start()
        answers, took = deliver(server.port, until, pace)
        holder.join()
        crowd.close()
        return crowd, answers, took


def deliver(port: int, until: float, pace: float) -> tuple[Counter[str], list[float]]:
    """Deliver at a steady pace, each over a connection of its own, and count the answers."""
    deliveries, answers, took = Deliveries(), Counter[str](), []
    while time.monotonic() < until:
        headers, body = deliveries.next()
        began = time.perf_counter()
        try:
            with httpx.Client(timeout=20, trust_env=False) as http:
                answered = str(http.post(f"http://127.0.0.1:{port}{PATH}", content=body, headers=headers).status_code)
        except httpx.HTTPError as error:
            answered = type(error).__name__
        took.append((time.perf_counter() - began) * 1000)
        answers[answered] += 1
        time.sleep(max(0.0, 1 / pace - (time.perf_counter() - began)))
    return answers, took


@dataclass
class Crowd:
    """The slow clients."""

    port: int
    ended: dict[str, Counter[str]] = field(default_factory=lambda: {kind: Counter() for kind in KINDS})
    held: dict[socket.socket, str] = field(default_factory=dict)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def open(self) -> None:
        """Connect them all."""
        for kind, (_, _, count) in KINDS.items():
            for _ in range(count):
                self.join(kind)

    def join(self, kind: str) -> None:
        """Connect one."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        if kind == "never reading":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.setblocking(False)
        with suppress(OSError):
            made.send(KINDS[kind][0])
        self.held[made] = kind
        if kind != "never reading":
            self.selector.register(made, selectors.EVENT_READ)

    def hold(self, until: float) -> None:
        """Stay slow; count those whose connection was closed and reconnect them."""
        while time.monotonic() < until:
            for each, kind in list(self.held.items()):
                more = KINDS[kind][1] or (b"G" if kind == "never reading" else b"")
                try:
                    if more:
                        each.send(more)
                except BlockingIOError:
                    continue
                except OSError:
                    self.end(each, "reset")
            pause = time.monotonic() + 1
            while time.monotonic() < pause:
                for key, _ in self.selector.select(0.1):
                    self.see(key.fileobj)  # type: ignore[arg-type]

    def see(self, one: socket.socket) -> None:
        """Read an answer of one of them."""
        if one not in self.held:
            return
        try:
            said = one.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        self.end(one, said[9:12].decode() or "closed")

    def end(self, one: socket.socket, how: str) -> None:
        """Count how it ended, and connect another of its kind."""
        kind = self.held.pop(one)
        with suppress(KeyError):
            self.selector.unregister(one)
        one.close()
        self.ended[kind][how] += 1
        with suppress(OSError):
            self.join(kind)

    def close(self) -> None:
        """Let them all go."""
        for each in self.held:
            each.close()
        self.selector.close()
