"""The cost of one conversation from claim to card: CPU time, statements and commits.

    python -m tests.bench outreach --database sqlite --conversations 300
    python -m tests.bench outreach --latency-ms 50 --concurrency 32 --accounts 30 --workers 3

The worker's own runner walks them. X answers from a table, at once or after `--latency-ms`, so only our own work is
measured: claim, steps, signatures, HTTP client, record; PostgreSQL's own processor stands in a column of its own.
"""

import itertools
import json
import os
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import httpx
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table
from sqlalchemy import event
from sqlalchemy.engine import Engine

from service import migrations
from service.accounts import standing
from service.db import open_engine, reading, writing
from service.models import feedback_request
from service.outreach.context import Workplace
from service.outreach.run import Runner
from service.settings import Settings, from_tree
from service.telemetry import logs
from service.x_api import Credentials, XClient
from tests.processes.databases import Postgres, Sqlite
from tests.support import Clock, request_row, tree

HEADINGS = (
    "processor ms each", "server ms each", "wall ms each", "statements each", "commits each", "of X's limit"
)  # fmt: skip


class AtOnce(httpx.BaseTransport):
    """An X that answers at once, or after the given time: each route's answer with a new id."""

    def __init__(self, takes_s: float) -> None:
        self._takes_s = takes_s
        self._ids = itertools.count(time.time_ns())

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        time.sleep(self._takes_s)
        return httpx.Response(200, content=json.dumps(self._answer(request, str(next(self._ids)))))

    def _answer(self, request: httpx.Request, new: str) -> dict[str, Any]:
        if request.url.path.endswith("users/show.json"):
            return {"id_str": request.url.params["user_id"], "can_dm": True}
        if request.url.path.endswith("events/new.json"):
            said = json.loads(request.read())["event"]
            return {"event": {"id": new, "created_timestamp": "1795348800000", **said}}
        return {"id": new, "dm_id": new, "test": False}


@dataclass(frozen=True)
class Walk:
    """How many conversations, and how they are walked."""

    conversations: int
    accounts: int
    latency_ms: int
    concurrency: int

    @property
    def settings(self) -> Settings:
        """Accounts without tight limits."""
        limit = self.conversations + 100
        given = tree(worker__concurrency=self.concurrency)
        one = {**given["accounts"].pop("acme"), "dms_per_day": limit, "cards_per_day": limit}
        for n in range(self.accounts):
            given["accounts"][f"acme{n}"] = {**one, "user_id": str(1_212_121_212_121 + n)}
        given["sources"]["crm"]["account"] = "acme0"
        return from_tree(given, {})

    @property
    def bound(self) -> float:
        """Conversations a second that X's latency allows one worker: three calls each."""
        return self.concurrency / (3 * self.latency_ms / 1000)


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
@click.option("--conversations", default=300, show_default=True)
@click.option("--accounts", default=1, show_default=True)
@click.option("--latency-ms", default=0, show_default=True, help="that X takes for an answer")
@click.option("--concurrency", default=4, show_default=True, help="calls in flight of one worker")
@click.option("--workers", default=1, show_default=True, help="processes")
def main(database: str, workers: int, **given: int) -> None:
    """Measure, and print one table."""
    walk = Walk(**given)
    with tempfile.TemporaryDirectory(prefix="dmf-bench-") as folder:
        store = Sqlite(Path(folder)) if database == "sqlite" else Postgres(Path(folder))
        engine = open_engine(store.url)
        migrations.upgrade(engine)
        title = f"{database}, {walk.conversations} conversations from claim to card, {workers} workers"
        table = Table(title=title, box=None)
        for heading in HEADINGS:
            table.add_column(heading, justify="right")
        before = server_seconds(Path(folder))
        figures = measure(engine, store.url, walk, workers)
        figures.insert(1, (server_seconds(Path(folder)) - before) * 1000 / walk.conversations)
        share = f"{1000 / figures[2] / walk.bound / workers:.2f}" if walk.latency_ms else ""
        table.add_row(*(f"{figure:.2f}" for figure in figures), share)
        Console().print(table)
        engine.dispose()


def server_seconds(folder: Path) -> float:
    """Processor seconds of the PostgreSQL whose data lies there, sessions that have ended among them; Linux's /proc."""
    seconds = 0.0
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it may end while we look
            if (each / "cwd").readlink().is_relative_to(folder.resolve()):
                fields = (each / "stat").read_text().rpartition(")")[2].split()
                seconds += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return seconds


def measure(engine: Engine, url: str, walk: Walk, workers: int) -> list[float]:
    """Walk them, and return the figures per conversation."""
    clock, settings = Clock(), walk.settings
    ended = clock.now - timedelta(minutes=5)
    rows = [
        request_row(
            clock.now, conversation_id=f"c-{n}", x_user_id=str(1000 + n), ended_at=ended,
            account=f"acme{n % walk.accounts}",
        )
        for n in range(walk.conversations)
    ]  # fmt: skip
    with writing(engine) as connection:
        standing.enrol(connection, settings.accounts, clock.now)
        connection.execute(sa.insert(feedback_request), rows)
    if workers == 1:
        found = [walked(url, walk, "bench")]
    else:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            found = list(pool.map(walked, [url] * workers, [walk] * workers, [f"bench-{n}" for n in range(workers)]))
    with reading(engine) as connection:
        states = Counter(connection.scalars(sa.select(feedback_request.c.state)))
    if states != {"card_sent": walk.conversations}:
        raise click.ClickException(f"not all reached the card: {dict(states)}")
    cpu, wall = sum(each[0] for each in found), max(each[1] for each in found)
    each, statements, commits = 1 / walk.conversations, sum(one[2] for one in found), sum(one[3] for one in found)
    return [cpu * 1000 * each, wall * 1000 * each, statements * each, commits * each]


def walked(url: str, walk: Walk, name: str) -> tuple[float, float, int, int]:
    """One worker's part: CPU and wall-clock seconds, statements and commits."""
    clock, settings, engine = Clock(), walk.settings, open_engine(url)
    logs.configure("json")
    transport = AtOnce(walk.latency_ms / 1000)
    clients = {
        account.name: XClient(
            Credentials(account.consumer_key, account.consumer_secret, account.token, account.token_secret),
            base_url=account.base_url, clock=clock, transport=transport,
        )
        for account in settings.accounts.values()
    }  # fmt: skip
    runner = Runner(Workplace.open(engine, settings, name), clients, clock)
    counts = _count(engine)
    cpu, wall = time.process_time(), time.perf_counter()
    while runner.turn(timedelta(seconds=10)):
        pass
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    engine.dispose()
    return cpu, wall, counts["statements"], counts["commits"]


def _count(engine: Engine) -> Counter[str]:
    counts: Counter[str] = Counter()
    event.listen(engine, "before_cursor_execute", lambda *_: counts.update(["statements"]))
    event.listen(engine, "commit", lambda _: counts.update(["commits"]))
    return counts
