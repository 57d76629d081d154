"""Deletes a month of history in committed batches and by dropping its partition: seconds, statements, WAL written.

    python -m tests.bench forget --rows 1000000

Starts a PostgreSQL of its own. All rows are the same and due. Seconds depend on the machine; statements and WAL do not.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

from service.db import batch_deletion, open_engine, reading, to_micros, writing
from service.ids import new_id
from service.models import feedback_request
from service.partitions import conversion, dropping
from service.partitions.cuts import TableCut, cuts
from service.requests.forget import history
from tests.bench import load
from tests.processes.databases import open_database
from tests.support import request_row, settings_of

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
LATER = BEGIN + timedelta(days=2000)
LINES = sa.text("""
INSERT INTO transition (request_id, at, from_state, to_state, event, actor)
SELECT :request, CAST(:begin AS bigint) + n * CAST(:apart AS bigint), 'received', 'card_sent', 'advanced', 'worker-1'
FROM generate_series(1, CAST(:rows AS int)) AS n
""")


@click.command()
@click.option("--rows", default=1_000_000, show_default=True)
def main(rows: int) -> None:
    """Delete the same lines of history in both ways."""
    click.echo(load.machine())
    cut = cuts(settings_of(privacy__keep_history="1d").privacy)["transition"]
    with tempfile.TemporaryDirectory(prefix="dmf-bench-") as folder:
        database = open_database("postgresql", Path(folder))
        engine = open_engine(database.url)
        fill(engine, rows)
        measured(engine, "in batches", lambda: batch_deletion.forget(engine, history(LATER)))
        fill(engine, rows)
        with measuring(engine, "turned over, its rows looked at once"):
            list(conversion.turn(engine, settings_of().privacy, BEGIN, lambda *_: None))
        measured(engine, "by dropping", lambda: dropping.drop(engine, cut, LATER, batch_deletion.never))
        left(engine, cut)
        engine.dispose()
        database.close()


def fill(engine: Engine, rows: int) -> None:
    """Write so many lines of one request of that month."""
    at = BEGIN + timedelta(days=1)
    row = request_row(at, id=new_id("fr", at), conversation_id=str(time.monotonic_ns()))
    with writing(engine) as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.execute(sa.insert(feedback_request).values(row))
        apart = 27 * 86_400_000_000 // rows
        connection.execute(LINES, {"request": row["id"], "begin": to_micros(at), "apart": apart, "rows": rows})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.connection.cursor().execute("VACUUM ANALYZE transition")


def measured(engine: Engine, what: str, forget: Callable[[], int]) -> None:
    """Forget, and print what it took."""
    with measuring(engine, what):
        forget()


@contextmanager
def measuring(engine: Engine, what: str) -> Iterator[None]:
    """Print the cost of the block."""
    asked = 0

    def count(*_: Any) -> None:
        nonlocal asked
        asked += 1

    event.listen(engine, "before_cursor_execute", count)
    log, began = written(engine), time.monotonic()
    yield
    seconds, log = time.monotonic() - began, written(engine) - log
    event.remove(engine, "before_cursor_execute", count)
    click.echo(f"{what:40s} {seconds:8.2f} s  {asked:6d} statements  {log / 1e6:9.2f} MB of log")


def written(engine: Engine) -> int:
    """How much WAL PostgreSQL has written so far, in bytes."""
    with reading(engine) as connection:
        return int(connection.exec_driver_sql("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").scalar_one())


def left(engine: Engine, cut: TableCut) -> None:
    """Make sure that nothing is left, or the figures would be wrong."""
    with reading(engine) as connection:
        rows = connection.exec_driver_sql(f"SELECT count(*) FROM {cut.table}").scalar_one()
    if rows:
        raise click.ClickException(f"{rows} rows are left")
