"""`python -m tests.outside`: runs other people's tools, one line each, and sets the exit code."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from tests.outside import description, integrations, spreadsheets
from tests.outside.tools import Tools

PARTS: dict[str, Callable[[Tools, Path], list[str]]] = {
    "description": description.check,
    "integrations": integrations.check,
    "spreadsheets": spreadsheets.check,
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--tools", type=click.Path(path_type=Path), help="A folder that keeps them for the next time.")
def main(parts: tuple[str, ...], tools: Path | None) -> None:
    """Install the tools, and let them read the description and take results elsewhere."""
    with tempfile.TemporaryDirectory(prefix="dmf-outside-") as scratch:
        kept = Tools((tools or Path(scratch) / "tools").absolute())
        for name in parts or PARTS:
            for line in PARTS[name](kept, Path(scratch) / name):
                click.echo(line)


main()
