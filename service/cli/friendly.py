"""Groups of commands that show our own errors as sentences. Imports nothing but click: `--help` needs no database."""

from typing import Any

import click


class Friendly(click.Group):
    """Shows errors of ours as sentences; bugs keep their stack trace."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise  # click's own, which it shows itself
        except Exception as error:
            from service.cli.common import explain

            explain(context, error)
            raise
