"""Running it: one worker. On SIGHUP it reads the settings again, finishes what is under way and begins anew."""

import os
import signal
import sys
from pathlib import Path

import click
import structlog

from service import worker as worker_loop
from service.cli.common import opened
from service.intake.definition.load import load_definitions
from service.settings import SettingsError, load

log = structlog.get_logger(__name__)


@click.command()
@click.pass_context
def worker(context: click.Context) -> None:
    """Run one worker alone: it writes to customers and collects answers. Start as many as you like."""
    settings, engine = opened(context)
    again: list[bool] = []
    signal.signal(signal.SIGHUP, lambda *_: _reread(Path(context.find_root().obj), again))
    worker_loop.run(settings, engine)
    if again:
        words = ("-m", "service.cli", "--config", context.find_root().obj, "worker")
        os.execv(sys.executable, [sys.executable, *words])  # noqa: S606 - ourselves


def _reread(path: Path, again: list[bool]) -> None:
    """Stop as on SIGTERM, to begin anew; where the new settings are wrong, go on with the old ones and say so."""
    try:
        settings = load(path)
        load_definitions(settings.sources, tuple(settings.accounts))
    except SettingsError as error:
        log.error("settings_not_taken", problems=[each.path for each in error.problems])  # noqa: TRY400 - no bug
        return
    again.append(True)
    os.kill(os.getpid(), signal.SIGTERM)
