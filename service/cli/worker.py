"""Running it: one worker. On SIGHUP it reads the settings again, finishes what is under way and begins anew."""

import os
import signal
import sys
from functools import partial
from pathlib import Path
from threading import Event, Thread

import click
import structlog

from service import worker as worker_loop
from service.cli.common import opened_to_stay
from service.intake.definition.load import load_definitions
from service.settings import SettingsError, load

log = structlog.get_logger(__name__)


@click.command()
@click.pass_context
def worker(context: click.Context) -> None:
    """Run one worker alone: it writes to customers and collects answers. Start as many as you like."""
    settings, engine = opened_to_stay(context)
    again = Event()
    reread = partial(_reread, Path(context.find_root().obj), again)
    # in a thread of its own: a command that fetches a secret may take its time, and sending goes on meanwhile
    signal.signal(signal.SIGHUP, lambda *_: Thread(target=reread, name="reread", daemon=True).start())
    worker_loop.run(settings, engine)
    if again.is_set():
        words = ("-m", "service.cli", "--config", context.find_root().obj, "worker")
        os.execv(sys.executable, [sys.executable, *words])  # noqa: S606 - ourselves


def _reread(path: Path, again: Event) -> None:
    """Stop as on SIGTERM, to begin anew; where the new settings are wrong, go on with the old ones and say so."""
    try:
        settings = load(path)
        load_definitions(settings.sources, tuple(settings.accounts))
    except SettingsError as error:
        log.error("settings_not_taken", problems=error.said)  # noqa: TRY400 - no bug
        return
    again.set()
    os.kill(os.getpid(), signal.SIGTERM)
