"""Running it: everything on one machine, or the web processes alone."""

import os
from functools import partial
from pathlib import Path

import click

from service import migrations, reload, serving
from service.cli.common import console, now, opened, settings_of
from service.encrypting.in_force import engine_of
from service.settings import X_TOKENS
from service.side_by_side import run_side_by_side
from service.startup import demand_fitting, note_settings

GOING_S = 5  # for a predecessor that is still ending what it began


@click.command()
@click.pass_context
def serve(context: click.Context) -> None:
    """Run web and worker on this machine, until Ctrl-C or SIGTERM.

    Upgrades the database first. For several machines run `web` and `worker` separately.
    """
    settings = settings_of(context, withheld=())
    reload.demand_shown(settings)  # a mistake shows here, not in children that die and are begun anew for ever
    serving.demand_free(settings.web.bind)
    engine = engine_of(settings)
    try:
        migrations.upgrade(engine)
        demand_fitting(settings, engine)
    finally:
        engine.dispose()
    path = ["--config", context.find_root().obj]
    console.print(f"dm-feedback on http://{settings.web.bind}  (dashboard: /dashboard, API: /docs, health: /readyz)")
    within = settings.worker.shutdown_within.total_seconds() + 5
    commands = {"web": [*path, "web"], "worker": [*path, "worker"]}
    run = partial(context.find_root().command.main, prog_name="dm-feedback")
    context.exit(run_side_by_side(commands, run, within))


@click.command()
@click.pass_context
def web(context: click.Context) -> None:
    """Run only the web processes: webhooks, API, dashboard."""
    settings, engine = opened(context)
    reload.demand_shown(settings)
    if "LISTEN_FDS" not in os.environ:  # else systemd holds the address for us
        serving.demand_free(settings.web.bind, patience_s=GOING_S)
    note_settings(settings, engine, now())
    engine.dispose()  # each web process opens its own after the fork
    path = Path(context.find_root().obj)
    serving.serve_web(settings, partial(reload.reread, path, reload.demand_shown, X_TOKENS))
