"""Twelve supervisors ask for expensive reports all the time while others deliver: does reading slow down intake?

    python -m tests.bench readers --database sqlite

They compare all agents, break down 200 years, search comments and export. Deliveries come at a steady rate meanwhile.
"""

import statistics
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import click
import httpx

from service.auth import keys
from service.db import open_engine, writing
from tests.bench import load
from tests.bench.generate import Plan, fill
from tests.bench.slow import deliver
from tests.processes.databases import open_database
from tests.processes.site import Site

AGES = "since=1900-01-01&until=2100-01-01"
QUESTIONS = {
    "compare": f"/v1/compare?by=agent&a=agent-1&b=agent-2&{AGES}",
    "breakdown": f"/v1/breakdown?by=agent&{AGES}",
    "search": "/v1/results?q=refund&limit=200",
    "export": "/v1/results.csv",
}


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
@click.option("--rows", default=150_000, show_default=True)
@click.option("--readers", default=12, show_default=True)
@click.option("--seconds", default=40, show_default=True)
@click.option("--pace", default=20.0, show_default=True, help="deliveries a second meanwhile")
def main(database: str, rows: int, readers: int, seconds: int, pace: float) -> None:
    """Read and deliver for a while, then deliver without readers; print both."""
    click.echo(load.machine())
    with tempfile.TemporaryDirectory(prefix="dmf-bench-") as folder:
        store = open_database(database, Path(folder))
        of, key = _full(Path(folder), store.url, rows)
        with load.ours(of) as server:
            for crowd in (0, readers):
                asked, answers, took = measured(server.port, key, crowd, seconds, pace)
                _said(crowd, asked, answers, took)
        store.close()


def measured(
    port: int, key: str, readers: int, seconds: int, pace: float
) -> tuple["dict[str, Counter[str]]", Counter[str], list[float]]:
    """So many readers for so long, while others deliver."""
    until = time.monotonic() + seconds
    asked: dict[str, Counter[str]] = {name: Counter() for name in QUESTIONS}
    crowd = [threading.Thread(target=_read, args=(port, key, n, until, asked)) for n in range(readers)]
    for each in crowd:
        each.start()
    answers, took = deliver(port, until, pace)
    for each in crowd:
        each.join()
    return asked, answers, took


def _full(folder: Path, url: str, rows: int) -> tuple[Site, str]:
    engine = open_engine(url)
    now = time.time_ns() // 1000
    fill(engine, Plan(rows, 0.35, 0.4, 3, 240, 24.0, 1, raw=False, now=now, rolled_up=True))
    with writing(engine) as connection:
        key = keys.create(connection, "readers", "supervisor", (), datetime.now(UTC))
    engine.dispose()
    changes = {"web__workers": 2, "web__requests_per_minute": 1_000_000}
    return Site(folder / "site", url, changes=changes).write(), key


def _read(port: int, key: str, number: int, until: float, asked: dict[str, Counter[str]]) -> None:
    """Ask one question after another; after a refusal wait as long as it says, at most a second."""
    names = list(QUESTIONS)
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {key}"}, timeout=60, trust_env=False
    ) as http:
        while time.monotonic() < until:
            name = names[number % len(names)]
            try:
                answer = http.get(QUESTIONS[name])
                asked[name][str(answer.status_code)] += 1
                time.sleep(0 if answer.status_code == 200 else min(1.0, float(answer.headers.get("retry-after", 1))))
            except httpx.HTTPError as error:
                asked[name][type(error).__name__] += 1
            number += 1


def _said(readers: int, asked: dict[str, Counter[str]], answers: Counter[str], took: list[float]) -> None:
    cuts = statistics.quantiles(took, n=100)
    times = f"p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f}, worst {max(took):.0f}"
    click.echo(f"{readers} readers: deliveries {dict(answers)}; {times}")
    for name, seen in asked.items():
        if seen:
            click.echo(f"    {name}: {dict(seen)}")
