"""The `dm-feedback` command. Errors are one sentence that says what to do instead.

Each file holds the commands that the table below names with it; connect.py, source_apis.py, source_seen.py and
source_send.py are parts of groups. common.py is what all share, progress.py a growing count. Nothing is decided here:
commands call the same functions as web and worker. This file imports no more than `--help` needs, which is no database.
"""

from importlib import import_module
from typing import Any

import click

from service import __version__
from service.process import hear_interrupts, leave_no_core, open_streams, write_utf8
from service.text import UNSTORABLE

COMMANDS = {
    "serve": ("run", "Run web and worker on this machine, until Ctrl-C or SIGTERM."),
    "web": ("run", "Run only the web processes: webhooks, API, dashboard."),
    "worker": ("worker", "Run one worker, which writes to customers and collects answers."),
    "status": ("status", "Show how everything stands: what needs attention, backlog, holds, limits, lag."),
    "sandbox": ("sandbox", "Run the sandbox, a stand-in for X: develop and test without any access to X."),
    "demo": ("demo", "Play the whole story against the sandbox: nothing to set up, nothing leaves this machine."),
    "config": ("config", "The settings file."),
    "db": ("database", "The database: its schema, copies, partitions, a restore."),
    "keys": ("keys", "Keys for people and tools: supervisors, analysts, monitors, admins."),
    "feeds": ("feeds", "Addresses for spreadsheets: each answers one saved question with figures, and nothing else."),
    "access-log": ("access_log", "The access log: who read, exported or changed what, tamper-evident."),
    "campaigns": ("campaigns", "Campaigns: which card and texts, for which conversations."),
    "accounts": ("accounts", "X accounts: limits used, holds, how complete their results are."),
    "sources": ("sources", "CRMs that call us, and the definitions that come with dm-feedback."),
    "deliveries": ("deliveries", "What sources sent, stored as it came."),
    "requests": ("requests", "Feedback requests: one per ended conversation, each with one outcome and its reason."),
    "opt-out": ("opt_out", "People who do not want to be asked."),
    "page": ("page", "The question page, on which customers answer without X's card."),
    "results": ("results", "What customers answered."),
    "report": ("report", "Write a month, a week or a quarter on one page, as PDF or HTML."),
    "export": ("export", "Write conversations and their answers to a file, with a manifest beside it."),
    "people": ("people", "Names of agents and teams, shown beside the CRM's ids."),
    "customers": ("customers", "Everything we hold of a customer, as JSON."),
    "identities": ("identities", "Customers whose X identity was missing: export them, import what you found."),
    "erase": ("retention", "Erase a customer: their identity and texts are deleted, and they are never asked again."),
    "privacy": ("privacy", "Encryption at rest: turn it on, change the key, turn it off, see the progress."),
    "prune": ("retention", "Delete what is older than its retention."),
    "compliance": (
        "compliance",
        "Write the documents a buyer's review asks for, from your settings.",
    ),
    "openapi": ("openapi", "Print the API's description (OpenAPI 3.1); the file openapi.yaml is this output."),
}


class Commands(click.Group):
    """The commands, each imported when it is called: a worker needs no dashboard, and `--help` neither."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments, which no terminal and no database could take if they were not UTF-8."""
        if any(UNSTORABLE.search(each) for each in args):
            raise click.UsageError("The arguments must be UTF-8.", ctx)
        return super().parse_args(ctx, args)

    def invoke(self, context: click.Context) -> Any:
        """Run the command, which is imported before the function below is called. Bugs alone show a stack trace."""
        open_streams()
        try:
            return super().invoke(context)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise  # click's own, which it shows itself
        except Exception as error:
            from service.cli.common import explain

            explain(context, error)
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """The names, in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Import one."""
        if cmd_name not in COMMANDS:
            return None
        file = import_module(f"service.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(file, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the list without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    "config_path",
    envvar="DM_FEEDBACK_CONFIG",
    default="dm-feedback.toml",
    show_default=True,
    help="The settings file. Also set by the variable DM_FEEDBACK_CONFIG.",
)
@click.version_option(__version__, prog_name="dm-feedback")
@click.pass_context
def main(context: click.Context, config_path: str) -> None:
    """Honest feedback on customer service over X Direct Messages.

    \b
    Try it without access to X:   dm-feedback sandbox   (or, all at once: bash deploy/demo)
    Set it up:                    dm-feedback config example > dm-feedback.toml
                                  dm-feedback config check
                                  dm-feedback db upgrade
                                  dm-feedback keys create --name me --role supervisor
    Run it on one machine:        dm-feedback serve
    See why somebody was (not) asked:  dm-feedback requests show ID
    """  # noqa: D301 - \b is click's mark for "keep these lines"
    hear_interrupts()
    leave_no_core()
    write_utf8()
    context.obj = config_path
