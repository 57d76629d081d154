"""Opens every encrypted value and reports what lies under which key, and what does not open.

Reads everything, a few rows at a time, and changes nothing. `scrub` rewrites the files, so that no page keeps older
values.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.at_rest.columns import Encrypted, ring_of, row_of
from service.at_rest.ids import LockedId
from service.at_rest.ring import MARK_OF_IDS, Ring
from service.db import reading
from service.db.postgresql import demand_owner
from service.db.table_locks import BUSY
from service.encrypting.rewriting import TABLES, as_it_lies, key_of, raw, read_of
from service.errors import Conflict, Unavailable

SHOWN = 20
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class CheckedColumn:
    """How many values are encrypted under which key (None: plain), and the rows with values of other places."""

    column: str
    lies: Mapping[str | None, int]
    refused: Sequence[str]


@dataclass
class _Count:
    lies: Counter[str | None] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)


def check(engine: Engine) -> Iterator[CheckedColumn]:
    """Decrypt every value."""
    ring = ring_of(engine.dialect) or Ring(())
    for table in TABLES:
        for column in table.c:
            if isinstance(column.type, Encrypted):
                counted = _counted(engine, ring, column, column.type)
                yield CheckedColumn(column.type.place, counted.lies, counted.refused)
            if isinstance(column.type, LockedId):
                counted = _counted_ids(engine, ring, column, column.type)
                yield CheckedColumn(str(column), counted.lies, counted.refused)


def _counted(engine: Engine, ring: Ring, column: sa.Column[Any], kind: Encrypted) -> _Count:
    counted = _Count()
    row_of_it = [raw(column.table.c[name]) for name in kind.by]
    query = sa.select(as_it_lies(column, engine.dialect.name), *row_of_it).where(column.is_not(None))
    with reading(engine) as connection:
        for read, *row in connection.execute(query, execution_options={"yield_per": AT_ONCE}):
            given = read_of(column, read)
            counted.lies[key_of(ring, given)] += bool(given)
            try:
                kind.opened(ring, row_of(*row), given)
            except Unavailable:
                counted.refused.append(row_of(*row).replace("\x1f", ", "))
    return counted


def _counted_ids(engine: Engine, ring: Ring, column: sa.Column[Any], kind: LockedId) -> _Count:
    counted = _Count()
    query = sa.select(raw(column), *(raw(each) for each in column.table.primary_key)).where(column.is_not(None))
    with reading(engine) as connection:
        for given, *row in connection.execute(query, execution_options={"yield_per": AT_ONCE}):
            counted.lies[ring.under if given.startswith(MARK_OF_IDS) else None] += bool(given)
            try:
                ring.open_id(given, kind.kind)
            except Unavailable:
                counted.refused.append(", ".join(map(str, row)))
    return counted


def scrub(engine: Engine) -> None:
    """Rewrite the files of the encrypted tables, so that they hold no older values. Raises Conflict."""
    if engine.dialect.name == "postgresql":
        with reading(engine) as connection:
            demand_owner(connection, TABLES[0].name)
    outside = engine.execution_options(isolation_level="AUTOCOMMIT")
    with outside.connect() as connection:
        raw_connection = connection.connection.cursor()
        if engine.dialect.name == "postgresql":
            raw_connection.execute("SET statement_timeout = 0")
            for table in TABLES:
                raw_connection.execute(f"VACUUM FULL {table.name}")
        else:
            raw_connection.execute("VACUUM")
            held, *_ = raw_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if held:  # by somebody who still reads what was there before
                raise Conflict("table_busy", BUSY)
        raw_connection.close()
