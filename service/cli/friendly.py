"""Groups of commands: lists whose sentences do not break off, and our own errors as sentences.

At the top imports nothing but click: `--help` needs no database.
"""

from typing import Any

import click

WHOLE = 1000  # letters of a command's first sentence: all of them, on as many lines as it takes


class CommandGroup(click.Group):
    """Says in its list to the end what each command does."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the list."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(WHOLE)) for name, each in sorted(self.commands.items())])


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
