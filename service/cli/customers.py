"""Everything we hold of a customer, as JSON, for the person who asks."""

import json
from pathlib import Path

import click

from service.cli.common import CommandGroup, console, demand_x_user_ids, me, now, opened
from service.errors import Invalid
from service.humanize import many
from service.privacy import held
from service.reports.rows.atomic_file import appearing


@click.group(cls=CommandGroup)
def customers() -> None:
    """Everything we hold of a customer, as JSON."""


@customers.command()
@click.argument("x_user_id")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A new file, only for you. Default: the terminal.",
)
@click.pass_context
def export(context: click.Context, x_user_id: str, out: Path | None) -> None:
    """Show every row that erasing this person would reach, and their opt-outs, as JSON.

    A raw delivery may mention other people too: read it before you hand it out.
    """
    settings, engine = opened(context)
    demand_x_user_ids([x_user_id])
    if out is not None and out.exists():
        raise Invalid("file_exists", f"{out} exists already: give the name of a new file.")
    kept = held.export(engine, settings, x_user_id, by=me(), now=now())
    text = json.dumps({"x_user_id": x_user_id, "held": kept}, indent=2)
    if out is None:
        click.echo(text)
        return
    with appearing(out) as file:
        file.write(f"{text}\n".encode())
    console.print(f"{many(sum(map(len, kept.values())), 'row')} in {out}")
