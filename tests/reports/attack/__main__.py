"""`python -m tests.reports.attack --ledgers 500`: attacks random ledgers; exits with 1 if one told too much.

Prints findings as they come, then what was tried of each shape.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from time import monotonic

import click
from sqlalchemy.engine import make_url

from tests.reports.attack.attacker import AttackResult, Reading, attack
from tests.reports.attack.collect import collect
from tests.reports.attack.html import collect as over_html
from tests.reports.attack.http import collect as over_http
from tests.reports.attack.play import database_for_once, emptied

AT_TIMES = 10
READ: dict[str, Reading] = {"http": over_http, "html": over_html, "direct": collect}


@click.command()
@click.option("--ledgers", default=500, show_default=True)
@click.option(
    "--first", default=0, show_default=True, help="seed of the first ledger; the same seed is the same ledger"
)
@click.option("--read", type=click.Choice([*READ]), default="http", show_default=True, help="how figures are read")
@click.option("--database", help="PostgreSQL, 'attack' in its name; emptied for each ledger")
@click.option("--minutes", type=float, default=float("inf"), help="begin no ledger later than this")
def main(ledgers: int, first: int, read: str, database: str | None, minutes: float) -> None:
    """Attack random ledgers, and print what was found and how much was read."""
    if database and "attack" not in str(make_url(database).database):
        raise click.UsageError("The name of the --database must have 'attack' in it: everything in it is dropped.")
    opened = partial(emptied, database) if database else database_for_once
    seeds = range(first, first + ledgers)
    every = list(_attacked(seeds, partial(attack, read=READ[read], opened=opened), monotonic() + 60 * minutes))
    shapes: dict[str, list[AttackResult]] = defaultdict(list)
    for each in every:
        shapes[each.shape].append(each)
    for shape, those in sorted(shapes.items()):
        click.echo(f"{shape}: {_line(those)}")
    click.echo(f"all: {_line(every)}")
    sys.exit(not every or not all(each.nothing for each in every))


def _attacked(seeds: Iterable[int], attacking: Callable[[int], AttackResult], until: float) -> Iterator[AttackResult]:
    for seed in seeds:
        if monotonic() > until:
            return
        found = attacking(seed)
        if not found.nothing:
            click.echo(f"seed {seed} ({found.shape}): {found.leaks} {found.misread[:3]}")
        if seed % AT_TIMES == 0:
            click.echo(f"seed {seed} is done", err=True)
        yield found


def _line(those: Sequence[AttackResult]) -> str:
    """What was found, and in how much of what was tried."""
    small, misread = sum(len(each.leaks) for each in those), sum(len(each.misread) for each in those)
    return (
        f"{len(those)} ledgers, {sum(each.answers for each in those):,} answers: "
        f"{small} small sets around {sum(each.tried for each in those):,} cells, "
        f"{misread} misread of {sum(each.figures for each in those):,} figures, "
        f"{sum(each.bounded for each in those)} bounded of {sum(each.sampled for each in those):,} cells"
    )


if __name__ == "__main__":
    main()
