"""Keeps the sequence numbers of two PostgreSQL databases apart.

A database that receives accounts starts a number range of its own, from its first row on. So rows keep their numbers
when they move, and whatever refers to them still holds.
"""

import secrets
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import REGCLASS
from sqlalchemy.engine import Connection, Engine

from service.copying.rows import Rows
from service.db import reading, writing
from service.errors import Conflict

ROOM = 10**12
RANGES = 8_000  # ranges of that size below what every reader of JSON keeps exactly, 2**53


def keep_apart(source: Engine, target: Engine, tables: Iterable[Rows]) -> None:
    """Give the target a number range of its own. Raises Conflict if it has rows in the source's range."""
    begin = ROOM * (1 + secrets.randbelow(RANGES))
    with reading(source) as ours, writing(target) as theirs:
        for table in numbered(each.table for each in tables):
            if _range(ours, table) != _range(theirs, table):
                continue
            if Rows(table).count(theirs):
                sentence = (
                    f"Both databases number {table.name} from the same number on. A further cluster begins with an "
                    "empty database, into which the first accounts are carried before anything runs there."
                )
                raise Conflict("copy_numbers", sentence)
            theirs.execute(sa.select(sa.func.setval(sequence(table), begin)))


def numbered(tables: Iterable[sa.Table]) -> list[sa.Table]:
    """Return the tables whose rows the database numbers."""
    found = dict.fromkeys(tables)
    return [
        each
        for each in found
        if each.autoincrement_column is not None and isinstance(each.autoincrement_column.type, sa.Integer)
    ]


def sequence(table: sa.Table) -> sa.Function[str]:
    """The sequence of a table's row numbers; NULL if it has none."""
    column = table.autoincrement_column
    assert column is not None
    return sa.func.pg_get_serial_sequence(table.name, column.name, type_=sa.String())


def last(connection: Connection, table: sa.Table) -> int | None:
    """Return the last number given to a row of a table, None if there was none."""
    if connection.dialect.name != "postgresql":
        return connection.scalar(sa.select(sa.func.max(table.autoincrement_column)))
    return connection.scalar(sa.select(sa.func.pg_sequence_last_value(sa.cast(sequence(table), REGCLASS))))


def _range(connection: Connection, table: sa.Table) -> int:
    return (last(connection, table) or 0) // ROOM
