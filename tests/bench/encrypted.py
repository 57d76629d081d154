"""The cost of encryption at rest in CPU milliseconds: a delivery, a conversation, an export, a walk over all rows.

    python -m tests.bench encrypted --rows 100000

Runs in one process on SQLite, plain and encrypted in turns. A delivery goes through the application and the test
client; a conversation from claim to card; the export is every row as CSV, on a ledger of `--rows`, a third answered.
"""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service import migrations
from service.accounts import standing as accounts
from service.at_rest.columns import with_keys
from service.auth.keys import Reader
from service.db import open_engine, writing
from service.encrypting import existing_rows, key_change
from service.encrypting.in_force import SETTLED
from service.models import feedback_request
from service.outreach.context import Workplace
from service.outreach.run import Runner
from service.replica import ReadFrom
from service.reports.filters import Filter
from service.reports.rows import export
from service.telemetry import logs
from service.x_api import Credentials, XClient
from tests.bench.generate import Plan, fill
from tests.bench.outreach import AtOnce, Walk
from tests.floor.app import App, deliver
from tests.support import Clock, request_row, settings_of

KEY = "a key of the benchmark, long enough"
READER = Reader("bench", "bench", "admin", ())


@click.command()
@click.option("--rows", default=100_000, show_default=True, help="of the ledger that is exported")
@click.option("--each", default=400, show_default=True, help="deliveries, and conversations")
@click.option("--rounds", default=3, show_default=True)
def main(rows: int, each: int, rounds: int) -> None:
    """Print the best of several rounds: other load only adds."""
    logs.configure("json")
    for name, measure in (("delivery", _deliveries), ("conversation", _conversations)):
        plain, locked = (min(_fresh(measure, each, encrypted=on) for _ in range(rounds)) for on in (False, True))
        click.echo(f"a {name}: {1000 * plain / each:.2f} ms plainly, {1000 * locked / each:.2f} ms encrypted")
    with tempfile.TemporaryDirectory(prefix="dmf-bench-") as folder:
        _files(_opened(Path(folder)), rows, rounds)


def _fresh(measure: Callable[[Engine, int], float], each: int, *, encrypted: bool) -> float:
    with tempfile.TemporaryDirectory(prefix="dmf-bench-") as folder:
        engine = _opened(Path(folder))
        if encrypted:
            _turn_on(engine)
        took = measure(engine, each)
        engine.dispose()
        return took


def _opened(folder: Path) -> Engine:
    engine = with_keys(open_engine(f"sqlite:///{folder}/ledger.db"), [KEY])
    migrations.upgrade(engine)
    return engine


def _turn_on(engine: Engine) -> None:
    with writing(engine) as connection:
        key_change.turn_on(connection, datetime.now(UTC))


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _deliveries(engine: Engine, each: int) -> float:
    app = App(engine)
    return _cpu(lambda: [deliver(app, f"c-{n}", x_user_id=str(n + 1), agent_id="ann") for n in range(each)])


def _conversations(engine: Engine, each: int) -> float:
    clock, settings = Clock(), Walk(each, 1, 0, 4).settings
    ended = {"ended_at": clock.now - timedelta(minutes=5), "account": "acme0"}
    rows = [request_row(clock.now, conversation_id=f"c-{n}", x_user_id=str(1000 + n), **ended) for n in range(each)]
    with writing(engine) as connection:
        accounts.enrol(connection, settings.accounts, clock.now)
        connection.execute(sa.insert(feedback_request), rows)
    keys = Credentials("ck", "cs", "t", "ts")
    client = XClient(keys, base_url="http://x.test", clock=clock, transport=AtOnce(0))
    runner = Runner(Workplace.open(engine, settings, "bench"), {"acme0": client}, clock)

    def run() -> None:
        while runner.turn(timedelta(seconds=10)):
            pass

    return _cpu(run)


def _files(engine: Engine, rows: int, rounds: int) -> None:
    now = time.time_ns() // 1000
    fill(engine, Plan(rows, 0.35, 0.4, 1, 240, 24.0, 1, raw=False, now=now, rolled_up=False))
    plain = min(_cpu(lambda: _export(engine)) for _ in range(rounds))
    _turn_on(engine)
    began = time.monotonic()
    walked = _cpu(lambda: _walk(engine, datetime.now(UTC)))
    took = time.monotonic() - began
    click.echo(f"the first pass over all {rows}: {walked:.1f} s of processor, {took:.1f} s")
    later = datetime.now(UTC) + SETTLED
    click.echo(f"the last pass over all {rows}: {_cpu(lambda: _walk(engine, later)):.1f} s of processor")
    locked = min(_cpu(lambda: _export(engine)) for _ in range(rounds))
    click.echo(f"an export of {rows} rows as CSV: {plain:.2f} s plainly, {locked:.2f} s encrypted")
    engine.dispose()


def _walk(engine: Engine, now: datetime) -> None:
    while existing_rows.step(engine, now):
        pass


def _export(engine: Engine) -> None:
    settings = settings_of()
    for _ in export.export_of(ReadFrom(engine), settings, READER, Filter(), datetime.now(UTC)).stream("csv"):
        pass
