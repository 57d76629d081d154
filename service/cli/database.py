"""The database: upgrade, status."""

import click

from service import migrations
from service.cli.common import console, engine_of, settings_of
from service.settings import X_TOKENS


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
@click.pass_context
def upgrade(context: click.Context) -> None:
    """Bring the schema to the newest revision. Safe to repeat, also after an interruption."""
    engine = engine_of(context, settings_of(context, X_TOKENS))
    before = migrations.current(engine)
    after = migrations.upgrade(engine)
    console.print(
        f"The schema is at {after}." if before == after else f"The schema went from {before or 'nothing'} to {after}."
    )


@db.command()
@click.pass_context
def status(context: click.Context) -> None:
    """Show the revision, and whether this code can work with it."""
    engine = engine_of(context, settings_of(context, X_TOKENS))
    console.print(f"database {migrations.current(engine) or 'empty'}, code {migrations.head()}")
    migrations.require_head(engine)
