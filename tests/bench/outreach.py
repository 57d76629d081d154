"""What one conversation costs from claim to card: processor time, statements and commits.

    python -m tests.bench outreach --database sqlite --conversations 300

The worker's own runner walks them in this process. X answers at once, out of a table, so what is measured is ours:
claim, steps, signatures, HTTP client, record. On PostgreSQL its server's own time is not in it. Prints one table.
"""

import json
import tempfile
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import httpx
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table
from sqlalchemy import event
from sqlalchemy.engine import Engine

from service import logs, migrations
from service.accounts import standing
from service.db import open_engine, reading, writing
from service.models import feedback_request
from service.outreach.run import Runner
from service.outreach.workplace import Workplace
from service.x_api import Credentials, XClient
from tests.processes.databases import Postgres, Sqlite
from tests.support import Clock, request_row, settings_of

DM = {"type": "message_create", "message_create": {"target": {"recipient_id": "1"}, "message_data": {"text": "x"}}}


class AtOnce(httpx.BaseTransport):
    """X, as fast as can be: each route's answer with a new id."""

    def __init__(self) -> None:
        self._last = 10**15

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._last += 1
        return httpx.Response(200, content=json.dumps(self._answer(request.url.path, str(self._last))))

    def _answer(self, path: str, new: str) -> dict[str, Any]:
        if path.endswith("users/show.json"):
            return {"id_str": "1", "can_dm": True}
        if path.endswith("events/new.json"):
            return {"event": {"id": new, "created_timestamp": "1795348800000", **DM}}
        return {"id": new, "dm_id": new, "test": False}


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
@click.option("--conversations", default=300, show_default=True)
def main(database: str, conversations: int) -> None:
    """Measure, and print one table."""
    with tempfile.TemporaryDirectory(prefix="dmf-bench-") as folder:
        store = Sqlite(Path(folder)) if database == "sqlite" else Postgres(Path(folder))
        engine = open_engine(store.url)
        migrations.upgrade(engine)
        table = Table(title=f"{database}, {conversations} conversations from claim to card", box=None)
        for heading in ("processor ms each", "wall ms each", "statements each", "commits each"):
            table.add_column(heading, justify="right")
        table.add_row(*(f"{figure:.2f}" for figure in measure(engine, conversations)))
        Console().print(table)
        engine.dispose()


def measure(engine: Engine, conversations: int) -> list[float]:
    """Walk them, and return each figure of one."""
    clock, limit = Clock(), conversations + 100
    logs.configure("json")
    settings = settings_of(accounts__acme__dms_per_day=limit, accounts__acme__cards_per_day=limit)
    account, ended = settings.accounts["acme"], clock.now - timedelta(minutes=5)
    rows = [
        request_row(clock.now, conversation_id=f"c-{n}", x_user_id=str(1000 + n), ended_at=ended)
        for n in range(conversations)
    ]
    with writing(engine) as connection:
        standing.enrol(connection, settings.accounts, clock.now)
        connection.execute(sa.insert(feedback_request), rows)
    keys = Credentials(account.consumer_key, account.consumer_secret, account.token, account.token_secret)
    client = XClient(keys, base_url=account.base_url, clock=clock, transport=AtOnce())
    runner = Runner(Workplace.open(engine, settings, "bench"), {"acme": client}, clock)
    counts = _count(engine)
    cpu, wall = time.process_time(), time.perf_counter()
    while runner.turn(timedelta(seconds=10)):
        pass
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    with reading(engine) as connection:
        states = Counter(connection.scalars(sa.select(feedback_request.c.state)))
    if states != {"card_sent": conversations}:
        raise click.ClickException(f"not all reached the card: {dict(states)}")
    each = 1 / conversations
    return [cpu * 1000 * each, wall * 1000 * each, counts["statements"] * each, counts["commits"] * each]


def _count(engine: Engine) -> Counter[str]:
    counts: Counter[str] = Counter()
    event.listen(engine, "before_cursor_execute", lambda *_: counts.update(["statements"]))
    event.listen(engine, "commit", lambda _: counts.update(["commits"]))
    return counts
