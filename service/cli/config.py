"""The settings: check, reference, example."""

from pathlib import Path

import click
from rich.table import Table

from service.cli.common import console
from service.intake.definition import load_definitions
from service.settings import Settings, SettingsError, load, reference

EXAMPLE = Path(__file__).parents[1] / "settings" / "example.toml"


@click.group()
def config() -> None:
    """The settings file."""


@config.command()
@click.pass_context
def check(context: click.Context) -> None:
    """Name every mistake at once, and what would be right; then what works but deserves a thought."""
    path = context.find_root().obj
    settings = _loaded(Path(path))
    for warning in settings.warnings:
        console.print(f"{warning.path} {warning.sentence}", style="yellow", soft_wrap=True)
    console.print(
        f"{path} is right: {len(settings.accounts)} accounts, {len(settings.sources)} sources, "
        f"{len(settings.campaigns)} campaigns, {len(settings.warnings)} warnings."
    )


def _loaded(path: Path) -> Settings:
    """Load file and definitions. Raises SettingsError with the mistakes of both."""
    try:
        settings = load(path)
    except SettingsError as error:
        try:
            load_definitions(error.sources)
        except SettingsError as more:
            raise SettingsError([*error.problems, *more.problems]) from error
        raise
    load_definitions(settings.sources, tuple(settings.accounts))
    return settings


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
