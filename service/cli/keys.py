"""Keys for people and tools: create, rotate, list, revoke."""

import re
from collections.abc import Iterable
from datetime import timedelta

import click
from marshmallow import ValidationError

from service import migrations
from service.auth import ROLES, log_access
from service.auth import keys as stored
from service.cli.common import (
    CommandGroup,
    account_of,
    console,
    engine_of,
    me,
    now,
    opened,
    settings_of,
    table_of,
    when,
)
from service.clock import rfc3339
from service.customers import hash_key
from service.db import reading, writing
from service.errors import Conflict, Invalid, NotFound
from service.settings.values import Duration

OLD_SECRET = "DM_FEEDBACK_OLD_SECRET_KEY"  # noqa: S105 - a variable's name


class Span(click.ParamType[timedelta]):
    """A span of time as the settings write it."""

    name = "span"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it, or say what would be right."""
        if isinstance(value, timedelta):
            return value
        try:
            return Duration().deserialize(value)
        except ValidationError as error:
            self.fail(str(error.messages[0] if isinstance(error.messages, list) else error.messages), param, ctx)


@click.group(cls=CommandGroup)
def keys() -> None:
    """Keys for people and tools: supervisors, analysts, monitors, admins. Agents get none."""


@keys.command()
@click.option("--name", required=True, help="Who uses it; the access log shows it.")
@click.option("--role", type=click.Choice(list(ROLES)), default="supervisor", show_default=True,
              help=" ".join(f"{role}: {may}." for role, may in ROLES.items()))  # fmt: skip
@click.option("--account", "accounts", multiple=True, help="Only this account; may be repeated. Default: all.")
@click.option("--route", "routes", multiple=True, help="Only this path and below, e.g. /v1/summary; may be repeated.")
@click.option("--network", "networks", multiple=True, help="Only from this network, e.g. 10.0.0.0/8; may be repeated.")
@click.option("--expires", "lasts", type=Span(), help="When it expires, e.g. 90d. Default: never.")
@click.pass_context
def create(
    context: click.Context, name: str, role: str, accounts: tuple[str, ...], routes: tuple[str, ...],
    networks: tuple[str, ...], lasts: timedelta | None,
) -> None:  # fmt: skip
    """Make a key and show it once."""
    settings, engine = opened(context)
    for account in accounts:
        account_of(settings, account)
    _demand_served(routes)
    bounds = stored.Bounds(routes, networks, None if lasts is None else now() + lasts)
    expires_at = None if bounds.expires_at is None else rfc3339(bounds.expires_at)
    detail = {"name": name, "role": role, "accounts": list(accounts), "routes": routes, "networks": networks,
              "expires_at": expires_at}  # fmt: skip
    with writing(engine) as connection:
        key = stored.create(connection, name, role, accounts, now(), bounds)
        log_access(connection, me(), "key.create", detail | {"key": stored.public_id(key)}, now())
    _show_once(key)


def _demand_served(routes: Iterable[str]) -> None:
    """Refuse a path that leads nowhere: a key bound to it would open nothing. Raises Invalid."""
    asked = [each for each in routes if each.startswith("/")]
    if not asked:
        return
    from service.cli.openapi import paths  # the whole service, which takes a second that other commands do not wait

    there = [each for each in paths() if "<path:" not in each]
    wrong = next((each for each in asked if not any(_is_at_or_above(each, path) for path in there)), None)
    if wrong is not None:
        heads = ("/".join(each.split("/")[: 3 if each.startswith("/v1/") else 2]) for each in there)
        told = ", ".join(dict.fromkeys(heads))
        raise Invalid("bad_route", f"There is no path '{wrong[:40]}'; there are {told}, and what lies below.")


def _is_at_or_above(route: str, path: str) -> bool:
    """Whether a key bound to the route may call the path, as `Reader.may_call` has it."""
    head = "/".join(path.split("/")[: route.count("/") + 1])
    return head.startswith(f"{route}.") or re.fullmatch(re.sub("<[^>]*>", "[^/]+", head), route) is not None


def _show_once(key: str) -> None:
    click.echo(key)
    click.echo("Keep it now: it is stored as a digest and cannot be shown again.", err=True)


@keys.command()
@click.argument("key_id")
@click.option("--overlap", type=Span(), default="24h", show_default=True, help="How long the old key stays valid.")
@click.pass_context
def rotate(context: click.Context, key_id: str, overlap: timedelta) -> None:
    """Make a new key with the same rights and show it once; the old one ends after the overlap."""
    _, engine = opened(context)
    key_id = stored.id_of(key_id)  # what was pasted may be the whole key
    with writing(engine) as connection:
        key = stored.rotate(connection, key_id, overlap, now())
        detail = {"key": key_id, "new_key": stored.public_id(key), "overlap_s": int(overlap.total_seconds())}
        log_access(connection, me(), "key.rotate", detail, now())
    _show_once(key)


@keys.command(name="list")
@click.pass_context
def show(context: click.Context) -> None:
    """Show all keys without their secrets."""
    _, engine = opened(context)
    table = table_of("id", "name", "role", "accounts", "bound to", "created", "last used", "expires", "revoked")
    with reading(engine) as connection:
        for key in stored.listed(connection):
            table.add_row(
                key.id, key.name, key.role, ", ".join(key.accounts) or "all",
                ", ".join([*key.bounds.routes, *key.bounds.networks]) or "-", when(key.created_at),
                when(key.last_used_at) or "never", when(key.bounds.expires_at) or "never", when(key.revoked_at),
            )  # fmt: skip
    console.print(table)


@keys.command()
@click.argument("key_id")
@click.pass_context
def revoke(context: click.Context, key_id: str) -> None:
    """End a key at once."""
    _, engine = opened(context)
    key_id = stored.id_of(key_id)
    with writing(engine) as connection:
        if not stored.revoke(connection, key_id, now()):
            raise NotFound("unknown_key", f"There is no valid key '{key_id}'; see `dm-feedback keys list`.")
        log_access(connection, me(), "key.revoke", {"key": key_id}, now())
    console.print(f"The key {key_id} is no longer valid.")


@keys.command(name="rotate-secret")
@click.option("--old-secret", envvar=OLD_SECRET, prompt="The old service.secret_key", hide_input=True,
              help=f"The secret used until now; asked for if the variable {OLD_SECRET} is not set.")  # fmt: skip
@click.pass_context
def rotate_secret(context: click.Context, old_secret: str) -> None:
    """Change to the service.secret_key that is in the settings now. The opt-out list stays valid."""
    settings = settings_of(context)
    engine = engine_of(context, settings)
    migrations.require_fitting(engine)
    with writing(engine) as connection:
        if not hash_key.rotate(connection, old_secret, settings.service.secret_key):
            raise Conflict("secret_in_use", "The secret in the settings is already in use; there is nothing to change.")
        log_access(connection, me(), "secret.rotate", {}, now())
    console.print("The new secret is now in use: restart every web and worker process.")
