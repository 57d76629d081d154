"""The buyer's folder: papers written from the settings into a directory."""

from pathlib import Path

import click

from service.cli.common import console, now, settings_of
from service.compliance import write
from service.errors import Unavailable
from service.humanize import many


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.pass_context
def compliance(context: click.Context, directory: Path) -> None:
    """Write the documents a buyer's review asks for, from your settings.

    Records of processing, DPIA, facts of transfer, retention, roles, sub-processors, answers to questionnaires,
    accessibility, sizes, parts. Every statement names the setting or the test it comes from; what only you can know is
    marked "to fill in".
    """
    try:
        written = write(directory, settings_of(context), now())
    except OSError as error:
        raise Unavailable("folder", f"The documents cannot be written to {directory}: {error.strerror}.") from error
    console.print(f"{many(len(written), 'paper')} in {directory}: {', '.join(written)}.", soft_wrap=True)
