"""Customers whose X identity was missing: exported as CSV, and imported again with the column filled in."""

import csv
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
import sqlalchemy as sa

from service.auth import log_access
from service.cli.common import CommandGroup, console, demand_x_user_ids, errors, me, now, opened, source_of, when
from service.db import reading, writing
from service.errors import Invalid, ServiceError
from service.models import feedback_request
from service.outreach import by_hand
from service.outreach.context import Workplace
from service.reports.csv_rows import read_rows
from service.reports.formula_injection import guarded
from service.states import Skip, State

COLUMNS = ("request_id", "source", "conversation_id", "customer_ref", "ended_at", "why", "x_user_id")
fr = feedback_request.c


@click.group(cls=CommandGroup)
def identities() -> None:
    """Customers whose X identity was missing: export them, import what you found."""


@identities.command()
@click.option("--source", help="Only of this source.")
@click.option("--days", type=click.IntRange(1, 365), default=2, show_default=True, help="Ended in the last N days.")
@click.pass_context
def missing(context: click.Context, source: str | None, days: int) -> None:
    """Print the conversations skipped because no X identity was known, as CSV: fill in x_user_id, then import."""
    settings, engine = opened(context)
    wanted = sa.select(
        fr.id, fr.source, fr.conversation_id, fr.customer_ref, fr.ended_at, fr.detail
    ).where(
        fr.ended_at > now() - timedelta(days=days), fr.state == State.SKIPPED, fr.reason == Skip.NO_X_IDENTITY,
        fr.erased_at.is_(None), *([fr.source == source] if source else []),
    )  # fmt: skip
    with writing(engine) as connection:  # before the first line leaves: whoever reads may stop at any of them
        log_access(connection, me(), "identities.missing", {"source": source or "*", "days": days}, now())
    with reading(engine) as connection:
        rows = connection.execute(wanted.order_by(fr.ended_at, fr.id)).all()
    if source is not None and not rows:
        source_of(settings, source)  # one that was removed is still found by what it sent
    file = csv.writer(sys.stdout, lineterminator="\r\n")  # in no transaction: who reads the pipe may be slow
    file.writerow(COLUMNS)
    for row in rows:
        words = (guarded(each or "") for each in (row.source, row.conversation_id, row.customer_ref))
        file.writerow([row.id, *words, when(row.ended_at), guarded(row.detail or ""), ""])


@identities.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_context
def import_file(context: click.Context, file: Path) -> None:
    """Resume every request of a CSV with the columns request_id and x_user_id; lines without an id are skipped."""
    settings, engine = opened(context)
    given = dict(_given(file))
    demand_x_user_ids(list(given.values()))
    place = Workplace.open(engine, settings, me())
    refused = 0
    for request_id, x_user_id in given.items():
        try:
            by_hand.complete(place, request_id, x_user_id, by=me(), now=now())
        except ServiceError as error:
            refused += 1
            errors.print(f"{request_id}: {error.sentence}  ({error.code})", soft_wrap=True)
    console.print(f"{len(given) - refused} taken up, {refused} refused.")
    context.exit(1 if refused else 0)


def _given(file: Path) -> Iterator[tuple[str, str]]:
    heads, rows = read_rows(file.read_text("utf-8-sig", "replace"))
    if not {"request_id", "x_user_id"} <= set(heads):
        raise Invalid("columns_missing", "The file's first line must name the columns request_id and x_user_id.")
    return ((row["request_id"], row["x_user_id"]) for _, row in rows if row["x_user_id"])
