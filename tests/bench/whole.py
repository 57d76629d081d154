"""The whole story over real processes: deliveries accepted, requests walked to the card, figures read.

    python -m tests.bench whole --database sqlite --deliveries 3000 --senders 8

Every delivery is signed, new and answered after its commit (fsync included). Then the worker walks all of them to the
card against the sandbox in its own process; last, the figures are read. Prints one table; asserts nothing.
"""

import base64
import hashlib
import hmac
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import httpx
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from service.auth import keys
from service.db import open_engine, reading, writing
from service.models import feedback_request
from service.states import END_STATES
from tests.processes.children import cli, until
from tests.processes.databases import Postgres, Sqlite
from tests.processes.site import Site
from tests.processes.x import running_x
from tests.support import SOURCE_KEY

SECRET = base64.b64decode(SOURCE_KEY.removeprefix("whsec_"))
WORKERS_AT_MOST_S = 600


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
@click.option("--deliveries", default=3000, show_default=True)
@click.option("--senders", default=8, show_default=True)
@click.option("--workers", default=1, show_default=True)
def main(database: str, deliveries: int, senders: int, workers: int) -> None:
    """Measure, and print one table."""
    with tempfile.TemporaryDirectory(prefix="dmf-bench-") as folder:
        directory = Path(folder)
        store = Sqlite(directory) if database == "sqlite" else Postgres(directory)
        accounts = tuple(f"acme{n}" for n in range(deliveries // 900 + 1))
        site = Site(directory, store.url, accounts, assumptions={"list_lag_s": 0}).write()
        table = Table(title=f"{database}, {deliveries} deliveries, {senders} senders, {workers} workers", box=None)
        for heading in ("what", "per second", "p50 ms", "p95 ms", "p99 ms"):
            table.add_column(heading, justify="right")
        with running_x(site), cli("web", directory, "--config", str(site.config), "web"):
            until(lambda: _alive(site.web_url), 60, "the web answers")
            table.add_row("deliveries accepted", *_figures(*_deliver(site, deliveries, senders, 0)))
            table.add_row("the same, repeated", *_figures(*_deliver(site, deliveries, senders, 0)))
            table.add_row("requests walked to the card", *_walked(site, deliveries, workers))
            for path in ("summary", "breakdown?by=agent", "results?limit=250"):
                table.add_row(f"GET /v1/{path}", *_figures(*_read(site, path)))
        Console().print(table)
        store.close()


def _deliver(site: Site, count: int, senders: int, first: int) -> tuple[float, list[float]]:
    with httpx.Client(base_url=site.web_url, timeout=30, trust_env=False) as http, ThreadPoolExecutor(senders) as pool:
        bodies = list(_deliveries(site, count, first))
        began = time.perf_counter()
        took = list(pool.map(lambda each: _timed(lambda: http.post("/webhooks/crm/crm", **each)), bodies))  # type: ignore[arg-type]
        return count / (time.perf_counter() - began), took


def _deliveries(site: Site, count: int, first: int) -> Iterator[dict[str, object]]:
    now = datetime.now(UTC)
    stamp = str(int(now.timestamp()))
    for n in range(first, first + count):
        data = {
            "conversation_id": f"c-{n}", "x_user_id": str(5_000_000 + n), "agent_id": f"agent-{n % 40}",
            "team_id": f"team-{n % 5}", "account": site.accounts[n % len(site.accounts)],
        }  # fmt: skip
        event = {"type": "conversation.ended", "timestamp": (now - timedelta(seconds=5)).isoformat(), "data": data}
        body = json.dumps(event).encode()
        signed = hmac.new(SECRET, f"msg_{n}.{stamp}.".encode() + body, hashlib.sha256).digest()
        headers = {
            "webhook-id": f"msg_{n}", "webhook-timestamp": stamp, "content-type": "application/json",
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }  # fmt: skip
        yield {"content": body, "headers": headers}


def _walked(site: Site, count: int, workers: int) -> tuple[str, ...]:
    engine = open_engine(site.database_url)
    began = time.perf_counter()
    children = [cli(f"worker-{n}", site.directory, "--config", str(site.config), "worker") for n in range(workers)]
    for each in children:
        each.start()
    until(lambda: _ended(engine) >= count, WORKERS_AT_MOST_S, "every request has ended")
    took = time.perf_counter() - began
    for each in children:
        each.terminate(20)
    engine.dispose()
    return f"{count / took:.0f}", "", "", ""


def _ended(engine: sa.Engine) -> int:
    ended = feedback_request.c.state.in_(END_STATES)
    with reading(engine) as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(feedback_request).where(ended)) or 0


def _read(site: Site, path: str, times: int = 30) -> tuple[float, list[float]]:
    engine = open_engine(site.database_url)
    with writing(engine) as connection:
        key = keys.create(connection, "bench", "supervisor", (), datetime.now(UTC))
    engine.dispose()
    with httpx.Client(base_url=site.web_url, timeout=60, trust_env=False) as http:
        began = time.perf_counter()
        took = [
            _timed(lambda: http.get(f"/v1/{path}", headers={"authorization": f"Bearer {key}"})) for _ in range(times)
        ]
        return times / (time.perf_counter() - began), took


def _timed(call: Callable[[], httpx.Response]) -> float:
    began = time.perf_counter()
    call().raise_for_status()
    return time.perf_counter() - began


def _figures(per_second: float, took: list[float]) -> tuple[str, ...]:
    cuts = statistics.quantiles(took, n=100)
    return f"{per_second:.0f}", *(f"{cuts[q - 1] * 1000:.1f}" for q in (50, 95, 99))


def _alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False
