"""What goes: a customer who is erased, and what is older than its retention."""

from collections.abc import Mapping

import click

from service.cli.common import console, demand_x_user_ids, me, now, opened, table_of
from service.privacy import housekeeping


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
    table = table_of("kind of data", what)
    table.columns[-1].justify = "right"
    for name, count in counts.items():
        table.add_row(name, str(count))
    console.print(table)
