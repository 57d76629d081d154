"""Copies a whole ledger to another database and proves that both hold the same, or refuses with a sentence.

A pass reads one snapshot of the source and writes what differs, so it can be interrupted, repeated, and run while web
and workers go on. The last pass runs when nothing uses the source any more. Until then the target carries a schema
revision that no process accepts, and from the last pass on the source does: nobody ever sends from half a ledger or
from the old one.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service import migrations
from service.copying.known import known_again
from service.copying.numbering import last, numbered, sequence
from service.copying.rows import Rows, Stored
from service.db import reading, writing
from service.db.outages import AWAY
from service.encrypting import in_force
from service.errors import Conflict
from service.metrics.totals import KEEP_EVERY
from service.migrations import COPYING, LEAVING, MOVED
from service.models import metadata, process_count, schema_floor, worker_seen
from service.partitions.delivery_keys import Tell

FILLED_BY_MIGRATIONS = frozenset({"access_chain", "change_counter", "naming_place", "schema_floor", "tally_book"})
QUIET = KEEP_EVERY * 3 / 2  # a process that lives has said so by then
PASSES = 20


@dataclass(frozen=True, slots=True)
class CarriedTable:
    """What a pass found of one table."""

    name: str
    rows: int
    written: int
    deleted: int


@dataclass(frozen=True, slots=True)
class ProvenTable:
    """A table whose rows were counted and hashed on both sides."""

    name: str
    rows: int
    hash: str


def every_table() -> tuple[Rows, ...]:
    """Return every table with all its rows, referenced tables first."""
    return tuple(Rows(each) for each in metadata.sorted_tables if each is not schema_floor)


def demand_place(source: Engine, target: Engine) -> None:
    """Prepare the target. Raises Conflict, Unavailable with the reason why not."""
    demand_two(source, target)
    at = migrations.current(source)
    if at not in {migrations.head(), LEAVING, MOVED}:
        migrations.require_fitting(source)
        sentence = (
            f"The database is at revision {at or 'none'}, this code at {migrations.head()}: both must be the same."
        )
        raise Conflict("copy_schema", sentence)
    found = migrations.current(target)
    if found == COPYING:
        return
    if found is not None and (full := _not_empty(target)):
        sentence = f"The database of --to is in use: {', '.join(full)} hold rows. Name one that is empty."
        raise Conflict("copy_not_empty", sentence)
    migrations.upgrade(target)
    migrations.mark(target, COPYING)


def carry(source: Engine, target: Engine, tables: Sequence[Rows], tell: Tell) -> list[CarriedTable]:
    """Write to the target what differs from one snapshot of the source."""
    with unhurried(source) as ours:
        with unhurried(target) as theirs:
            deleted = {each.table.name: _take_out(ours, theirs, target, each) for each in reversed(tables)}
        found = []
        for each in tables:
            rows, written = _put(ours, target, each, tell)
            found.append(CarriedTable(each.table.name, rows, written, deleted[each.table.name]))
    return found


def finish(
    source: Engine, target: Engine, tables: Sequence[Rows], tell: Tell, wait: Callable[[float], None] = time.sleep
) -> list[ProvenTable]:
    """Copy the rest, prove that both hold the same, and make the target the ledger.

    If anything goes wrong, the source is the ledger still, unless it had been left before.
    """
    with _leaving(source):
        proven = carry_and_prove(source, target, tables, tell)
        known_again(target, tell)
        _go_on_numbering(source, target)
        demand_silence(source, wait)  # of who had started just before nothing could start any more
    migrations.mark(target, migrations.head())
    return proven


@contextmanager
def _leaving(source: Engine) -> Iterator[None]:
    """Nothing starts on the source meanwhile, nor afterwards; it is the ledger again if this fails."""
    left_before = migrations.current(source) == MOVED
    if not left_before:
        migrations.mark(source, LEAVING)
    try:
        yield
    except BaseException:
        if not left_before:
            with suppress(*AWAY):
                migrations.mark(source, migrations.head())
        raise
    migrations.mark(source, MOVED)


def carry_and_prove(source: Engine, target: Engine, tables: Sequence[Rows], tell: Tell) -> list[ProvenTable]:
    """Copy until a pass finds nothing, then compare. Raises Conflict if the two differ."""
    for _ in range(PASSES):
        if not any(each.written or each.deleted for each in carry(source, target, tables, tell)):
            break
    return list(prove(source, target, tables))


def prove(source: Engine, target: Engine, tables: Sequence[Rows]) -> Iterator[ProvenTable]:
    """Yield each table's count and hash, equal on both sides. Raises Conflict if they are not."""
    with unhurried(source) as ours, unhurried(target) as theirs:
        for each in (one for one in tables if not one.once):
            mine, other = each.proof(ours), each.proof(theirs)
            if mine != other:
                sentence = (
                    f"{each.table.name}: {mine[0]} rows here, {other[0]} there, and they are not the same. "
                    "Somebody writes to one of the two; stop it and run this again."
                )
                raise Conflict("copy_differs", sentence)
            yield ProvenTable(each.table.name, *mine)


def demand_silence(source: Engine, wait: Callable[[float], None] = time.sleep) -> None:
    """Refuse while a web or worker process lives on the source. Raises Conflict."""
    if alive := alive_in(partial(_heard, source), wait):
        sentence = f"{', '.join(alive)} still run on the database that is copied: stop them, and run this again."
        raise Conflict("copy_still_running", sentence)


def alive_in(heard: Callable[[], Mapping[str, datetime]], wait: Callable[[float], None]) -> list[str]:
    """Return the processes that are still reporting that they are alive."""
    before = heard()
    if before:
        wait(QUIET.total_seconds())
    return sorted(name for name, seen in heard().items() if seen != before.get(name))


def _heard(source: Engine) -> dict[str, datetime]:
    counting = sa.select(process_count.c.name, process_count.c.seen_at).where(process_count.c.name != in_force.GONE)
    working = sa.select(worker_seen.c.name, worker_seen.c.seen_at)
    with reading(source) as connection:
        return {name: seen for query in (counting, working) for name, seen in connection.execute(query)}


def demand_two(source: Engine, target: Engine) -> None:
    """Refuse one database under both addresses, and one that is another application's. Raises Conflict."""
    parts = ("host", "port", "database", "query")
    if all(getattr(source.url, each) == getattr(target.url, each) for each in parts):
        raise Conflict("copy_onto_itself", "Both addresses are the same database; give another one with --to.")
    if migrations.current(target) is None and sa.inspect(target).get_table_names():
        raise Conflict(
            "copy_not_empty",
            "The database given by --to holds another application's tables; use an empty one, or "
            "with --accounts one of dm-feedback.",
        )


def _not_empty(target: Engine) -> list[str]:
    with reading(target) as connection:
        there = set(sa.inspect(connection).get_table_names())
        return [
            each.name
            for each in metadata.sorted_tables
            if each.name in there and each.name not in FILLED_BY_MIGRATIONS and Rows(each).count(connection)
        ]


@contextmanager
def unhurried(engine: Engine) -> Iterator[Connection]:
    """A read transaction that may idle while the other database works; PostgreSQL would end it after a minute."""
    with reading(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield connection


def _put(ours: Connection, target: Engine, rows: Rows, tell: Tell) -> tuple[int, int]:
    seen = written = 0
    for found in rows.walk(ours):
        keys = [rows.key_of(row) for row in found]
        with writing(target) as theirs:
            there = rows.by_key(theirs, keys)
            pairs = [(there.get(key), row) for key, row in zip(keys, found, strict=True)]
            differing = [row for old, row in pairs if (old is None if rows.once else old != row)]
            if differing:
                _demand_own_numbers(rows, theirs, keys)
                rows.put(theirs, differing)
        seen, written = seen + len(found), written + len(differing)
        tell(rows.table.name, seen)
    return seen, written


def _demand_own_numbers(rows: Rows, theirs: Connection, keys: Sequence[Stored]) -> None:
    if not rows.once and (others := rows.of_others(theirs, keys)):
        sentence = (
            f"{rows.table.name}: --to has rows of other accounts under {len(others)} of the numbers that are carried, "
            f"{others[0][0]} is the first. Both have counted from the same number on: nothing was written."
        )
        raise Conflict("copy_numbers", sentence)


def _take_out(ours: Connection, theirs: Connection, target: Engine, rows: Rows) -> int:
    gone = 0
    for some in () if rows.once else rows.walk_keys(theirs):
        if missing := rows.missing(ours, some):
            with writing(target) as changed:
                rows.take_out(changed, missing)
            gone += len(missing)
    return gone


def _go_on_numbering(source: Engine, target: Engine) -> None:
    """Let PostgreSQL's sequences continue from the copied rows."""
    if target.dialect.name != "postgresql":
        return
    with reading(source) as ours, writing(target) as theirs:
        for table in numbered(metadata.sorted_tables):
            if (reached := last(ours, table)) is not None:
                name = sequence(table)
                theirs.execute(sa.select(sa.func.setval(name, reached)).where(name.is_not(None)))
