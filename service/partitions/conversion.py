"""Converts a table into its own first partition, step by step, while web and workers run.

Each step is a commit of its own and looks at what is there, so an interrupted conversion continues where it stopped.
First a constraint that every row lies before a moment at least a week away; then the database validates it row by row,
which blocks nobody; then the keys are written; finally the names are swapped within milliseconds, because what was
validated is not scanned again. Code that cannot work with the result is kept from starting before that. Never moves a
row and never reads one's contents.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db import reading, writing
from service.db.partitioned import look_again, partitioned_tables
from service.db.postgresql import demand_owner, take_your_time
from service.db.table_locks import patiently
from service.encrypting.in_force import is_alive
from service.errors import Conflict, Invalid, Unavailable
from service.migrations import PARTED_FROM, set_floor
from service.models import metadata, process_count
from service.partitions import creation, delivery_keys, owner_functions
from service.partitions.catalog import FIRST, REST, UpperBound, room_name, room_of
from service.partitions.cuts import TableCut, cuts
from service.partitions.delivery_keys import Tell
from service.settings.sections import Privacy

ROOM_FOR = timedelta(days=7)
OTHER_ROWS = "23514"
DELIVERIES = "webhook_delivery"


def turn(engine: Engine, privacy: Privacy, now: datetime, tell: Tell) -> Iterator[str]:
    """Partition what is not partitioned yet and create pieces ahead; yield a sentence per step. Raises Conflict."""
    _demand_postgresql(engine)
    with writing(engine) as connection:
        demand_owner(connection, "transition")
        owner_functions.make_functions(connection)
    for cut in cuts(privacy).values():
        if not _is_whole(engine, cut):
            continue
        yield from _turn_one(engine, cut, now, tell)
    for cut in cuts(privacy).values():
        for name in creation.make(engine, cut, now, patient=True):
            yield f"{name}: made ahead"


def _turn_one(engine: Engine, cut: TableCut, now: datetime, tell: Tell) -> Iterator[str]:
    with reading(engine) as connection:
        _demand_new_code(connection, now)
    room = patiently(engine, partial(_promise, cut=cut, now=now))
    yield f"{cut.table}: all its rows are older than {room.until:%Y-%m-%d}"
    if not room.proven:
        _prove(engine, cut)
    if cut.table == DELIVERIES:
        patiently(engine, delivery_keys.watch)
        yield f"{cut.table}: {delivery_keys.fill(engine, now - cut.keep, tell)} keys stand apart"
    patiently(engine, partial(_turn_over, cut=cut, now=now))
    look_again(engine)
    with writing(engine) as connection:
        take_your_time(connection)
        connection.exec_driver_sql(f"ANALYZE {cut.table}")  # nobody else ever analyses a partitioned table
    yield f"{cut.table}: lies in partitions from now on"


def _demand_postgresql(engine: Engine) -> None:
    """Refuse where there are no partitions. Raises Invalid."""
    if engine.dialect.name != "postgresql":
        sentence = "Partitions are PostgreSQL's; SQLite does without. `dm-feedback db copy` carries a ledger over."
        raise Invalid("partitions_of_postgresql", sentence)


def _demand_new_code(connection: Connection, now: datetime) -> None:
    """Refuse while older code runs, which would look for repeated deliveries in the wrong place."""
    pct = process_count.c
    running = sa.select(pct.role, pct.name, pct.revision).where(is_alive(now)).order_by(pct.name)
    rows = connection.execute(running).all()
    old = [f"{row.role} {row.name}" for row in rows if (row.revision or "") < PARTED_FROM]
    if old:
        sentence = (
            f"{', '.join(old)} run code that knows no partitions: end the upgrade first, and run this again half a "
            "minute later, when those that have ended are forgotten."
        )
        raise Conflict("processes_without_partitions", sentence)


def _is_whole(engine: Engine, cut: TableCut) -> bool:
    with reading(engine) as connection:
        return cut.table not in partitioned_tables(connection)


def _promise(connection: Connection, cut: TableCut, now: datetime) -> UpperBound:
    """Add the constraint that no row is later. One whose moment is near is replaced."""
    found = room_of(connection, cut)
    if found is not None and found.until > now + creation.TRAP:
        return found
    _no_room(connection, cut)
    until = cut.end_of_piece(now + ROOM_FOR)
    check = f"CHECK ({cut.column} < '{cut.bound(until)}') NOT VALID"
    connection.exec_driver_sql(f"ALTER TABLE {cut.table} ADD CONSTRAINT {room_name(cut)} {check}")
    return UpperBound(until, proven=False)


def _no_room(connection: Connection, cut: TableCut) -> None:
    connection.exec_driver_sql(f"ALTER TABLE {cut.table} DROP CONSTRAINT IF EXISTS {room_name(cut)}")


def _prove(engine: Engine, cut: TableCut) -> None:
    """Let the database validate every row while others read and write. Raises Unavailable."""
    try:
        with writing(engine) as connection:
            take_your_time(connection)
            connection.exec_driver_sql(f"ALTER TABLE {cut.table} VALIDATE CONSTRAINT {room_name(cut)}")
    except sa.exc.IntegrityError as error:
        if getattr(error.orig, "sqlstate", "") != OTHER_ROWS:
            raise
        sentence = f"{cut.table} holds rows whose {cut.column} does not begin with their time; it cannot be cut."
        raise Unavailable("rows_of_no_time", sentence) from error


def _locked(connection: Connection, table: str) -> list[tuple[str, str]]:
    """Lock a table and those with foreign keys to it; return the foreign keys: table and name.

    In the order in which everybody writes them, referenced tables first.
    """
    ties = sa.text(
        "SELECT conrelid::regclass::text, conname, confrelid::regclass::text FROM pg_constraint"
        " WHERE contype = 'f' AND to_regclass(:table) IN (conrelid, confrelid)"
    )
    found = connection.execute(ties, {"table": table}).all()
    for each in dict.fromkeys([*(to for _, _, to in found), table]):
        connection.exec_driver_sql(f"LOCK TABLE {each} IN ACCESS EXCLUSIVE MODE")
    return [(of, name) for of, name, _ in found]


def _turn_over(connection: Connection, cut: TableCut, now: datetime) -> None:
    """Replace the table by a partitioned one with the table as its first partition. Raises Conflict."""
    table, first, rest = cut.table, f"{cut.table}_{FIRST}", f"{cut.table}_{REST}"
    ties, room = _locked(connection, table), room_of(connection, cut)
    if table in partitioned_tables(connection) or room is None or not room.proven:
        return  # another one was here
    _demand_new_code(connection, now)  # again: what came before this may have taken hours
    for of, tie in ties:  # dropping a piece would lock the other table too
        connection.exec_driver_sql(f"ALTER TABLE {of} DROP CONSTRAINT {tie}")
    if table == DELIVERIES:
        delivery_keys.unwatch(connection)
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT uq_webhook_delivery_source_dedupe_key")
    shared = _renamed(connection, table, first)
    like = f"LIKE {first} INCLUDING DEFAULTS INCLUDING STORAGE"
    connection.exec_driver_sql(f"CREATE TABLE {table} ({like}) PARTITION BY RANGE ({cut.column})")
    owner_functions.hand_on(connection, first, table)
    for sequence, column in _numbered(connection, first):
        connection.exec_driver_sql(f"ALTER SEQUENCE {sequence} OWNED BY {table}.{column}")
    for index in shared:
        connection.exec_driver_sql(index)
    if list(metadata.tables[table].primary_key.columns.keys()) == [cut.column]:
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY ({cut.column})")
    bounds = f"FROM (MINVALUE) TO ('{cut.bound(room.until)}')"
    connection.exec_driver_sql(f"ALTER TABLE {table} ATTACH PARTITION {first} FOR VALUES {bounds}")
    connection.exec_driver_sql(f"ALTER TABLE {first} DROP CONSTRAINT {room_name(cut)}")
    connection.exec_driver_sql(f"CREATE TABLE {rest} (LIKE {first} INCLUDING ALL EXCLUDING CONSTRAINTS)")
    connection.exec_driver_sql(f"ALTER TABLE {table} ATTACH PARTITION {rest} DEFAULT")
    set_floor(connection)


def _renamed(connection: Connection, table: str, first: str) -> list[str]:
    """Rename the table and its indexes; return the statements for indexes the new table needs too."""
    found = connection.execute(
        sa.text(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisunique FROM pg_index"
            " WHERE indrelid = to_regclass(:table)"
        ),
        {"table": table},
    ).all()
    connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {first}")
    for name, _, _ in found:
        connection.exec_driver_sql(f"ALTER INDEX {name} RENAME TO {name}_{FIRST}")
    # uniqueness only holds within a piece
    return [text for _, text, unique in found if not unique]


def _numbered(connection: Connection, table: str) -> list[tuple[str, str]]:
    """The sequence behind a table's numbers, and its column."""
    serial = sa.text(
        "SELECT pg_get_serial_sequence(:table, attname), attname FROM pg_attribute"
        " WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped"
    )
    return [(name, column) for name, column in connection.execute(serial, {"table": table}) if name is not None]
