"""Lists and files over a filled ledger: pages at depth, and each file format beside the database's own export.

    python -m tests.bench generate --database sqlite:///ledger.db --rows 1000000
    python -m tests.bench rows --database sqlite:///ledger.db

Runs in one process without HTTP: the cost of a page is its query and its JSON. `sqlite3 -csv` (COPY on PostgreSQL)
writes the same joined columns in the same order, in the same run. Everybody is named, as in a ledger of years.
"""

import json
import resource
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click
import sqlalchemy as sa
from sqlalchemy.engine import Engine, make_url

from service.auth.keys import Reader
from service.db import open_engine, reading, writing
from service.models import feedback_request, naming
from service.replica import ReadFrom
from service.reports.filters import Filter
from service.reports.report_query import ReportQuery
from service.reports.rows import export, query
from service.reports.rows.order import Order
from service.reports.rows.row import COLUMNS, objects_of
from service.settings import Settings, from_tree
from tests.bench import load
from tests.support import tree

GOAL_PAGE_MS, GOAL_DEPTH, GOAL_CSV = 25, 1.3, 0.4
READER = Reader("bench", "bench", "supervisor", ())
PLAIN = (
    "SELECT f.id, conversation_id, source, account, campaign, team_id, agent_id, type, question_variant_id,"
    " display_name, ended_at, card_sent_at, state, reason, score, score_at, text, text_at, f.updated_at, update_count,"
    " language, test, tags, channel, customer_ref, erased_at FROM feedback_request f"
    " LEFT JOIN result r ON r.request_id = f.id ORDER BY ended_at, f.id"
)


@click.command()
@click.option("--database", required=True, help="filled by `generate`")
@click.option("--pages", default=200, show_default=True, help="to go down")
@click.option("--formats", default="csv,jsonl,xlsx,parquet", show_default=True, help="empty: pages alone")
def main(database: str, pages: int, formats: str) -> None:
    """Print medians and ratios."""
    engine, settings = open_engine(database), settings_for(database)
    click.echo(load.machine())
    _name(engine)
    with reading(engine) as connection:
        rows = connection.scalar(sa.select(sa.func.count()).select_from(feedback_request))
    click.echo(f"{rows} requests")
    for kind in ("results", "requests"):
        for sort in ("updated_at", "ended_at"):
            _pages(engine, settings, kind, sort, pages)
    if formats:
        beside = _beside(database)
        for one in formats.split(","):
            _file(engine, settings, one, beside)


def settings_for(database: str) -> Settings:
    given = tree(database__url=database)
    one = given["accounts"].pop("acme")
    for at in range(3):
        given["accounts"][f"acme{at}"] = {**one, "user_id": str(1212121212121 + at), "screen_name": f"acme{at}"}
    given["sources"]["crm"]["account"] = "acme0"
    return from_tree(given, {})


def _name(engine: Engine) -> None:
    f = feedback_request.c
    moment = sa.literal(datetime.now(UTC), naming.c.named_at.type)
    everybody = sa.select(f.account, sa.literal("agent"), f.agent_id, moment, moment).distinct()
    with writing(engine) as connection:
        connection.execute(sa.delete(naming))
        connection.execute(
            sa.insert(naming).from_select(list(naming.c.keys()), everybody.where(f.agent_id.is_not(None)))
        )


def _pages(engine: Engine, settings: Settings, kind: Any, sort: str, pages: int) -> None:
    took: list[float] = []
    after = None
    for _ in range(pages):
        began = time.perf_counter()
        with reading(engine) as connection:
            now = datetime.now(UTC)
            page = query.rows(
                ReportQuery(connection, settings, READER, Filter(), now), Order(sort, kind), after=after, limit=50
            )
        json.dumps(objects_of(page.columns, COLUMNS))
        took.append((time.perf_counter() - began) * 1000)
        after = page.next
        if after is None:
            break
    first, deep = statistics.median(took[1:11]), sorted(took[10:])
    worst = deep[int(len(deep) * 0.99)] if deep else first
    click.echo(
        f"{kind} by {sort}, pages of 50: first ten {first:.1f} ms (goal {GOAL_PAGE_MS}), p99 of {len(took)} pages "
        f"{worst:.1f} ms = {worst / first:.2f} (goal {GOAL_DEPTH})"
    )


def _file(engine: Engine, settings: Settings, format: str, beside: float) -> None:
    def write() -> int:
        return sum(
            map(len, export.export_of(ReadFrom(engine), settings, READER, Filter(), datetime.now(UTC)).stream(format))
        )

    size, wall, cpu = _timed(write)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    said = f", {size / wall / 1e6 / beside:.2f} of the database's own (goal {GOAL_CSV})" if format == "csv" else ""
    rate = size / wall / 1e6
    took = f"{wall:.1f} s ({cpu:.1f} s of CPU)"
    click.echo(f"{format}: {size / 1e6:.1f} MB in {took} = {rate:.1f} MB/s{said}, peak {peak} MB")


def _beside(database: str) -> float:
    """MB/s of the database's own CSV export."""
    url = make_url(database)
    if url.get_backend_name() == "sqlite":
        program = shutil.which("sqlite3") or "sqlite3"
        command = [program, "-csv", str(url.database), PLAIN]
    else:
        address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        command = [shutil.which("psql") or "psql", address, "-c", f"COPY ({PLAIN}) TO STDOUT (FORMAT csv)"]

    def run() -> int:
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            return sum(len(piece) for piece in iter(lambda: child.stdout.read(1 << 20), b""))  # type: ignore[union-attr]

    size, wall, _ = _timed(run)
    click.echo(f"the database's own CSV: {size / 1e6:.1f} MB in {wall:.1f} s = {size / wall / 1e6:.1f} MB/s")
    return size / wall / 1e6


def _timed(work: Callable[[], int]) -> tuple[int, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    size = work()
    return size, time.perf_counter() - wall, time.process_time() - cpu
