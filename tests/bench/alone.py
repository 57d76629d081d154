"""Latency of a delivery from its first byte to its 2xx, one at a time on one connection, without other load.

python -m tests.bench alone --database sqlite
"""

import statistics
import tempfile
import time
from pathlib import Path

import click
import httpx

from tests.bench import load
from tests.bench.accept import Choice, site
from tests.bench.load import PATH, Deliveries

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
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as http:
        for _ in range(count):
            headers, body = deliveries.next()
            request = http.build_request("POST", PATH, content=body, headers=headers)
            began = time.perf_counter()
            http.send(request).raise_for_status()
            took.append((time.perf_counter() - began) * 1000)
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
