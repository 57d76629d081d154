"""Runs one worker. SIGHUP makes it read the settings again, finish what is under way and start anew."""

import os
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread

import click

from service.cli.common import now, opened_to_stay
from service.process import set_on_stop
from service.reload import reread
from service.startup import note_settings
from service.worker import loop

OURS = Path(__file__).parents[2]


@click.command()
@click.pass_context
def worker(context: click.Context) -> None:
    """Run one worker, which writes to customers and collects answers. Start as many as you like."""
    settings, engine = opened_to_stay(context, withheld=())
    note_settings(settings, engine, now())
    told_to_stop, stop = Event(), Event()
    set_on_stop(told_to_stop, stop)
    begin_anew = partial(_begin_anew, Path(context.find_root().obj), stop)
    # in a thread of its own: a command that fetches a secret may take its time, and sending goes on meanwhile
    signal.signal(signal.SIGHUP, lambda *_: Thread(target=begin_anew, name="reread", daemon=True).start())
    left = loop.run(settings, engine, stop)
    if not told_to_stop.is_set():
        # -P: what lies in the working directory is not imported, unless we were begun from there
        safe = () if _begun_from_the_checkout() else ("-P",)
        words = (*safe, "-m", "service.cli", "--config", context.find_root().obj, "worker")
        os.execv(sys.executable, [sys.executable, *words])  # noqa: S606 - ourselves
    if left:  # Python would wait for the threads in which X hangs
        sys.stderr.flush()
        os._exit(0)


def _begun_from_the_checkout() -> bool:
    with suppress(FileNotFoundError):  # the folder may have been removed since
        return Path.cwd() == OURS
    return False


def _begin_anew(path: Path, stop: Event) -> None:
    """Stop as on SIGTERM, to restart with new settings; continue with the old ones if those are wrong."""
    if reread(path) is not None:
        stop.set()
