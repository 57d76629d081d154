"""Moves some accounts into another cluster while both work: afterwards they live there, proven, or it is refused.

Passes run while both clusters work; meanwhile the target neither writes to the accounts' customers nor counts or
reports what has arrived. For the final pass no process on either side may have the accounts in its settings, and the
proxy in front holds their deliveries back (deploy/proxy). The accounts are then marked gone here before they are opened
there: never active in both.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service import migrations
from service.accounts import moving as standing
from service.auth import log_access
from service.copying import of_accounts
from service.copying.known import known_again
from service.copying.moving import CarriedTable, ProvenTable, alive_in, carry, carry_and_prove, demand_two, unhurried
from service.copying.numbering import keep_apart
from service.copying.rows import Rows
from service.copying.same_keys import demand_same_keys
from service.db import reading, writing
from service.db.outages import AWAY
from service.encrypting import in_force
from service.errors import Conflict, NotFound
from service.models import feedback_request, process_count
from service.partitions.delivery_keys import Tell
from service.requests import seals

pct = process_count.c
Wait = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class AccountMove:
    """Accounts, and the sources that report on them and on nobody else."""

    accounts: tuple[str, ...]
    sources: frozenset[str]

    @property
    def tables(self) -> tuple[Rows, ...]:
        """What is carried."""
        return of_accounts.tables_of(self.accounts, self.sources)

    @property
    def served(self) -> frozenset[str]:
        """What no process may have in its settings at the end."""
        return frozenset({f"accounts.{name}" for name in self.accounts} | {f"sources.{name}" for name in self.sources})


def begin(source: Engine, target: Engine, accounts: Collection[str], secret: str, now: datetime) -> AccountMove:
    """Prepare the target for the accounts. Raises Conflict, NotFound, Unavailable with the reason why not."""
    _demand_databases(source, target)
    move = _move_of(source, accounts)
    _demand_free(target, move)
    demand_same_keys(source, target, secret)
    keep_apart(source, target, move.tables)
    with reading(target) as theirs:
        waiting = [name for name in move.accounts if name not in standing.moved(theirs)]
    if waiting:
        with writing(target) as theirs:
            standing.say(theirs, waiting, standing.ARRIVING, now)
    return move


def pass_over(
    source: Engine, target: Engine, move: AccountMove, tell: Tell, wait: Wait = time.sleep
) -> list[CarriedTable]:
    """Write to the target what differs from one snapshot of the source, which keeps working."""
    _demand_unserved(target, move, "of --to", wait)
    return carry(source, target, move.tables, tell)


def finish(
    source: Engine, target: Engine, move: AccountMove, tell: Tell, actor: str, now: datetime, wait: Wait = time.sleep
) -> list[ProvenTable]:
    """Copy the rest, prove it, and activate the accounts there. Raises Conflict, and then nothing has moved."""
    _demand_unserved(target, move, "of --to", wait)
    _demand_unserved(source, move, "that is left", wait)
    with writing(source) as ours:
        standing.say(ours, move.accounts, standing.GONE, now)
    try:
        proven = carry_and_prove(source, target, move.tables, tell)
    except BaseException:  # an outage or Ctrl-C, too: else nobody would work for them on either side
        with suppress(*AWAY), writing(source) as ours:
            standing.say(ours, move.accounts, None, now)
        raise
    known_again(target, tell)
    while _let_in(target, move):
        pass
    with writing(target) as theirs:
        migrations.set_floor(theirs)
        standing.say(theirs, move.accounts, None, now)
        log_access(theirs, actor, "accounts.arrived", {"accounts": list(move.accounts)}, now)
    with writing(source) as ours:
        log_access(ours, actor, "accounts.left", {"accounts": list(move.accounts)}, now)
    return proven


def _let_in(target: Engine, move: AccountMove) -> bool:
    with writing(target) as theirs:
        return seals.let_in(theirs, move.accounts)


def forget(engine: Engine, accounts: Sequence[str], tell: Tell, actor: str, now: datetime) -> None:
    """Delete what is left of accounts that moved away. Safe to repeat. Raises Conflict for one that lives here."""
    with reading(engine) as connection:
        here = sorted(set(accounts) - set(standing.moved(connection)))
        sources = of_accounts.sources_of(connection, accounts)
    if here:
        sentence = f"{', '.join(here)}: not carried over to another database from here, so nothing is deleted."
        raise Conflict("account_is_here", sentence)
    with writing(engine) as connection:  # before the first is deleted: whoever does this may stop at any of them
        log_access(connection, actor, "accounts.forgotten", {"accounts": list(accounts)}, now)
    carried = [each for each in of_accounts.tables_of(accounts, sources) if not each.once]
    for each in (*reversed(carried), of_accounts.counted_of(accounts)):
        if each.table.name != "account_state":
            _delete(engine, each, tell)
    with writing(engine) as connection:
        standing.forget(connection, accounts)
        seals.begin_epoch(connection, now)


def _delete(engine: Engine, rows: Rows, tell: Tell) -> None:
    gone = 0
    with unhurried(engine) as connection:
        for some in rows.walk_keys(connection):
            with writing(engine) as changed:
                rows.take_out(changed, some)
            gone += len(some)
            tell(rows.table.name, gone)


def _demand_databases(source: Engine, target: Engine) -> None:
    if {source.dialect.name, target.dialect.name} != {"postgresql"}:
        sentence = "Accounts go from one PostgreSQL to another. Carry an SQLite ledger over whole, without --accounts."
        raise Conflict("copy_accounts_postgresql", sentence)
    demand_two(source, target)
    migrations.require_fitting(source)
    if migrations.current(target) is None:
        migrations.upgrade(target)
    migrations.require_fitting(target)
    if migrations.current(source) != migrations.current(target):
        sentence = "The two databases are at different revisions: run `dm-feedback db upgrade` on both."
        raise Conflict("copy_schema", sentence)


def _move_of(source: Engine, accounts: Collection[str]) -> AccountMove:
    with reading(source) as ours:
        if unknown := sorted(set(accounts) - standing.known(ours, accounts)):
            raise NotFound("unknown_account", f"This database has no account '{unknown[0]}'.")
        sources = of_accounts.sources_of(ours, accounts)
        others = of_accounts.beside(ours, accounts, sources)
    if others:
        told = ", ".join(f"{name} of {account}" for name, account in others)
        sentence = (
            f"A source goes to one cluster, with all of its accounts, and these tell of others as well: {told}. "
            "Name those accounts too, or give them a source of their own."
        )
        raise Conflict("copy_shared_source", sentence)
    return AccountMove(tuple(accounts), sources)


def _demand_free(target: Engine, move: AccountMove) -> None:
    """Refuse accounts that already live there, or left rows there earlier. Raises Conflict."""
    with reading(target) as theirs:
        moved = standing.moved(theirs)
        for name in move.accounts:
            if moved.get(name) == standing.GONE:
                sentence = (
                    f"What {name} left in the database of --to is still there: `dm-feedback db forget-accounts {name}`."
                )
                raise Conflict("copy_left_behind", sentence)
            if name not in moved and _has_requests(theirs, name):
                raise Conflict("copy_account_there", f"{name} is already in the database given by --to.")


def _has_requests(connection: Connection, account: str) -> bool:
    query = sa.select(feedback_request.c.id).where(feedback_request.c.account == account).limit(1)
    return connection.scalar(query) is not None


def _demand_unserved(engine: Engine, move: AccountMove, which: str, wait: Wait) -> None:
    """Refuse while a process there has the accounts or their sources in its settings. Raises Conflict."""
    if alive := alive_in(partial(_serving, engine, move), wait):
        sentence = (
            f"{', '.join(alive)} of the cluster {which} have {', '.join(sorted(move.served))} in their settings, or do "
            "not say what they have: take those out, let the processes read their settings, and run this again."
        )
        raise Conflict("copy_still_served", sentence)


def _serving(engine: Engine, move: AccountMove) -> Mapping[str, datetime]:
    query = sa.select(pct.name, pct.seen_at, pct.serves).where(pct.name != in_force.GONE)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return {row.name: row.seen_at for row in rows if row.serves is None or move.served & set(row.serves)}
