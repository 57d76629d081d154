"""Encryption at rest: encrypt, decrypt, status, check, scrub."""

import time

import click
from sqlalchemy.engine import Engine

from service.auth import log_access
from service.cli.common import CommandGroup, console, errors, me, now, opened, when
from service.db import reading, writing
from service.encrypting import checking, existing_rows, key_change
from service.encrypting.in_force import WalkProgress, living, progress

REST_S = 0.01  # between two steps: others write too
LOOK_AGAIN_S = 2.0
HERE_OPTION = click.option("--here", is_flag=True, help="Rewrite the rows in this command, with or without a worker.")


@click.group(cls=CommandGroup)
def privacy() -> None:
    """Encryption at rest: turn it on, change the key, turn it off, see the progress."""


@privacy.command()
@HERE_OPTION
@click.pass_context
def encrypt(context: click.Context, *, here: bool) -> None:
    """Encrypt under the first privacy.encryption_key: comments, notes, DM texts, raw deliveries, customers' ids, names.

    Turns encryption on, or changes the key: put the new key before the old one, restart web and workers, run this as
    the user who ran `db upgrade`. From now on every process writes with it; a worker encrypts existing rows in small
    steps while everything runs. When `privacy status` says that it is done, the old key may leave the settings.
    """
    _, engine = opened(context)
    with writing(engine) as connection:
        key_id = key_change.turn_on(connection, now())
        log_access(connection, me(), "encryption.on", {"key": key_id}, now())
    console.print(f"New values are encrypted under the key {key_id}; existing rows follow.")
    _go_on(engine, here=here)


@privacy.command()
@HERE_OPTION
@click.pass_context
def decrypt(context: click.Context, *, here: bool) -> None:
    """Turn encryption off: everything is stored in plain text again. Keep the keys in the settings until it is done."""
    _, engine = opened(context)
    with writing(engine) as connection:
        key_change.turn_off(connection, now())
        log_access(connection, me(), "encryption.off", {}, now())
    console.print("New values are stored in plain text; existing rows follow.")
    _go_on(engine, here=here)


@privacy.command()
@click.pass_context
def status(context: click.Context) -> None:
    """Show which key is in use, how far existing rows have been changed to it, and what each process writes."""
    _, engine = opened(context)
    with reading(engine) as connection:
        _show(progress(connection))
        for each in living(connection, now()):
            console.print(f"  {each.name}: holds {', '.join(each.held) or 'no key'}, writes {_said(each.under)}")


@privacy.command()
@click.pass_context
def check(context: click.Context) -> None:
    """Decrypt every value and name the rows whose values were changed or moved in the database. Reads everything."""
    _, engine = opened(context)
    wrong = 0
    for each in checking.check(engine):
        lies = ", ".join(f"{number} {_said(key_id)}" for key_id, number in each.by_key.items()) or "nothing"
        console.print(f"{each.column}: {lies}")
        for row in each.refused:
            console.print(f"  row {row}: changed or moved in the database; put it back from a backup", style="yellow")
        wrong += each.wrong
    if wrong:
        console.print(f"{wrong} values were moved or changed.")
        context.exit(1)


@privacy.command()
@click.confirmation_option(prompt="This rewrites the database, and nobody else may use it meanwhile. Continue?")
@click.pass_context
def scrub(context: click.Context) -> None:
    """Rewrite the database's files, so that no page keeps what was there before it was encrypted.

    SQLite: VACUUM, which takes as much memory as the file is large, and empties the log beside it. PostgreSQL: VACUUM
    FULL of the tables concerned, as their owner. Older backups and archived PostgreSQL logs keep what they have.
    """
    _, engine = opened(context)
    checking.scrub(engine)
    console.print("Written anew.")


def _go_on(engine: Engine, *, here: bool) -> None:
    if not here:
        console.print("See `dm-feedback privacy status`; a worker does it, or --here.")
        return
    while (found := _progress(engine)) is not None and found.finished_at is None:
        existing_rows.walk(engine, now, _rest)
        errors.print(f"{found.at_table or 'waiting'}: {found.rewritten} rows rewritten")
        if (found := _progress(engine)) is not None and found.finished_at is None:
            time.sleep(LOOK_AGAIN_S)
    _show(_progress(engine))


def _rest() -> bool:
    time.sleep(REST_S)
    return False


def _progress(engine: Engine) -> WalkProgress | None:
    with reading(engine) as connection:
        return progress(connection)


def _show(found: WalkProgress | None) -> None:
    if found is None:
        console.print("Nothing was ever encrypted here.")
        return
    console.print(f"In force since {when(found.begun_at)}: {_said(found.key_id)}.")
    if found.finished_at is not None:
        console.print(f"Done {when(found.finished_at)}, {found.rewritten} rows rewritten.")
    else:
        place = f"at {found.at_table}, {found.looked_at} rows looked at in this pass" if found.at_table else "waiting"
        console.print(f"Under way: {place}, {found.rewritten} rewritten.")
    if found.refused:
        console.print(
            f"{found.refused} rows hold moved or changed values: `dm-feedback privacy check`.", style="yellow"
        )


def _said(key_id: str | None) -> str:
    return "plainly" if key_id is None else f"under {key_id}"
