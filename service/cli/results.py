"""What customers answered: re-reading X's events, and checking the roll-ups behind the figures."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click
from sqlalchemy.engine import Engine

from service.auth import log_access
from service.cli.common import CommandGroup, account_of, console, me, now, opened
from service.cli.progress import counting
from service.clock import rfc3339
from service.db import reading, writing
from service.errors import Invalid
from service.humanize import many
from service.outreach.clients import client_of
from service.reports.counting import recount as recounting
from service.reports.counting.recount import Difference
from service.reports.counting.sealing import seal
from service.results import poll
from service.settings import Settings

SHOWN = 20  # differences; more tell no more


@click.group(cls=CommandGroup)
def results() -> None:
    """What customers answered."""


@results.command()
@click.option("--account", "name", required=True)
@click.option("--from", "since", required=True, type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]), help="UTC.")
@click.option("--to", "until", required=True, type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]), help="UTC.")
@click.pass_context
def reconcile(context: click.Context, name: str, since: datetime, until: datetime) -> None:
    """Read X's events of a period again and add what was missing. Exits with 1 if some could not be read yet."""
    settings, engine = opened(context, withheld=())
    account = account_of(settings, name)
    start, end = since.replace(tzinfo=UTC), until.replace(tzinfo=UTC)
    if start >= end:
        raise Invalid("which_days", "--to must be later than --from.")
    with writing(engine) as connection:
        detail = {"account": name, "from": rfc3339(start), "to": rfc3339(end)}
        log_access(connection, me(), "results.reconcile", detail, now())
    with client_of(settings, engine, account, now) as client, console.status(f"reading X's events of {name} …"):
        done = poll.reconcile(engine, account, client, start, end, now)
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
    """Compare the roll-ups behind the figures with the ledger, and rebuild them if they differ.

    Exits with 1 if they still differ.
    """
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
    looked_at = 0
    with counting("requests looked at") as show:
        while done := seal(engine, settings, now()):
            looked_at += done
            show(looked_at)


def _differences(engine: Engine) -> Sequence[Difference]:
    with reading(engine) as connection:
        return list(recounting.differences(connection))
