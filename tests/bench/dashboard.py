"""Server time of every dashboard page, for a supervisor and an analyst, on a ledger made by `generate`.

    python -m tests.bench generate --database sqlite:////tmp/big.db --rows 200000 --rolled-up
    python -m tests.bench dashboard --database sqlite:////tmp/big.db [--days 365]

Runs in one process, without a network: figures, drawings and HTML. The period ends now.
"""

import statistics
import time
from datetime import UTC, datetime, timedelta

import click
import flask
from flask.testing import FlaskClient
from rich.console import Console
from rich.table import Table

from service import migrations
from service.app import create_app
from service.auth import keys
from service.db import open_engine, writing
from service.telemetry import logs
from tests.bench import load
from tests.bench.rows import settings_for

GOAL_MS = 400
WITHOUT = ("/dashboard/sign-in", "/dashboard/report.pdf")  # no figures; the report again, set by another program


@click.command()
@click.option("--database", required=True, help="filled by `generate`")
@click.option("--days", default=365, show_default=True, help="of the period")
@click.option("--rounds", default=5, show_default=True)
def main(database: str, days: int, rounds: int) -> None:
    """Print each page's median and slowest."""
    engine = open_engine(database)
    migrations.require_fitting(engine)
    logs.configure("json")
    app = create_app(settings_for(database), engine, lambda: datetime.now(UTC))
    table = Table(title=load.machine(), box=None)
    for heading in ("page", "role", "median ms", "slowest ms", f"goal {GOAL_MS}", "kB"):
        table.add_column(heading, justify="left" if heading in {"page", "role"} else "right")
    since = (datetime.now(UTC) - timedelta(days=days)).date().isoformat()
    for role in ("supervisor", "analyst"):
        with writing(engine) as connection:
            key = keys.create(connection, f"bench {role}", role, (), datetime.now(UTC))
        client = app.test_client()
        client.post("/dashboard/sign-in", data={"key": key})
        for page in pages(app):
            took, size = measured(client, f"{page}?since={since}", rounds)
            if took:
                median = statistics.median(took)
                met = "yes" if median <= GOAL_MS else "no"
                table.add_row(page, role, f"{median:.0f}", f"{max(took):.0f}", met, f"{size / 1000:.0f}")
    Console(width=120).print(table)
    engine.dispose()


def pages(app: flask.Flask) -> list[str]:
    """The addresses that take no argument and are pages."""
    found = (
        rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/dashboard/") and not rule.arguments
    )
    return sorted(each for each in set(found) if each not in WITHOUT and not each.endswith((".csv", "/sign-out")))


def measured(client: FlaskClient, address: str, rounds: int) -> tuple[list[float], int]:
    """Milliseconds of each round except the first; none if this reader gets another page."""
    took, answer = [], client.get(address)
    if answer.status_code != 200:
        return [], 0
    for _ in range(rounds):
        began = time.perf_counter()
        answer = client.get(address)
        took.append(1000 * (time.perf_counter() - began))
    return took, len(answer.data)
