"""`python -m tests.fuzz --inputs 1000000`: mutated inputs for every edge; exits with 1 if one reveals a fault of ours.

The inputs are divided among the edges; the routes, which are slow, get a twentieth. Prints how many each was given.
"""

import sys
import time
import traceback
from random import Random

import click

ROUTES, SHARE = "routes", 20


@click.command()
@click.option("--inputs", default=1_000_000, show_default=True, help="of all edges together")
@click.option("--seed", default="1", show_default=True)
@click.option("--only", help="one edge: all inputs for it")
@click.option("--repeat", metavar="SEED", help="with --only: one input again, with its traceback")
@click.option("--database", help="address of an empty database for the routes  [default: a new SQLite file]")
@click.option("--minutes", type=float, default=float("inf"), help="begin no input later than this, an edge")
def main(inputs: int, seed: str, only: str | None, repeat: str | None, database: str | None, minutes: float) -> None:
    """Throw inputs that are nearly right at everything that reads what strangers send."""
    from tests.fuzz.edges import EDGES
    from tests.fuzz.http import routes
    from tests.fuzz.run import run

    edges = {**EDGES, ROUTES: lambda: routes(database)}
    if only is not None and repeat is not None:
        edges[only]()(Random(repeat))
        return
    found = 0
    for name, made in edges.items() if only is None else [(only, edges[only])]:
        share = (
            inputs if only else inputs // SHARE if name == ROUTES else inputs * (SHARE - 1) // SHARE // len(EDGES) + 1
        )
        ran = run(made(), share, seed, time.monotonic() + 60 * minutes)
        told = (
            f"{ran.inputs:,} inputs in {ran.seconds:.0f} s, the slowest {ran.slowest:.2f} s, {len(ran.faults)} faults"
        )
        click.echo(f"{name}: {told}")
        for fault in ran.faults:
            click.echo(
                f"  --only {name} --repeat {fault.seed}: "
                + traceback.format_exception_only(fault.error)[-1].strip()[:400]
            )
        found += len(ran.faults)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
