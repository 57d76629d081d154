"""The database: upgrade, status, copy, forget-accounts, partition, restored."""

import click
from sqlalchemy.engine import Engine

from service import migrations
from service.auth import log_access
from service.cli.common import CommandGroup, console, engine_of, errors, me, now, opened, settings_of, when
from service.copying import accounts as moving_accounts
from service.copying import moving
from service.db import open_engine, writing
from service.errors import Invalid
from service.humanize import many
from service.partitions import conversion
from service.process import ending_on, hang_ups
from service.requests import restored as restores
from service.requests import seals

PROGRESS_EVERY = 10_000
COPY_TO = "DM_FEEDBACK_COPY_TO"
ROLES = "Run deploy/roles.sql again where roles are used."


@click.group(cls=CommandGroup)
def db() -> None:
    """The database: its schema, copies, partitions, a restore."""


@db.command()
@click.pass_context
def upgrade(context: click.Context) -> None:
    """Upgrade the schema to the newest revision. Safe to repeat, also after an interruption.

    The previous version may keep running during and after it: the schema it knows is still there.
    """
    engine = engine_of(context, settings_of(context))
    before = migrations.current(engine)
    after = migrations.upgrade(engine)
    if before == after:
        console.print(f"The schema is at {after}.")
        return
    console.print(f"The schema went from {before or 'nothing'} to {after}.")
    if engine.dialect.name == "postgresql":
        console.print(ROLES)


@db.command()
@click.pass_context
def status(context: click.Context) -> None:
    """Show the revision, and whether this code can work with it."""
    engine = engine_of(context, settings_of(context))
    console.print(f"database {migrations.current(engine) or 'empty'}, code {migrations.head()}")
    migrations.require_fitting(engine)


@db.command()
@click.option(
    "--to", required=True, envvar=COPY_TO,
    help=f"The address of the other, empty database. Better in the variable {COPY_TO}, which `ps` does not show.",
)  # fmt: skip
@click.option("--accounts", help="Only these accounts, separated by commas, into a cluster that may already be in use.")
@click.option(
    "--finish", is_flag=True, help="Copy the rest and prove it. Nothing may write to what is copied any more."
)
@click.pass_context
def copy(context: click.Context, to: str, accounts: str | None, *, finish: bool) -> None:
    """Copy everything to another database while the service runs; complete it with --finish.

    Can be interrupted and repeated: what is there already is only compared. Stop web and workers before --finish, and
    put the new address into database.url after it. Counts and hashes of every table are compared; the old database
    stays as it is, marked so that nothing starts on it by mistake.

    With --accounts, from one PostgreSQL to another, both clusters keep working. Before --finish remove the accounts and
    their sources from the settings here; after it, add them to the settings there. deploy/README.md has every step.
    """
    settings = settings_of(context)
    source, target = engine_of(context, settings), open_engine(to)
    context.call_on_close(target.dispose)
    if accounts is not None:
        _copy_accounts(source, target, _names(accounts), settings.service.secret_key, finish=finish)
        return
    moving.demand_place(source, target)
    if not finish:
        _show_carried(moving.carry(source, target, moving.every_table(), _progress))
        return
    moving.demand_silence(source)
    with ending_on(*hang_ups()):  # as Ctrl-C does, which gives the old database back
        proven = moving.finish(source, target, moving.every_table(), _progress)
    _show_proven(proven)
    console.print("Done. Write the other address into database.url and start web and workers there.")


def _copy_accounts(source: Engine, target: Engine, names: tuple[str, ...], secret: str, *, finish: bool) -> None:
    move = moving_accounts.begin(source, target, names, secret, now())
    told_of = f"{', '.join(names)}, with the sources {', '.join(sorted(move.sources)) or '-'}"
    if not finish:
        console.print(f"{told_of}:", soft_wrap=True)
        _show_carried(moving_accounts.pass_over(source, target, move, _progress))
        return
    with ending_on(*hang_ups()):
        proven = moving_accounts.finish(source, target, move, _progress, me(), now())
    _show_proven(proven)
    console.print(f"Done: {told_of} are now in the other database. Add them to the settings there.", soft_wrap=True)


@db.command(name="forget-accounts")
@click.argument("accounts")
@click.confirmation_option(prompt="This deletes what is left here of these accounts. Continue?")
@click.pass_context
def forget_accounts(context: click.Context, accounts: str) -> None:
    """Delete what is left of accounts that `db copy --accounts` has moved to another database.

    Also deletes an abandoned copy from this database. Mirrors of this database start anew.
    """
    _, engine = opened(context)
    moving_accounts.forget(engine, _names(accounts), _progress, me(), now())
    console.print(f"Nothing of {accounts} is left here. Earlier cursors are answered 410, changes_begin_anew.")


def _names(accounts: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name for each in accounts.split(",") if (name := each.strip())))
    if not names:
        raise Invalid("no_account", "Name at least one account.")
    return names


def _progress(table: str, rows: int) -> None:
    if rows % PROGRESS_EVERY == 0:
        errors.print(f"{table}: {many(rows, 'row')} looked at")


def _show_carried(found: list[moving.CarriedTable]) -> None:
    for each in found:
        if each.rows or each.deleted:
            console.print(f"{each.name}: {many(each.rows, 'row')}, {each.written} written, {each.deleted} deleted")
    changed = sum(each.written + each.deleted for each in found)
    console.print(
        f"Copied: {many(changed, 'row')}. Run it again to copy later changes. When few are left: stop web and workers "
        "(for accounts: remove them from the settings), and run it with --finish.",
        soft_wrap=True,
    )


def _show_proven(found: list[moving.ProvenTable]) -> None:
    for each in found:
        console.print(f"{each.name}: {many(each.rows, 'row')}, sha256 sum {each.hash[:16]}…, the same on both sides")


@db.command()
@click.pass_context
def partition(context: click.Context) -> None:
    """Partition deliveries, history and access log by time, so that retention drops whole partitions. PostgreSQL only.

    For a ledger that grows by millions of rows a month. Run it as the user who ran `db upgrade`; web and workers may
    keep running, and it can be interrupted and repeated. From then on the worker creates partitions ahead and drops
    those whose every row is due, so a row may stay a day, or a twentieth of its age, longer. Repeated deliveries are
    recognised by a table of keys for privacy.keep_repeats. Older code will not start here any more; the way back is
    `db copy`.
    """
    settings, engine = opened(context)
    for sentence in conversion.turn(engine, settings.privacy, now(), _progress):
        console.print(sentence)
    with writing(engine) as connection:
        log_access(connection, me(), "db.partition", {}, now())
    console.print(f"Done. {ROLES}")


@db.command()
@click.confirmation_option(prompt="Every mirror of this database will read everything again. Continue?")
@click.pass_context
def restored(context: click.Context) -> None:
    """Tell the service that this database was restored from a backup. Run it before the service starts again.

    Restore an SQLite file while nothing runs, and delete FILE-wal and FILE-shm beside it first: they belong to the lost
    ledger, and SQLite would write their content into this one.

    A backup lacks the changes made after it, and would give their numbers to other changes, which a mirror would then
    miss. So every cursor of /v1/changes and every resume_cursor of a list becomes invalid: it is answered 410, and the
    mirror starts again without one.

    A backup also lacks what was sent after it. So nothing is sent for a conversation that ended before now, until X's
    list of DMs has shown that it was not sent already. What cannot be shown ends `unknown`.

    It also lacks the figures that analysts were shown after it. So they get no new figures for answers from before now,
    nor for weeks that have begun. With two versions of the same figures they could single out a few answers.
    """
    _, engine = opened(context)
    with writing(engine) as connection:
        at = now()
        epoch = seals.begin_epoch(connection, at)
        found = restores.begin(connection, at)
        open_ones = restores.concerned(connection)
        detail = {"epoch": epoch, "known_until": found.known_until.isoformat()}
        log_access(connection, me(), "db.restored", detail, at)
    console.print("A new order of changes has begun: earlier cursors are answered 410, changes_begin_anew.")
    console.print("Mirrors must start again without a cursor, and delete the rows that do not come again.")
    console.print(
        f"This database knows nothing after {when(found.known_until)}. {open_ones} requests are open: each is "
        "looked up at X before anything is sent.",
        soft_wrap=True,
    )
    console.print("It lacks what people asked for since: repeat erasures and opt-outs.")
    console.print(
        "Analysts and feeds get no new figures for answers from before now, nor for weeks that had begun.",
        soft_wrap=True,
    )
