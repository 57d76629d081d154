"""The settings: check, reference, example."""

from pathlib import Path

import click
from rich.table import Table

from service.cli.common import console
from service.intake.definition import load_definitions
from service.settings import load, reference

EXAMPLE = Path(__file__).parents[1] / "settings" / "example.toml"


@click.group()
def config() -> None:
    """The settings file."""


@config.command()
@click.pass_context
def check(context: click.Context) -> None:
    """Name every mistake at once, and what would be right; then what works but deserves a thought."""
    path = context.find_root().obj
    settings = load(Path(path))
    load_definitions(settings.sources, tuple(settings.accounts))
    for warning in settings.warnings:
        console.print(f"[yellow]{warning.path}[/yellow] {warning.sentence}", soft_wrap=True, highlight=False)
    console.print(
        f"{path} is right: {len(settings.accounts)} accounts, {len(settings.sources)} sources, "
        f"{len(settings.campaigns)} campaigns, {len(settings.warnings)} warnings."
    )


@config.command(name="reference")
def show_reference() -> None:
    """List every setting with its default."""
    table = Table(box=None)
    for heading in ("setting", "default", "meaning"):
        table.add_column(heading, overflow="fold")
    for doc in reference():
        table.add_row(doc.path, doc.default, doc.description)
    console.print(table)


@config.command()
def example() -> None:
    """Print a commented settings file to start from."""
    click.echo(EXAMPLE.read_text("utf-8"), nl=False)
