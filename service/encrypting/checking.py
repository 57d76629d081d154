"""Decrypts every encrypted value and reports how many are under which key, and which do not decrypt.

Reads everything, a few rows at a time, and changes nothing. `scrub` rewrites the files, so that no page keeps older
values.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.at_rest.columns import Encrypted, keyring_of, row_of
from service.at_rest.ids import EncryptedId
from service.at_rest.keyring import ID_MARK, Keyring
from service.db import reading
from service.db.postgresql import demand_owner
from service.db.table_locks import BUSY
from service.encrypting.rewriting import TABLES, key_id_of, raw, stored_sql, stored_value
from service.errors import Conflict, Unavailable

SHOWN = 20
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class CheckedColumn:
    """How many values are encrypted under which key (None: plain), and the rows with values of other places."""

    column: str
    by_key: Mapping[str | None, int]
    refused: Sequence[str]


@dataclass
class _Count:
    by_key: Counter[str | None] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)


def check(engine: Engine) -> Iterator[CheckedColumn]:
    """Decrypt every value."""
    keyring = keyring_of(engine.dialect) or Keyring(())
    for table in TABLES:
        for column in table.c:
            if isinstance(column.type, Encrypted):
                counted = _counted(engine, keyring, column, column.type)
                yield CheckedColumn(column.type.place, counted.by_key, counted.refused)
            if isinstance(column.type, EncryptedId):
                counted = _counted_ids(engine, keyring, column, column.type)
                yield CheckedColumn(str(column), counted.by_key, counted.refused)


def _counted(engine: Engine, keyring: Keyring, column: sa.Column[Any], kind: Encrypted) -> _Count:
    counted = _Count()
    row_of_it = [raw(column.table.c[name]) for name in kind.by]
    query = sa.select(stored_sql(column, engine.dialect.name), *row_of_it).where(column.is_not(None))
    with reading(engine) as connection:
        for read, *row in connection.execute(query, execution_options={"yield_per": AT_ONCE}):
            given = stored_value(column, read)
            counted.by_key[key_id_of(keyring, given)] += bool(given)
            try:
                kind.decrypt(keyring, row_of(*row), given)
            except Unavailable:
                counted.refused.append(row_of(*row).replace("\x1f", ", "))
    return counted


def _counted_ids(engine: Engine, keyring: Keyring, column: sa.Column[Any], kind: EncryptedId) -> _Count:
    counted = _Count()
    query = sa.select(raw(column), *(raw(each) for each in column.table.primary_key)).where(column.is_not(None))
    with reading(engine) as connection:
        for given, *row in connection.execute(query, execution_options={"yield_per": AT_ONCE}):
            counted.by_key[keyring.active if given.startswith(ID_MARK) else None] += bool(given)
            try:
                keyring.decrypt_id(given, kind.kind)
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
