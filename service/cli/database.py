"""The database: upgrade, status, restored."""

import click

from service import migrations
from service.auth import log_access
from service.cli.common import console, engine_of, me, now, opened, settings_of
from service.db import writing
from service.requests import seals
from service.settings import X_TOKENS


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
@click.pass_context
def upgrade(context: click.Context) -> None:
    """Bring the schema to the newest revision. Safe to repeat, also after an interruption.

    The version before may run meanwhile and after: the schema it knows is still there.
    """
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
    migrations.require_fitting(engine)


@db.command()
@click.confirmation_option(prompt="Every mirror of this database reads everything anew after this. Go on?")
@click.pass_context
def restored(context: click.Context) -> None:
    """Say that this database was put back from a backup. Run it before the service starts again.

    A backup does not know the changes that were told after it was made, and would give their numbers to others: a
    mirror that goes on from its old cursor would miss those. So every cursor of /v1/changes and every resume_cursor of
    a list ends: it is answered 410, and the mirror begins again without one. Nothing else changes.
    """
    _, engine = opened(context, X_TOKENS)
    with writing(engine) as connection:
        epoch = seals.begin_epoch(connection, now())
        log_access(connection, me(), "db.restored", {"epoch": epoch}, now())
    console.print("A new order of changes has begun: cursors given before are answered 410, changes_begin_anew.")
    console.print("Mirrors begin again without a cursor, and forget the rows that do not come again.")
