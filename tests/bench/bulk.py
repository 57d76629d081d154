"""A bulk close: 50,000 deliveries at once over 200 connections, each answered 2xx after its commit.

python -m tests.bench bulk --database sqlite
"""

import tempfile
from pathlib import Path

import click

from tests.bench import load
from tests.bench.accept import MADE_A_SECOND, Choice, line, site
from tests.bench.load import Deliveries

P99_GOAL_MS = 500
RUNS_AT_MOST = 7


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
@click.option("--deliveries", default=50_000, show_default=True)
@click.option("--connections", default=200, show_default=True)
@click.option("--seconds", default=15, show_default=True, help="of each run; as many as it takes")
def main(database: str, deliveries: int, connections: int, seconds: int) -> None:
    """Send all deliveries and print what became of them."""
    click.echo(load.machine())
    made, runs = Deliveries(), []
    with tempfile.TemporaryDirectory(prefix="dmf-bench-") as place:
        folder = Path(place)
        with load.ours(site(Choice(database, seconds, 1, connections, 2, 0, 0), folder / "h", 0)) as server:
            while sum(each.requests for each in runs) < deliveries and len(runs) < RUNS_AT_MOST:
                count = MADE_A_SECOND["ours"] * seconds
                runs.append(
                    load.wrk(made, server.port, count=count, connections=connections, seconds=seconds, folder=folder)
                )
                click.echo(line(runs[-1]))
    lost = sum(each.refused + each.broken + each.timeouts for each in runs)
    click.echo(f"{sum(each.requests for each in runs):.0f} answered of {deliveries}, {lost:.0f} of them not 2xx")
    click.echo(f"worst p99 {max(each.p99 for each in runs):.0f} ms; goal: all 2xx, p99 at most {P99_GOAL_MS} ms")
