"""The APIs of sources: how they stand, what was found there, and releasing a hold."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

import click
from rich.table import Table
from sqlalchemy.engine import Engine

from service.accounts import x_outage
from service.auth import log_access
from service.cli.common import if_set_up, me, now, opened, source_of, table_of, when
from service.cli.source_seen import RECENT
from service.db import reading, writing
from service.errors import Conflict
from service.settings import Settings
from service.sources import call_counts, holds, sweeps, waiting
from service.sources.holds import SourceStanding
from service.sources.sweeps import Sweeping

Row = tuple[str, ...]
NOT_ASKED: Row = ("not asked yet", *[""] * 6)


@click.command()
@click.argument("name")
@click.pass_context
def release(context: click.Context, name: str) -> None:
    """Let customers of a held or paused source be looked up again, once its credentials are fixed."""
    settings, engine = opened(context)
    source_of(settings, name)
    with writing(engine) as connection:
        if not holds.release(connection, name, now()):
            raise Conflict("not_held", f"The source '{name}' is neither on hold nor paused.")
        log_access(connection, me(), "source.release", {"source": name}, now())
    click.echo(f"{name} continues; waiting customers are looked up within seconds.")


def apis(context: click.Context, settings: Settings) -> Table:
    """Show each source whose customers are looked up: free, held, paused or away, and results of the last 7 days."""
    table = table_of(
        "name", "its API", "since / until", "waiting", "found, 7 d", "not found, 7 d", "list read until",
        "ends by list, 7 d", title="customers looked up in their CRM",
    )  # fmt: skip
    rows = if_set_up(context, settings, partial(_rows, now()))
    for name, source in settings.sources.items():
        if source.api is not None:
            table.add_row(name, *rows.get(name, NOT_ASKED))
    return table


def _rows(moment: datetime, engine: Engine) -> dict[str, Row]:
    with reading(engine) as connection:
        stand, waits = holds.standings(connection), waiting.counts(connection)
        ended, lists = call_counts.since(connection, moment - RECENT), sweeps.standings(connection)
    return {
        name: (
            *_stands(each, moment), str(waits.get(name, 0)), *_ended(ended.get(name, {})),
            *_swept(lists.get(name), ended.get(name, {})),
        )
        for name, each in stand.items()
    }  # fmt: skip


def _stands(each: SourceStanding, moment: datetime) -> tuple[str, str]:
    if each.hold_reason is not None:
        return f"held: {each.hold_reason}", when(each.held_at)
    if each.rests(moment):
        return "paused", when(each.paused_until)
    if (since := x_outage.since(each.away_since, moment)) is not None:
        return "does not answer", when(since)
    return "free", ""


def _ended(counts: Mapping[str, int]) -> tuple[str, str]:
    others = ", ".join(
        f"{n} {word}" for word, n in counts.items() if word != "found" and word not in call_counts.OF_SWEEPS
    )
    return str(counts.get("found", 0)), others or "0"


def _swept(read: Sweeping | None, counts: Mapping[str, int]) -> tuple[str, str]:
    """How far the list of ended conversations is read, and for how many of them no webhook had come."""
    if read is None:
        return "no list", ""
    found, known = counts.get(call_counts.SWEPT, 0), counts.get(call_counts.SWEPT_KNOWN, 0)
    problem = f" ({read.problem})" if read.problem else ""
    return when(read.read_until) + problem, f"{found} new, {known} known"
