"""Results as files, re-reading X, checking the roll-ups, erasure and retention."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy.engine import Engine

from service.auth import Reader
from service.cli.common import account_of, console, demand_x_user_ids, errors, me, now, opened
from service.db import reading
from service.errors import Invalid
from service.humanize import many
from service.outreach.clients import client_of
from service.privacy import housekeeping
from service.reports import filters
from service.reports.counting import recount as recounting
from service.reports.counting.recount import Difference
from service.reports.counting.sealing import seal
from service.reports.rows import export as exporting
from service.reports.rows.as_csv import Form
from service.reports.rows.formats import FORMATS
from service.results import poll
from service.settings import Settings

SHOWN = 20  # differences; more tell no more


@click.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write.")
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Default: by the file's name.")
@click.option(
    "--filter", "given", multiple=True, metavar="NAME=VALUE", help="As in the API: account=acme, since=2026-11-01 …"
)
@click.option("--bom", is_flag=True, help="Begin a CSV with a byte order mark, for old Excel.")
@click.option("--separator", type=click.Choice(["comma", "semicolon"]), default="comma", help="The separator of a CSV.")
@click.option("--raw", is_flag=True, help="CSV: no apostrophe before texts that a spreadsheet would compute.")
@click.pass_context
def export(context: click.Context, /, out: Path, kind: str | None, given: tuple[str, ...], **form: Any) -> None:
    """Write conversations and their answers to a file, with a manifest beside it.

    For results only: --filter answered=true.
    """
    settings, engine = opened(context)
    reader = Reader("cli", me(), "admin", ())
    filter_ = filters.parse(pairs(given), reader, settings)
    kind = kind or out.suffix.lstrip(".").lower() or "csv"
    if kind not in FORMATS:
        raise Invalid("unknown_format", f"'{kind}' is not a format we have; there are {', '.join(FORMATS)}.")
    columns = (SpinnerColumn(), TextColumn("{task.completed} rows"), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("rows", total=None)
        manifest = exporting.write_file(
            engine,
            settings,
            reader,
            filter_,
            out,
            kind,
            now(),
            lambda rows: bar.update(task, completed=rows),
            form=Form(**form),
        )
    console.print(f"{many(manifest.rows, 'row')} in {out}, manifest in {out}.manifest.json")


def pairs(given: tuple[str, ...]) -> dict[str, list[str]]:
    """By name, as a query string has them: some filters may be given more than once."""
    wrong = next((each for each in given if "=" not in each), None)
    if wrong is not None:
        raise Invalid("bad_filter", f"'{wrong}' is not a filter; write NAME=VALUE, for instance account=acme.")
    pairs: dict[str, list[str]] = {}
    for name, _, value in (each.partition("=") for each in given):
        pairs.setdefault(name, []).append(value)
    return pairs


@click.group()
def results() -> None:
    """What customers answered."""


@results.command()
@click.option("--account", "name", required=True)
@click.option("--from", "since", required=True, type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]), help="UTC.")
@click.option("--to", "until", required=True, type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]), help="UTC.")
@click.pass_context
def reconcile(context: click.Context, name: str, since: datetime, until: datetime) -> None:
    """Read X's events of a period again and add what was missing."""
    settings, engine = opened(context, withheld=())
    account = account_of(settings, name)
    start, end = since.replace(tzinfo=UTC), until.replace(tzinfo=UTC)
    with client_of(settings, engine, account, now) as client, console.status(f"reading X's events of {name} …"):
        done = poll.reconcile(engine, account, client, start, end, now())
    read = f"{many(done.pages, 'page')}, {many(done.events, 'event')}"
    console.print(f"{read}, {many(done.found_missing, 'answer')} we did not have.")
    if done.unreadable:
        console.print(
            f"{many(done.unreadable, 'event')} could not be read; the log names their fields.", style="yellow"
        )
    if not done.complete:
        again = f" not before {done.come_back_at:%H:%M:%S} UTC" if done.come_back_at else ""
        console.print(f"Not finished ({done.problem or 'X allows no more now'}). Go on{again} with "
                      f"--from {done.read_until:%Y-%m-%dT%H:%M:%SZ}", style="yellow")  # fmt: skip
        context.exit(1)
    if done.served_until < end:
        last = f"{done.served_until:%Y-%m-%dT%H:%M:%SZ}"
        console.print(f"X serves nothing later than {last} yet: what came after that was not read.", style="yellow")
        context.exit(1)


@results.command()
@click.option("--dry-run", is_flag=True, help="Only report; change nothing.")
@click.pass_context
def recount(context: click.Context, *, dry_run: bool) -> None:
    """Compare the roll-ups behind the figures with the ledger, and rebuild them if they differ."""
    settings, engine = opened(context)
    if not dry_run:
        _build(engine, settings)
    wrong = _differences(engine)
    console.print(f"Differing from the ledger: {many(len(wrong), 'row')} of the roll-ups.")
    for each in wrong[:SHOWN]:
        told = ", ".join(f"{name} {value}" for name, value in each.key.items() if value is not None)
        console.print(f"  {told}: {each.held[0]} conversations held, {each.counted[0]} in the ledger", style="yellow")
    if wrong and not dry_run:
        recounting.begin_anew(engine, settings, now())
        _build(engine, settings)
        wrong = _differences(engine)
        console.print(f"Recounted: {many(len(wrong), 'row')} still different.")
    context.exit(1 if wrong else 0)


def _build(engine: Engine, settings: Settings) -> None:
    """Seal and count everything."""
    columns = (SpinnerColumn(), TextColumn("{task.completed} requests looked at"), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("requests", total=None)
        while done := seal(engine, settings, now()):
            bar.update(task, advance=done)


def _differences(engine: Engine) -> Sequence[Difference]:
    with reading(engine) as connection:
        return list(recounting.differences(connection))


@click.command()
@click.argument("x_user_id")
@click.confirmation_option(prompt="This deletes the person's identity and texts permanently. Continue?")
@click.pass_context
def erase(context: click.Context, x_user_id: str) -> None:
    """Erase a customer: their identity and texts are deleted, and they are never asked again."""
    settings, engine = opened(context)
    demand_x_user_ids([x_user_id])
    _show(housekeeping.erase(engine, settings, x_user_id, by=me(), now=now()), "erased")


@click.command()
@click.option("--dry-run", is_flag=True, help="Only count; change nothing.")
@click.pass_context
def prune(context: click.Context, *, dry_run: bool) -> None:
    """Delete what is older than its retention. The worker does this every hour."""
    settings, engine = opened(context)
    counts = housekeeping.prune(engine, settings, now(), dry_run=dry_run)
    _show(counts, "would be deleted" if dry_run else "forgotten")


def _show(counts: Mapping[str, int], what: str) -> None:
    table = Table(box=None)
    table.add_column("kind of data")
    table.add_column(what, justify="right")
    for name, count in counts.items():
        table.add_row(name, str(count))
    console.print(table)
