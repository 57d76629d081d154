"""Keys for people and tools that read: create, list, revoke."""

import click
from rich.table import Table

from service import migrations
from service.auth import ROLES, log_access
from service.auth import keys as stored
from service.cli.common import console, engine_of, me, now, opened, settings_of, when
from service.customers import hash_key
from service.db import reading, writing
from service.errors import Conflict, NotFound

OLD_SECRET = "DM_FEEDBACK_OLD_SECRET_KEY"  # noqa: S105 - a variable's name


@click.group()
def keys() -> None:
    """Keys with which supervisors, analysts and admins read. Agents get none."""


@keys.command()
@click.option("--name", required=True, help="Who uses it; the access log shows it.")
@click.option("--role", type=click.Choice(ROLES), default="supervisor", show_default=True,
              help="admin: everything. supervisor: results and comments. analyst: aggregates only.")  # fmt: skip
@click.option("--account", "accounts", multiple=True, help="Only this account; may be repeated. Default: all.")
@click.pass_context
def create(context: click.Context, name: str, role: str, accounts: tuple[str, ...]) -> None:
    """Make a key and show it once."""
    settings, engine = opened(context)
    for account in accounts:
        if account not in settings.accounts:
            raise NotFound("unknown_account", f"There is no account '{account}' in the settings.")
    with writing(engine) as connection:
        key = stored.create(connection, name, role, accounts, now())
        log_access(connection, me(), "key.create", {"name": name, "role": role, "accounts": list(accounts)}, now())
    click.echo(key)
    click.echo("Keep it now: it is stored as a digest and cannot be shown again.", err=True)


@keys.command(name="list")
@click.pass_context
def show(context: click.Context) -> None:
    """Show all keys without their secrets."""
    _, engine = opened(context)
    table = Table(box=None)
    for heading in ("id", "name", "role", "accounts", "created", "last used", "revoked"):
        table.add_column(heading)
    with reading(engine) as connection:
        for key in stored.listed(connection):
            table.add_row(key.id, key.name, key.role, ", ".join(key.accounts) or "all", when(key.created_at),
                          when(key.last_used_at), when(key.revoked_at))  # fmt: skip
    console.print(table)


@keys.command()
@click.argument("key_id")
@click.pass_context
def revoke(context: click.Context, key_id: str) -> None:
    """End a key at once."""
    _, engine = opened(context)
    with writing(engine) as connection:
        if not stored.revoke(connection, key_id, now()):
            raise NotFound("unknown_key", f"There is no valid key '{key_id}'; see `dm-feedback keys list`.")
        log_access(connection, me(), "key.revoke", {"key": key_id}, now())
    console.print(f"The key {key_id} is no longer valid.")


@keys.command(name="rotate-secret")
@click.option("--old-secret", envvar=OLD_SECRET, prompt="The old service.secret_key", hide_input=True,
              help=f"The secret used until now; asked for where the variable {OLD_SECRET} is not set.")  # fmt: skip
@click.pass_context
def rotate_secret(context: click.Context, old_secret: str) -> None:
    """Go over to the service.secret_key that is in the settings now. Nobody on the opt-out list is forgotten."""
    settings = settings_of(context)
    engine = engine_of(context, settings)
    migrations.require_head(engine)
    with writing(engine) as connection:
        if not hash_key.rotate(connection, old_secret, settings.service.secret_key):
            raise Conflict("secret_in_use", "The secret in the settings is in use already; there is nothing to change.")
        log_access(connection, me(), "secret.rotate", {}, now())
    console.print("The secret of the settings is in use now: restart every web and worker process.")
