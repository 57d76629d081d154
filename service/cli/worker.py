"""Running it: one worker."""

import click

from service import worker as worker_loop
from service.cli.common import opened


@click.command()
@click.pass_context
def worker(context: click.Context) -> None:
    """Run one worker alone: it writes to customers and collects answers. Start as many as you like."""
    settings, engine = opened(context)
    worker_loop.run(settings, engine)
