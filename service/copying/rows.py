"""Rows as they are stored: a table and a condition in, tuples out that are the same for both databases.

Values are carried as they are stored; no key is needed. JSON is carried as text, because JSON null and SQL NULL
differ. Rows are walked by primary key, each database in its own order, since the two sort text differently.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import insert
from service.db.as_stored import after, among, as_stored, stored_key, stored_kind
from service.db.partitioned import CUT_BY, partitioned_tables

AT_ONCE = 500
Stored = tuple[Any, ...]


@dataclass(frozen=True)
class Rows:
    """The rows of a table that are copied. `wanted` selects them; None: all.

    `own`: columns that each database fills itself, with their value for a new row. `once`: rows that both may hold and
    change on their own; an existing one stays as it is.
    """

    table: sa.Table
    wanted: sa.ColumnElement[bool] | None = None
    own: Mapping[str, sa.ColumnElement[Any]] = field(default_factory=dict)
    once: bool = False

    @cached_property
    def columns(self) -> list[sa.Column[Any]]:
        """The columns that are copied."""
        return [each for each in self.table.columns if each.name not in self.own]

    @cached_property
    def key(self) -> list[sa.Column[Any]]:
        """The columns of the primary key."""
        return list(self.table.primary_key.columns)

    def key_of(self, row: Stored) -> Stored:
        """Return the key of a row."""
        return tuple(row[self._places[each.name]] for each in self.key)

    def walk(self, connection: Connection) -> Iterator[list[Stored]]:
        """Yield all rows in batches, in the order of the database."""
        return self._batches(connection, self.columns, self.key_of)

    def walk_keys(self, connection: Connection) -> Iterator[list[Stored]]:
        """Yield the keys of all rows in batches; rows of earlier batches may be deleted meanwhile."""
        return self._batches(connection, self.key, tuple)

    def by_key(self, connection: Connection, keys: Sequence[Stored]) -> dict[Stored, Stored]:
        """Return rows by their keys, whether wanted or not."""
        found = connection.execute(self._select(connection, self.columns).where(among(self.table, keys)))
        rows = [tuple(row) for row in found]
        return {self.key_of(row): row for row in rows}

    def missing(self, connection: Connection, keys: Sequence[Stored]) -> list[Stored]:
        """Return those keys whose rows are missing here or not wanted."""
        here = sa.select(*stored_key(self.table)).where(among(self.table, keys))
        there = {tuple(row) for row in connection.execute(here if self.wanted is None else here.where(self.wanted))}
        return [key for key in keys if key not in there]

    def of_others(self, connection: Connection, keys: Sequence[Stored]) -> list[Stored]:
        """Return those keys under which there are rows that are not wanted."""
        if self.wanted is None:
            return []
        others = sa.select(*stored_key(self.table)).where(among(self.table, keys), sa.not_(self.wanted))
        return [tuple(row) for row in connection.execute(others)]

    def put(self, connection: Connection, rows: Sequence[Stored]) -> None:
        """Write rows, in place of those with their keys."""
        names = [each.name for each in self.columns]
        given = {each.name: _bound(connection, each) for each in self.columns}
        statement = insert(connection, self.table).values({**given, **self.own})
        if self._has_key(connection):
            statement = self._in_place(statement)
        else:
            self.take_out(connection, [self.key_of(row) for row in rows])
        connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])

    def _in_place(self, statement: Any) -> Any:
        key = {each.name for each in self.key}
        rest = {each.name: statement.excluded[each.name] for each in self.columns if each.name not in key}
        if rest and not self.once:
            return statement.on_conflict_do_update(index_elements=self.key, set_=rest)
        return statement.on_conflict_do_nothing()

    def _has_key(self, connection: Connection) -> bool:
        """Whether the database enforces the key: across partitions it can only with the partition column in it."""
        cut_by = CUT_BY.get(self.table.name)
        return [each.name for each in self.key] == [cut_by] or self.table.name not in partitioned_tables(connection)

    def take_out(self, connection: Connection, keys: Sequence[Stored]) -> None:
        """Delete rows by their keys."""
        connection.execute(sa.delete(self.table).where(among(self.table, keys)))

    def count(self, connection: Connection) -> int:
        """Return how many rows are wanted."""
        counted = sa.select(sa.func.count()).select_from(self.table)
        return connection.scalar(counted if self.wanted is None else counted.where(self.wanted)) or 0

    def proof(self, connection: Connection) -> tuple[int, str]:
        """Return how many rows there are, and a hash over all of them that does not depend on their order."""
        rows, total = 0, 0
        for found in self.walk(connection):
            rows += len(found)
            total += sum(int.from_bytes(hashlib.sha256(repr(row).encode()).digest()) for row in found)
        return rows, f"{total % 2**256:064x}"

    @cached_property
    def _places(self) -> dict[str, int]:
        return {each.name: place for place, each in enumerate(self.columns)}

    def _select(self, connection: Connection, columns: Sequence[sa.Column[Any]]) -> sa.Select[Any]:
        return sa.select(*(_read(connection, each) for each in columns))

    def _batches(
        self, connection: Connection, columns: Sequence[sa.Column[Any]], key_of: Callable[[Stored], Stored]
    ) -> Iterator[list[Stored]]:
        found = self._after(connection, columns, None)
        while found:
            yield found
            full = len(found) == AT_ONCE
            found = self._after(connection, columns, key_of(found[-1])) if full else []

    def _after(self, connection: Connection, columns: Sequence[sa.Column[Any]], last: Stored | None) -> list[Stored]:
        query = self._select(connection, columns).order_by(*self.key).limit(AT_ONCE)
        if self.wanted is not None:
            query = query.where(self.wanted)
        if last is not None:
            query = query.where(after(self.table, last))
        return [tuple(row) for row in connection.execute(query)]


def _read(connection: Connection, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    if not isinstance(stored_kind(column), sa.JSON):
        return as_stored(column)
    if connection.dialect.name == "postgresql":
        return sa.cast(column, sa.Text)
    return sa.type_coerce(column, sa.Text)


def _bound(connection: Connection, column: sa.Column[Any]) -> Any:
    kind = stored_kind(column)
    if not isinstance(kind, sa.JSON):
        return sa.bindparam(column.name, type_=kind)
    text = sa.bindparam(column.name, type_=sa.Text)
    return sa.cast(text, sa.JSON) if connection.dialect.name == "postgresql" else text
