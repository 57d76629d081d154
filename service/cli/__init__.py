"""The `dm-feedback` command: in, words; out, what they ask for, or one sentence that says what to do instead.

Each file holds one group of commands. Nothing is decided here: commands call the same functions as web and worker.
"""

import click

from service import __version__
from service.cli import accounts, config, data, database, demo, keys, openapi, opt_out, requests, run, sources
from service.cli.common import Friendly


@click.group(cls=Friendly, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    "config_path",
    envvar="DM_FEEDBACK_CONFIG",
    default="dm-feedback.toml",
    show_default=True,
    help="The settings file; also by the variable DM_FEEDBACK_CONFIG.",
)
@click.version_option(__version__, prog_name="dm-feedback")
@click.pass_context
def main(context: click.Context, config_path: str) -> None:
    """Honest feedback on customer service over X Direct Messages.

    \b
    Try it without access to X:   dm-feedback sandbox   (or, all at once: bash deploy/demo)
    Set it up:                    dm-feedback config example > dm-feedback.toml
                                  dm-feedback config check
                                  dm-feedback keys create --name me --role supervisor
    Run it on one machine:        dm-feedback serve
    See why somebody was (not) asked:  dm-feedback requests show ID
    """  # noqa: D301 - \b is click's mark for "keep these lines"
    context.obj = config_path


for command in (
    run.serve, run.web, run.worker, run.sandbox, demo.demo, database.db, config.config, keys.keys, accounts.accounts,
    sources.sources, sources.deliveries, requests.requests, opt_out.opt_out, data.export, data.results, data.erase,
    data.prune, openapi.openapi,
):  # fmt: skip
    main.add_command(command)
