"""`python -m tests.soak --minutes 60`: a steady load with X's faults; exits with 1 if something grew or was lost."""

import signal
import sys

import click


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
@click.option("--minutes", type=float, default=60.0, show_default=True)
@click.option("--rate", type=float, default=8.0, show_default=True, help="conversations a second")
@click.option("--every", "every_s", type=float, default=10.0, show_default=True, help="seconds between samples")
@click.option("--seed", type=int, default=1, show_default=True)
def main(database: str, minutes: float, rate: float, every_s: float, seed: int) -> None:
    """Keep real processes under load, and look whether anything grows that should not."""
    from tests.soak.gauges import Sample
    from tests.soak.run import quarters, soak

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the children end with us

    def show(one: Sample) -> None:
        connections = "" if one.connections is None else f", {one.connections} connections"
        click.echo(
            f"{one.at_s:6.0f} s: {one.rss_mb:.0f} MB, {one.handles} handles, {one.threads} threads{connections}, "
            f"WAL {one.wal_mb:.1f} MB, taken in {one.accept_p50_ms:.1f} ms (p99 {one.accept_p99_ms:.0f}), "
            f"read in {one.read_p50_ms:.0f}, nothing in {one.noop_p50_ms:.1f}, {one.cpu_s:.0f} s of processor; own MB: "
            + ", ".join(f"{name} {mb:.0f}" for name, mb in one.own_mb.items())
        )

    found = soak(database, minutes=minutes, rate=rate, every_s=every_s, seed=seed, show=show)
    click.echo(f"answers: {dict(found.answers)}")
    for line in quarters(found):
        click.echo(line)
    click.echo(f"grown: {', '.join(found.grown) or 'nothing'}; restarts: {found.restarts}; {found.verdict}")
    sys.exit(0 if found.verdict.holds and not found.grown and not found.restarts else 1)


if __name__ == "__main__":
    main()
