"""Accepted deliveries per second, beside a no-op server and a Celery peer in the same run.

    python -m tests.bench accept --database sqlite

Each delivery is verified, mapped, stored and fsynced. Each round restarts each server on an empty ledger and sends
distinct, signed deliveries for some seconds. Ratios are made within a round, so that other load on the machine affects
both sides. With `--rows`, ours also runs on a ledger that already holds so many, to see whether the rate stays flat.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from service.db import open_engine
from tests.bench import load
from tests.bench.generate import Plan, fill
from tests.bench.load import Deliveries, Load, Server
from tests.partitions.partitioned import turn
from tests.processes.databases import open_database
from tests.processes.site import Site
from tests.support import SOURCE_KEY, settings_of

FILLED, IN_PIECES = "filled", "pieces"
MADE_A_SECOND = {"no-op": 14_000, "celery": 5_000, "ours": 9_000, FILLED: 9_000, IN_PIECES: 9_000}
GOALS = {"sqlite": (0.50, 0.33), "postgresql": (0.40, 0.28)}
P99_GOAL_MS = 60


@dataclass(frozen=True)
class Choice:
    """What is measured and how long."""

    database: str
    seconds: int
    rounds: int
    connections: int
    workers: int
    threads: int
    rows: int
    on: str = ""
    partitioned: bool = False


@dataclass(frozen=True)
class Measured:
    """One round's figures of one server."""

    seen: Load
    cost_ms: float  # processor a request


@click.command()
@click.option("--database", type=click.Choice(sorted(GOALS)), default="sqlite", show_default=True)
@click.option("--seconds", default=8, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--connections", default=64, show_default=True)
@click.option("--workers", default=2, show_default=True)
@click.option("--threads", default=0, help="of ours; 0: as the settings have it")
@click.option("--rows", default=0, help="also measure on a ledger of so many requests, made first")
@click.option(
    "--on", default="", help="also measure on this ledger, which `generate` made: it gets our deliveries, too"
)
@click.option("--partitioned", is_flag=True, help="also measure on PostgreSQL in time partitions")
@click.option("--celery-python", default="", help="an interpreter with celery[redis], packaging, flask and gunicorn")
def main(celery_python: str, **given: object) -> None:
    """Measure the accept path, and print one table."""
    choice = Choice(**given)  # type: ignore[arg-type]
    click.echo(load.machine())
    with tempfile.TemporaryDirectory(prefix="dmf-bench-") as folder:
        found = measure(choice, Path(folder), celery_python)
    report(choice, found)


def measure(choice: Choice, folder: Path, celery_python: str) -> dict[str, list[Measured]]:
    """Run every round and print each as it comes."""
    found: dict[str, list[Measured]] = {}
    for number in range(choice.rounds):
        for name, serve in servers(choice, folder / str(number), celery_python).items():
            with serve() as server:
                count, before = MADE_A_SECOND[name] * choice.seconds, server.cpu_s()
                seen = load.wrk(
                    Deliveries(prefix=f"r{number}"), server.port,
                    count=count, connections=choice.connections, seconds=choice.seconds, folder=folder,
                )  # fmt: skip
                cost = (server.cpu_s() - before) / seen.requests * 1000
            found.setdefault(name, []).append(Measured(seen, cost))
            click.echo(f"round {number} {name:7s} {line(seen)}, {cost:.2f} ms of processor each")
    return found


def line(seen: Load) -> str:
    """What wrk saw, in one line."""
    times = f"p50 {seen.p50:6.1f}  p99 {seen.p99:6.1f}  max {seen.max:7.1f} ms"
    lost = f"refused {seen.refused:.0f}, broken {seen.broken:.0f}, timeouts {seen.timeouts:.0f}"
    return f"{seen.rate:8.0f}/s  {times}  {lost}"


def servers(
    choice: Choice, folder: Path, celery_python: str
) -> dict[str, Callable[[], AbstractContextManager[Server]]]:
    """The servers of a round by name, each started when its turn comes."""
    folder.mkdir()
    chosen: dict[str, Callable[[], AbstractContextManager[Server]]] = {
        "no-op": lambda: load.gunicorn("noop", folder, load.PYTHON, choice.workers, 4),
        "ours": lambda: load.ours(site(choice, folder / "empty", 0)),
    }
    if choice.rows:
        chosen[FILLED] = lambda: load.ours(site(choice, folder / "filled", choice.rows))
    if choice.on:
        chosen[FILLED] = lambda: load.ours(served(choice, folder / "on", choice.on))
    if choice.partitioned:
        chosen[IN_PIECES] = lambda: load.ours(site(choice, folder / "pieces", 0, in_pieces=True))
    if celery_python and shutil.which("redis-server"):
        chosen["celery"] = lambda: load.celery(folder, celery_python, choice.workers, SOURCE_KEY)
    return chosen


def site(choice: Choice, folder: Path, rows: int, *, in_pieces: bool = False) -> Site:
    """A service with so many rows in its ledger, whole or partitioned."""
    folder.mkdir()
    database = open_database(choice.database, folder)
    if rows:
        engine = open_engine(database.url)
        fill(engine, Plan(rows=rows, answered=0.35, commented=0.4, accounts=3, agents=240, months=24.0, seed=1,
                          raw=True, now=time.time_ns() // 1000))  # fmt: skip
        engine.dispose()
    if in_pieces:
        engine = open_engine(database.url)
        turn(engine, datetime.now(UTC))
        engine.dispose()
    return served(choice, folder, database.url)


def served(choice: Choice, folder: Path, url: str) -> Site:
    """Our service over this database, with the chosen processes and threads."""
    folder.mkdir(exist_ok=True)
    threads = choice.threads or settings_of().web.threads
    return Site(folder, url, changes={"web__workers": choice.workers, "web__threads": threads}).write()


def report(choice: Choice, found: dict[str, list[Measured]]) -> None:
    """Medians, ratios to the no-op of the same round, and goals."""
    good, least = GOALS[choice.database]
    what = f"{choice.connections} connections, {choice.workers} processes, medians of {choice.rounds}"
    click.echo(f"-- {choice.database}, {what}")
    for name, rounds in found.items():
        ratio = beside(rounds, found["no-op"])
        rate, p99 = (statistics.median(getattr(each.seen, what) for each in rounds) for what in ("rate", "p99"))
        cost = statistics.median(each.cost_ms for each in rounds)
        goal = f"  goal {good:.2f}, at least {least:.2f}; p99 at most {P99_GOAL_MS} ms" if name == "ours" else ""
        click.echo(f"{name:7s} {rate:8.0f}/s  x no-op {ratio:5.2f}  p99 {p99:6.1f} ms  {cost:.2f} ms each{goal}")
    if IN_PIECES in found:
        click.echo(f"in time partitions {beside(found[IN_PIECES], found['ours']):.2f} of the rate of a whole ledger")
    if FILLED in found:
        flat = beside(found[FILLED], found["ours"])
        ledger = choice.on or f"{choice.rows} rows in the ledger"
        click.echo(f"with {ledger}: {flat:.2f} of the rate without; goal 0.90")


def beside(one: list[Measured], other: list[Measured]) -> float:
    """The median of the ratios of two servers' rates, each within its round."""
    return statistics.median(each.seen.rate / by.seen.rate for each, by in zip(one, other, strict=True))
