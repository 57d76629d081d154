"""Many rows in one SQL statement, whose text is the same for one row and for a hundred.

All rows travel as one JSON text that the database unfolds itself. So a batch of deliveries costs as much as one: one
text to build, one plan, one round trip. Knows no table and opens no transaction.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.at_rest.columns import Encrypted, keyring_of, row_of, stored
from service.at_rest.ids import EncryptedId
from service.db import Micros, to_micros
from service.db.postgresql import PLANNED_ANEW

Row = tuple[Any, ...]
Convert = Callable[[Any], Any]
TEXT, BYTES = "TEXT", "BYTEA"
KINDS: tuple[tuple[type[Any], str], ...] = (
    (Micros, "BIGINT"),
    (sa.JSON, "JSON"),
    (sa.LargeBinary, BYTES),
    (sa.Boolean, "BOOLEAN"),
    (sa.Integer, "BIGINT"),
    (sa.String, TEXT),  # not VARCHAR(n): a cast to it would cut what is too long instead of refusing it
)
TO_PLAIN: tuple[tuple[type[Any], Convert], ...] = ((Micros, to_micros), (sa.JSON, json.dumps))


@dataclass(frozen=True)
class BulkInsert:
    """INSERT of many rows into the table of `columns`; `ending` may say ON CONFLICT."""

    columns: tuple[sa.Column[Any], ...]
    ending: str = ""

    def run(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Insert `rows` in their order and return how many went in."""
        if not rows:
            return 0
        postgresql = connection.dialect.name == "postgresql"
        given = _plain(self._encrypt(connection, rows), self._for_postgresql if postgresql else self._for_sqlite)
        statement = self._postgresql if postgresql else self._sqlite
        return connection.exec_driver_sql(statement, (_as_json(given, named=postgresql),)).rowcount

    def _encrypt(self, connection: Connection, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows with encrypted columns encrypted, if that is turned on."""
        keyring = keyring_of(connection.dialect)
        if keyring is None or keyring.active is None or not (self._encrypted or self._ids):
            return rows
        key_id, encrypted = keyring.active, [list(row) for row in rows]
        for row, source in zip(encrypted, rows, strict=True):
            for place, ids in self._ids:
                row[place] = ids.encrypt(keyring, source[place])
            for place, kind, by in self._encrypted:
                if source[place]:
                    row[place] = kind.encrypt(keyring, source[place], row_of(*(source[each] for each in by)), key_id)
        return [tuple(row) for row in encrypted]

    @cached_property
    def _ids(self) -> list[tuple[int, EncryptedId]]:
        """The positions of ids that may be encrypted."""
        return [(place, each.type) for place, each in enumerate(self.columns) if isinstance(each.type, EncryptedId)]

    @cached_property
    def _encrypted(self) -> list[tuple[int, Encrypted, list[int]]]:
        """The positions of encrypted columns, and the columns of their row's key."""
        at = {each.name: place for place, each in enumerate(self.columns)}
        return [
            (at[each.name], each.type, [at[name] for name in each.type.by])
            for each in self.columns
            if isinstance(each.type, Encrypted)
        ]

    @cached_property
    def _for_postgresql(self) -> list[Convert | None]:
        return [_converter(each, lambda body: f"\\x{body.hex()}") for each in self.columns]

    @cached_property
    def _for_sqlite(self) -> list[Convert | None]:
        return [_converter(each, bytes.hex) for each in self.columns]

    @cached_property
    def _head(self) -> str:
        return f"INSERT INTO {self.columns[0].table.name} ({', '.join(each.name for each in self.columns)})"

    @cached_property
    def _postgresql(self) -> str:
        values = ", ".join(f"v{n}::{_kind(each)}" for n, each in enumerate(self.columns))
        return f"{self._head} SELECT {values} FROM json_to_recordset(%s::JSON) AS given ({self._given}) {self.ending}"  # noqa: S608 - names of ours

    @cached_property
    def _given(self) -> str:
        # JSON within JSON travels as a text, or it would be unfolded too
        kinds = enumerate(map(_kind, self.columns))
        return ", ".join(f"v{n} {TEXT if kind == 'JSON' else kind}" for n, kind in kinds)

    @cached_property
    def _sqlite(self) -> str:
        values = ", ".join(
            f"unhex(value ->> {n})" if _kind(each) == BYTES else f"value ->> {n}" for n, each in enumerate(self.columns)
        )
        # WHERE: without one, SQLite takes ON CONFLICT for the ON of a join
        return f"{self._head} SELECT {values} FROM json_each(?) WHERE true {self.ending}"  # noqa: S608 - names of ours


@dataclass(frozen=True)
class BulkInsertNewKeys(BulkInsert):
    """The same, but only for rows whose key is new; keys are in a table of their own, filled by the same statement.

    `keys`: columns of that table, including its primary key; `filled_by`: the columns that fill them; `this`: the one
    of `keys` that differs between the rows of a statement. PostgreSQL only.
    """

    keys: tuple[sa.Column[Any], ...] = ()
    filled_by: tuple[sa.Column[Any], ...] = ()
    this: str = ""

    @cached_property
    def _postgresql(self) -> str:
        table, into = self.keys[0].table, ", ".join(each.name for each in self.keys)
        unique = ", ".join(each.name for each in table.primary_key)
        filling = {key.name: column for key, column in zip(self.keys, self.filled_by, strict=True)}
        at = {each.name: f"v{n}::{_kind(each)}" for n, each in enumerate(self.columns)}
        known = ", ".join(at[column.name] for column in filling.values())
        return (
            f"WITH given AS MATERIALIZED (SELECT * FROM json_to_recordset(%s::JSON) AS given ({self._given})), "  # noqa: S608 - names of ours
            f"known AS (INSERT INTO {table.name} ({into}) SELECT {known} FROM given "
            f"ON CONFLICT ({unique}) DO NOTHING RETURNING {self.this}) "
            f"{self._head} SELECT {', '.join(at.values())} FROM given "
            f"WHERE {at[filling[self.this].name]} IN (SELECT {self.this} FROM known)"
        )


@dataclass(frozen=True)
class BulkSelect:
    """SELECT for many keys of two texts each; each part of `text` starts from `{wanted}`, with columns a and b.

    `ids`: the kind of the second texts if they are ids that may be encrypted; then the second column found is one too.
    """

    text: str
    ids: EncryptedId | None = None

    def rows(self, connection: Connection, keys: Sequence[tuple[str, str]]) -> list[Row]:
        """Return what is found for any of the keys."""
        if not keys:
            return []
        keyring, ids = keyring_of(connection.dialect), self.ids
        if keyring is not None and ids is not None:
            keys = [(first, form) for first, second in keys for form in keyring.forms(second, ids.kind)]
        postgresql = connection.dialect.name == "postgresql"
        statement = self._postgresql if postgresql else self._sqlite
        given = (_as_json(keys, named=postgresql),) * self.text.count("{wanted}")
        found = connection.exec_driver_sql(statement, given, PLANNED_ANEW)
        if keyring is None or ids is None:
            return [tuple(each) for each in found]
        return [(first, ids.read(keyring, second), *rest) for first, second, *rest in found]

    @cached_property
    def _postgresql(self) -> str:
        given = "SELECT v0 AS a, v1 AS b FROM json_to_recordset(%s::JSON) AS given (v0 TEXT, v1 TEXT)"
        return self.text.format(wanted=f"({given}) AS wanted JOIN")

    @cached_property
    def _sqlite(self) -> str:
        # CROSS: from the few keys to the many rows, never the other way round
        return self.text.format(
            wanted="(SELECT value ->> 0 AS a, value ->> 1 AS b FROM json_each(?)) AS wanted CROSS JOIN"
        )


def _kind(column: sa.Column[Any]) -> str:
    return next(name for kind, name in KINDS if isinstance(stored(column.type), kind))


def _converter(column: sa.Column[Any], of_bytes: Convert) -> Convert | None:
    if isinstance(stored(column.type), sa.LargeBinary):
        return of_bytes
    return next((to for kind, to in TO_PLAIN if isinstance(stored(column.type), kind)), None)


def _plain(rows: Sequence[Row], converters: Sequence[Convert | None]) -> list[Row]:
    """Rows with values that JSON can hold."""
    columns = (
        values if to is None else [None if each is None else to(each) for each in values]
        for values, to in zip(zip(*rows, strict=True), converters, strict=True)
    )
    return list(zip(*columns, strict=True))


def _as_json(rows: Sequence[Row], *, named: bool) -> str:
    """Rows as one text: lists, or objects of v0, v1, … for PostgreSQL, which finds columns by name."""
    if not named:
        return json.dumps(rows)
    names = [f"v{n}" for n in range(len(rows[0]))]
    return json.dumps([dict(zip(names, row, strict=True)) for row in rows])
