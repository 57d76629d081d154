"""`python -m tests.chaos`: one run and its figures; the exit code says whether the promises held."""

import json
import signal
import sys
from pathlib import Path

import click
from rich.console import Console


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql", "cluster"]), default="sqlite", show_default=True)
@click.option("--workers", type=click.IntRange(1, 32), default=4, show_default=True)
@click.option("--conversations", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--kills", type=click.IntRange(0), default=20, show_default=True, help="processes hit by SIGKILL")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--seconds", type=float, help="how long the load lasts  [default: by conversations and kills]")
@click.option("--scale", type=click.IntRange(1, 150), default=60, show_default=True, help="X's spans of time, 1:SCALE")
@click.option("--keep", type=click.Path(path_type=Path), help="a folder for settings, database and logs")
@click.option("--tools", type=click.Path(path_type=Path), help="a folder for dlt, which then mirrors as well")
@click.option("--figures", type=click.Path(path_type=Path), help="a file for the figures, as JSON")
def main(
    database: str, workers: int, conversations: int, kills: int, seed: int, seconds: float | None, scale: int,
    tools: Path | None, **files: Path | None,
) -> None:  # fmt: skip
    """Kill everything at random while conversations end, and count what was lost or sent twice."""
    from tests.chaos.run import run
    from tests.chaos.view import show
    from tests.outside.integrations import DLT
    from tests.outside.tools import Tools

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the children end with us
    console = Console()
    found = run(
        database, workers=workers, conversations=conversations, kills=kills, seed=seed, scale=scale, keep=files["keep"],
        seconds=seconds or max(10.0, conversations / 20, 3.0 * kills), console=console,
        dlt=Tools(tools.absolute()).python("dlt", *DLT) if tools else None,
    )  # fmt: skip
    show(console, found)
    if files["figures"] is not None:
        files["figures"].write_text(json.dumps(found.as_json(), indent=2) + "\n", "utf-8")
    sys.exit(0 if found.verdict.holds else 1)


main()
