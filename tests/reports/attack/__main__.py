"""`python -m tests.reports.attack --ledgers 500`: random ledgers attacked; ends with 1 if one gave way."""

import sys
from collections import Counter

import click

from tests.reports.attack.attacker import Found, attack


@click.command()
@click.option("--ledgers", default=500, show_default=True)
@click.option(
    "--first", default=0, show_default=True, help="seed of the first ledger; the same seed is the same ledger"
)
def main(ledgers: int, first: int) -> None:
    """Attack random ledgers, and print what was found and how much was read."""
    every: list[Found] = []
    for seed in range(first, first + ledgers):
        found = attack(seed)
        every.append(found)
        if not found.nothing:
            click.echo(f"seed {seed} ({found.shape}): {found.leaks} {found.misread[:3]}")
    totals = Counter[str]()
    for each in every:
        totals.update(
            answers=each.answers, released=each.released, figures=each.figures, misread=len(each.misread),
            small_sets=len(each.leaks), cells_tried=each.tried, bounded=each.bounded, bounds_asked=each.sampled,
        )  # fmt: skip
    click.echo(f"{ledgers} ledgers: " + ", ".join(f"{name} {n:,}" for name, n in totals.items()))
    sys.exit(not all(each.nothing for each in every))


if __name__ == "__main__":
    main()
