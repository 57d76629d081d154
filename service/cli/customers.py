"""What we hold of a customer: in, an X user id; out, JSON, for the person who asks us."""

import json
from pathlib import Path

import click

from service import held
from service.cli.common import console, demand_x_user_ids, me, now, opened


@click.group()
def customers() -> None:
    """All we hold of a customer, in one JSON."""


@customers.command()
@click.argument("x_user_id")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="A new file, for you alone. Default: the terminal."
)
@click.pass_context
def export(context: click.Context, x_user_id: str, out: Path | None) -> None:
    """Show every row that erasing this person would reach, and their opt-outs, as JSON.

    A raw delivery may tell of other people too: look before you hand it out.
    """
    settings, engine = opened(context)
    demand_x_user_ids([x_user_id])
    if out is not None:
        out.touch(mode=0o600, exist_ok=False)
    kept = held.export(engine, settings, x_user_id, by=me(), now=now())
    text = json.dumps({"x_user_id": x_user_id, "held": kept}, indent=2)
    if out is None:
        click.echo(text)
        return
    out.write_text(f"{text}\n", "utf-8")
    console.print(f"{sum(map(len, kept.values()))} rows in {out}")
