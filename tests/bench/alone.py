"""Latency of a delivery from its first byte to its 2xx, one at a time on one connection, without other load.

    python -m tests.bench alone --database sqlite

Sent and read by a bare socket: an HTTP client of Python's takes half a millisecond of its own.
"""

import socket
import statistics
import tempfile
import time
from pathlib import Path

import click

from tests.bench import load
from tests.bench.accept import Choice, site
from tests.bench.load import Deliveries

GOALS_MS = {"sqlite": 2.5, "postgresql": 4.0}


@click.command()
@click.option("--database", type=click.Choice(sorted(GOALS_MS)), default="sqlite", show_default=True)
@click.option("--deliveries", default=1000, show_default=True)
def main(database: str, deliveries: int) -> None:
    """Measure each delivery; print median and tail."""
    click.echo(load.machine())
    with tempfile.TemporaryDirectory(prefix="dmf-bench-") as folder:
        choice = Choice(database, 0, 1, 1, 2, 0, 0)
        with load.ours(site(choice, Path(folder) / "h", 0)) as server:
            took = measure(server.port, deliveries)
        fsync = statistics.median(synced(Path(folder)))
    cuts = statistics.quantiles(took, n=100)
    click.echo(
        f"{database}: p50 {cuts[49]:.2f} ms, p90 {cuts[89]:.2f}, p99 {cuts[98]:.2f}; goal p50 {GOALS_MS[database]}"
    )
    click.echo(f"of which one write and fsync of 4 kB on this disk: {fsync:.2f} ms")


def measure(port: int, count: int) -> list[float]:
    """Milliseconds of each delivery."""
    deliveries, took = Deliveries(), []
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        for _ in range(count):
            request = deliveries.raw(port)
            began = time.perf_counter()
            line.sendall(request)
            answer = line.recv(65536)
            took.append((time.perf_counter() - began) * 1000)
            head, _, body = answer.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 20") or f"Content-Length: {len(body)}".encode() not in head:
                raise click.ClickException(f"unexpected: {answer.decode()}")
    return took


def synced(folder: Path) -> list[float]:
    """Milliseconds of bare writes that are synced."""
    import os

    took = []
    with (folder / "probe").open("wb", buffering=0) as file:
        for _ in range(200):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return took
