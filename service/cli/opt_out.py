"""The opt-out list: people whom nobody asks."""

from pathlib import Path

import click

from service.auth import log_access
from service.cli.common import CommandGroup, account_of, console, demand_x_user_ids, me, now, opened
from service.customers import opted_out as stored
from service.customers.hash_key import open_key
from service.db import reading, writing
from service.errors import Invalid, NotFound
from service.humanize import many

BATCH = 1000


@click.group(name="opt-out", cls=CommandGroup)
def opt_out() -> None:
    """People who do not want to be asked. Stored as keyed hashes, never as ids."""


@opt_out.command()
@click.argument("x_user_ids", nargs=-1, required=True)
@click.option("--account", default=stored.EVERY_ACCOUNT, show_default=True, help="One account, or '*' for all.")
@click.option("--reason", default="asked_by_customer", show_default=True)
@click.pass_context
def add(context: click.Context, x_user_ids: tuple[str, ...], account: str, reason: str) -> None:
    """Put people on the list, by their numeric X user ids."""
    if reason == stored.ERASED:
        sentence = f"'{reason}' is the reason of an erasure: use `dm-feedback erase`, or give another reason."
        raise Invalid("reason_of_an_erasure", sentence)
    _add(context, list(x_user_ids), account, reason)


@opt_out.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--account", default=stored.EVERY_ACCOUNT, show_default=True)
@click.pass_context
def import_file(context: click.Context, file: Path, account: str) -> None:
    """Put everybody in a file on the list: one numeric X user id per line."""
    # what is not UTF-8 is no id either, and is told of like every other wrong line
    lines = file.read_text("utf-8-sig", "replace").splitlines()
    ids = [line.strip() for line in lines if line.strip()]
    _add(context, ids, account, "imported")


@opt_out.command()
@click.argument("x_user_id")
@click.option("--account", default=stored.EVERY_ACCOUNT, show_default=True)
@click.pass_context
def remove(context: click.Context, x_user_id: str, account: str) -> None:
    """Take a person off the list."""
    settings, engine = opened(context)
    hash_key = open_key(engine, settings.service.secret_key)
    with writing(engine) as connection:
        if not stored.remove(connection, x_user_id, hash_key=hash_key, account=account):
            raise NotFound("not_opted_out", f"This person is not on the list for '{account}'.")
        log_access(connection, me(), "opt_out.remove", {"account": account}, now())
    console.print("Taken off the list.")


@opt_out.command()
@click.pass_context
def count(context: click.Context) -> None:
    """Show how many entries the list has."""
    _, engine = opened(context)
    with reading(engine) as connection:
        console.print(f"{many(stored.count(connection), 'entry', 'entries')}")


def _add(context: click.Context, ids: list[str], account: str, reason: str) -> None:
    settings, engine = opened(context)
    ids = list(dict.fromkeys(ids))  # an export names a person more than once
    demand_x_user_ids(ids)
    if account != stored.EVERY_ACCOUNT:
        account_of(settings, account)
    added, hash_key = 0, open_key(engine, settings.service.secret_key)
    for start in range(0, len(ids), BATCH):
        with writing(engine) as connection:
            new = stored.add(
                connection, ids[start : start + BATCH], hash_key=hash_key, account=account,
                reason=reason[:64], by=me(), now=now(),
            )  # fmt: skip
            # in the same commit: whoever is on the list, the audit says who put them there
            log_access(connection, me(), "opt_out.add", {"added": new, "account": account}, now())
        added += new
    console.print(f"{added} added, {len(ids) - added} were on the list before.")
