"""The demo: the whole story on this machine, with a sandbox for X and a played CRM, checked record by record."""

import shutil
import signal
import time
from pathlib import Path

import click
from rich.console import Console

from service.cli.common import errors
from service.demo import play, processes, script
from service.demo.http_call import NobodyAnswered
from service.demo.screen import Screen, kept_running, verdict
from service.process import STOPS, ending_on

FOLDER = Path(".demo")
CROWD = 48
SPREAD_S = 9.0
PLAIN_WIDTH = 120  # of a log, which has no width of its own
console = Console(width=None if Console().is_terminal else PLAIN_WIDTH)


@click.command()
@click.option("--keep", is_flag=True, help="Leave everything running afterwards and say where; Ctrl-C stops it.")
@click.pass_context
def demo(context: click.Context, *, keep: bool) -> None:
    """Play the whole story against the sandbox: nothing to set up, nothing leaves this machine.

    Exits with 0 only if ledger, sandbox and CRM agree, record by record.
    """
    began = time.monotonic()
    folder = _fresh(FOLDER)
    written = script.write(CROWD)
    screen = Screen(console, written)
    screen.opening()
    try:
        with ending_on(*STOPS, signal.SIGHUP):
            context.exit(_play(folder, written, screen, began, keep=keep))
    except (processes.NotReady, NobodyAnswered) as problem:
        errors.print(str(problem), style="red", soft_wrap=True)
        errors.print(f"Logs: {folder}/service.log, {folder}/sandbox.log", soft_wrap=True)
        context.exit(1)
    except KeyboardInterrupt:
        console.print("\nStopped. Nothing is left running.")
        context.exit(128 + signal.SIGINT)


def _play(folder: Path, written: script.Script, screen: Screen, began: float, *, keep: bool) -> int:
    csv = folder / "results.csv"
    with screen.live() as live, play.staged(folder, usual_ports=keep) as staged:
        run = staged.run(written, spread_s=SPREAD_S, watch=screen.watch)
        csv.write_bytes(run.read.csv)
        live.stop()
        screen.closing(run, staged, csv, kept=keep)
        verdict(console, run, time.monotonic() - began)
        if keep:
            kept_running(console, staged)
            _until_ctrl_c()
    return 0 if run.holds else 1


def _until_ctrl_c() -> None:
    try:
        signal.pause()
    except KeyboardInterrupt:
        console.print("\nStopping everything ...")


def _fresh(folder: Path) -> Path:
    """Empty the folder: remains of an earlier run would mislead."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder.resolve()
