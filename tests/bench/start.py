"""Start-up time: `dm-feedback --help`, and `dm-feedback serve` in an empty folder until its first 2xx.

python -m tests.bench start
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from tests.bench import load
from tests.processes.children import ROOT, cli, until
from tests.processes.site import Site

GOALS_S = {"--help": 0.5, "serve": 2.0}


@click.command()
@click.option("--rounds", default=5, show_default=True)
def main(rounds: int) -> None:
    """Time both, after a first run that compiles."""
    click.echo(load.machine())
    for name, once in (("--help", _help), ("serve", _serve)):
        took = [once() for _ in range(rounds + 1)][1:]
        click.echo(f"{name}: median {statistics.median(took):.2f} s, worst {max(took):.2f}; goal {GOALS_S[name]}")


def _help() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "service.cli", "--help"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _serve() -> float:
    with tempfile.TemporaryDirectory(prefix="dmf-bench-") as folder:
        directory = Path(folder)
        site = Site(directory, f"sqlite:///{directory}/feedback.db").write()
        began = time.perf_counter()
        with cli("serve", directory, "--config", str(site.config), "serve") as child:
            until(lambda: load.answers(site.web_port), 60, "the web answers", every_s=0.01)
            took = time.perf_counter() - began
            child.terminate(30)
    return took
