"""`python -m tests.hardship clock`, `… disk`: exits with 1 if a promise did not hold.

The disk is a small tmpfs and needs root, the clock needs a C compiler. Two to four minutes each.
"""

import signal
import sys

import click


@click.command()
@click.argument("what", type=click.Choice(["clock", "disk"]))
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
@click.option("--x-refuses", is_flag=True, help="X refuses what a wrong clock signs, as it does beyond five minutes")
@click.option("--seed", type=int, default=1, show_default=True)
def main(what: str, database: str, seed: int, *, x_refuses: bool) -> None:
    """Play it once."""
    from tests.hardship import clock, disk

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the children end with us
    found = disk.play(database, seed) if what == "disk" else clock.play(database, seed, x_refuses=x_refuses)
    for line in found.lines():
        click.echo(line)
    sys.exit(0 if found.verdict.holds else 1)


if __name__ == "__main__":
    main()
