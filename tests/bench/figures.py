"""Times of summary, trend, breakdown and the other figures for readers of rows, on a ledger made by `generate`.

    python -m tests.bench generate --database sqlite:////tmp/big.db --rows 200000
    python -m tests.bench figures --database sqlite:////tmp/big.db [--against sqlite:////tmp/small.db]

Builds missing roll-ups first and prints how long that took. Then asks each question as a supervisor would, over twelve
months and two months that end now, and prints the median and the slowest of `--rounds`, each beside its goal.
`--against` is a smaller ledger of the same shape: the ratio shows whether a figure grows with the ledger.
"""

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import Engine

from service import migrations
from service.auth import Reader
from service.db import open_engine, reading
from service.models import feedback_request, result, tally
from service.reports.counting.sealing import seal
from service.reports.disclosure import naming
from service.reports.figures import figures
from service.reports.filters import Filter
from service.reports.report_query import ReportQuery
from service.settings import Settings
from tests.support import settings_of

SUPERVISOR = Reader("bench", "bench", "supervisor", ())
BUILT_AT_ONCE = 2000


@dataclass(frozen=True)
class Measured:
    """One question, and what it may take at 10 M rows, in milliseconds."""

    name: str
    ask: Callable[..., Any]
    days: int
    goal_ms: int
    more: tuple[Any, ...] = ()


QUESTIONS = (
    Measured("summary, 12 months", figures.summary, 365, 60),
    Measured("trend by month, 12 months", figures.trend, 365, 60, ("month",)),
    Measured("trend by day, 2 months", figures.trend, 61, 100, ("day",)),
    Measured("breakdown by team, 12 months", figures.breakdown, 365, 100, ("team",)),
    Measured("breakdown by agent, 12 months", figures.breakdown, 365, 300, ("agent",)),
    Measured("coverage by agent, 12 months", figures.coverage, 365, 100, ("agent",)),
    Measured("funnel, 12 months", figures.funnel, 365, 100),
)


@click.command()
@click.option("--database", required=True, help="A ledger that `generate` made")
@click.option("--against", help="A smaller one of the same shape: how much a figure grows")
@click.option("--rounds", default=7, show_default=True)
@click.option("--embargo", type=click.Choice(["none", "next_day"]), default="none", show_default=True)
def main(database: str, against: str | None, rounds: int, embargo: str) -> None:
    """Measure, and print one table."""
    table = Table(title=f"{platform.processor() or platform.machine()}, Python {platform.python_version()}", box=None)
    for heading in ("question", "median ms", "slowest ms", "goal ms", "times the smaller"):
        table.add_column(heading, justify="left" if heading == "question" else "right")
    settings = settings_of(reports__embargo=embargo)
    small = _measured(against, settings, rounds) if against else {}
    for name, (asked, took) in _measured(database, settings, rounds).items():
        median = statistics.median(took)
        ratio = f"{median / statistics.median(small[name][1]):.2f}" if small else ""
        table.add_row(name, f"{median:.1f}", f"{max(took):.1f}", str(asked.goal_ms), ratio)
    Console().print(table)


def _measured(database: str, settings: Settings, rounds: int) -> dict[str, tuple[Measured, list[float]]]:
    engine = open_engine(database)
    migrations.require_fitting(engine)
    _build(engine, settings)
    found = {}
    for asked in (*QUESTIONS, Measured("compare, 2 months each", _compare, 122, 100)):
        since = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=asked.days)
        found[asked.name] = asked, [_timed(engine, settings, asked, since) for _ in range(rounds + 1)][1:]
    engine.dispose()
    return found


def _build(engine: Engine, settings: Settings) -> None:
    """Number, count and name everything, as the worker does in the background."""
    began, done = time.perf_counter(), 0
    while step := seal(engine, settings, datetime.now(UTC), BUILT_AT_ONCE):
        done += step
    built = time.perf_counter() - began
    while naming.follow(engine, settings, datetime.now(UTC), BUILT_AT_ONCE):
        pass
    while step := seal(engine, settings, datetime.now(UTC), BUILT_AT_ONCE):
        done += step
    with reading(engine) as connection:
        counts = [
            connection.scalar(sa.select(sa.func.count()).select_from(each))
            for each in (feedback_request, result, tally)
        ]
    print(f"{engine.dialect.name}: {counts[0]} requests, {counts[1]} answers, {counts[2]} rows of roll-ups; "
          f"{done} steps of building, {built:.0f} s")  # fmt: skip


def _timed(engine: Engine, settings: Settings, asked: Measured, since: datetime) -> float:
    began = time.perf_counter()
    with reading(engine) as connection:
        asked.ask(ReportQuery(connection, settings, SUPERVISOR, Filter(since=since), datetime.now(UTC)), *asked.more)
    return 1000 * (time.perf_counter() - began)


def _compare(query: ReportQuery) -> Any:
    assert query.filter.since is not None
    middle = query.filter.since + timedelta(days=61)
    return figures.compare(query.filtered(Filter(since=query.filter.since, until=middle)), Filter(since=middle))
