"""An idle service: how soon the first call to X follows a 2xx, and what a waiting worker costs.

    python -m tests.bench idle --database sqlite

Web and worker run as in production (the worker looks every second). X is a small server that answers at once and notes
when it was first called for whom. Deliveries come one at a time; no campaign waits.
"""

import itertools
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import click
import httpx

from tests.bench import load
from tests.bench.load import PATH, Deliveries, Server
from tests.processes.children import cli, until
from tests.processes.databases import open_database
from tests.processes.site import Site

GOAL_P99_S, GOAL_CORE = 1.0, 0.01
PRODUCTION = {"worker__idle": "1s", "worker__lease": "60s", "campaigns__care__delay": "0s"}
OURS = "1212121212000"  # the account that asks who it is
APART_S = 0.7  # and a little more each time, so that no rhythm of the worker's is met


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
@click.option("--deliveries", default=50, show_default=True)
@click.option("--seconds", default=20, show_default=True, help="of waiting, to see what that costs")
def main(database: str, deliveries: int, seconds: int) -> None:
    """Measure both, and print them beside their goals."""
    click.echo(load.machine())
    with tempfile.TemporaryDirectory(prefix="dmf-bench-") as folder, _x() as (called, port):
        place = Path(folder)
        site = Site(place, open_database(database, place).url, x_port=port, changes=PRODUCTION).write()
        with load.ours(site), cli("worker", place, "--config", str(site.config), "worker") as worker:
            until(lambda: "worker_started" in worker.output(), 60, "the worker has started")
            cost = _waiting(Server(0, worker), seconds)
            waited = sorted(_first_calls(site, called, deliveries))
    p99 = waited[min(len(waited) - 1, int(len(waited) * 0.99))]
    click.echo(
        f"{database}: from the 2xx to X's first call p50 {statistics.median(waited):.2f} s, p99 {p99:.2f} s of "
        f"{len(waited)} (goal {GOAL_P99_S}); an idle worker takes {cost:.2%} of a core (goal {GOAL_CORE:.0%})"
    )


def _waiting(worker: Server, seconds: int) -> float:
    """The share of a core that an idle worker uses."""
    time.sleep(5)  # what it does once, at its start
    before = worker.cpu_s()
    time.sleep(seconds)
    return (worker.cpu_s() - before) / seconds


def _first_calls(site: Site, called: dict[str, float], count: int) -> Iterator[float]:
    """Seconds from each 2xx to the first call about its customer."""
    deliveries = Deliveries(prefix="idle")
    with httpx.Client(base_url=site.web_url, timeout=30, trust_env=False) as http:
        for n in range(count):
            headers, body = deliveries.next()
            http.post(PATH, content=body, headers=headers).raise_for_status()
            answered, whom = time.perf_counter(), json.loads(body)["data"]["x_user_id"]
            until(lambda who=whom: who in called, 10, "X is called")  # type: ignore[misc]
            yield called[whom] - answered
            time.sleep(APART_S + n % 7 / 10)


@contextmanager
def _x() -> Iterator[tuple[dict[str, float], int]]:
    """X on a local port, noting when it was first called about whom."""
    called: dict[str, float] = {}
    ids = itertools.count(10**15)

    class Handler(BaseHTTPRequestHandler):
        """Each route's answer with a new id."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            whom = parse_qs(urlsplit(self.path).query).get("user_id", [OURS])[0]
            called.setdefault(whom, time.perf_counter())
            self._say({"id_str": whom, "can_dm": True})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            new = str(next(ids))
            sent = {"type": "message_create", "message_create": {"target": {"recipient_id": "1"}}}
            event = {"id": new, "created_timestamp": str(int(time.time() * 1000)), **sent}
            opening = self.path.endswith("events/new.json")
            self._say({"event": event} if opening else {"id": new, "dm_id": new, "test": False})

        def _say(self, answer: object) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield called, server.server_port
    finally:
        server.shutdown()
