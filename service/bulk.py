"""Many rows in one statement: in, columns and rows; out, SQL whose text is the same for one row and for a hundred.

PostgreSQL unfolds an array a column, SQLite a JSON text. So a group of deliveries costs as many statements as one of
them: one text to build, one plan, one round trip, one stretch without the interpreter's lock. Knows no table and
opens no transaction.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import Micros, to_micros

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
class Into:
    """INSERT of many rows into the table of `columns`; `ending` may say ON CONFLICT."""

    columns: tuple[sa.Column[Any], ...]
    ending: str = ""

    def run(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Insert `rows` in their order and return how many went in."""
        if not rows:
            return 0
        given = zip(*rows, strict=True)
        if connection.dialect.name == "postgresql":
            arrays = tuple(_plain(values, to) for values, to in zip(given, self._plain, strict=True))
            return connection.exec_driver_sql(self._postgresql, arrays).rowcount
        lists = (_plain(values, to) for values, to in zip(given, self._jsonable, strict=True))
        text = json.dumps(list(zip(*lists, strict=True)))
        return connection.exec_driver_sql(self._sqlite, (text,)).rowcount

    @cached_property
    def _plain(self) -> list[Convert | None]:
        return [next((to for kind, to in TO_PLAIN if isinstance(each.type, kind)), None) for each in self.columns]

    @cached_property
    def _jsonable(self) -> list[Convert | None]:
        pairs = zip(self.columns, self._plain, strict=True)
        return [bytes.hex if isinstance(each.type, sa.LargeBinary) else to for each, to in pairs]

    @cached_property
    def _head(self) -> str:
        return f"INSERT INTO {self.columns[0].table.name} ({', '.join(each.name for each in self.columns)})"

    @cached_property
    def _postgresql(self) -> str:
        kinds = [_kind(each) for each in self.columns]
        # an array of JSON would have to be told from one of texts by its reader: the cast comes after it is unfolded
        arrays = ", ".join(f"%s::{TEXT if kind == 'JSON' else kind}[]" for kind in kinds)
        names = ", ".join(f"v{n}" for n in range(len(kinds)))
        values = ", ".join(f"v{n}::{kind}" for n, kind in enumerate(kinds))
        return f"{self._head} SELECT {values} FROM unnest({arrays}) AS given ({names}) {self.ending}"  # noqa: S608 - names of ours

    @cached_property
    def _sqlite(self) -> str:
        values = ", ".join(
            f"unhex(value ->> {n})" if _kind(each) == BYTES else f"value ->> {n}" for n, each in enumerate(self.columns)
        )
        # WHERE: without one, SQLite takes ON CONFLICT for the ON of a join
        return f"{self._head} SELECT {values} FROM json_each(?) WHERE true {self.ending}"  # noqa: S608 - names of ours


@dataclass(frozen=True)
class Among:
    """SELECT for many keys of two texts each; `text` starts from `{wanted}`, a relation with the columns a and b."""

    text: str

    def rows(self, connection: Connection, keys: Sequence[tuple[str, str]]) -> list[Row]:
        """Return what is found for any of the keys."""
        if not keys:
            return []
        if connection.dialect.name == "postgresql":
            arrays = tuple(list(each) for each in zip(*keys, strict=True))
            return [tuple(each) for each in connection.exec_driver_sql(self._postgresql, arrays)]
        return [tuple(each) for each in connection.exec_driver_sql(self._sqlite, (json.dumps(keys),))]

    @cached_property
    def _postgresql(self) -> str:
        return self.text.format(wanted="unnest(%s::TEXT[], %s::TEXT[]) AS wanted (a, b) JOIN")

    @cached_property
    def _sqlite(self) -> str:
        # CROSS: from the few keys to the many rows, never the other way round
        return self.text.format(
            wanted="(SELECT value ->> 0 AS a, value ->> 1 AS b FROM json_each(?)) AS wanted CROSS JOIN"
        )


def _kind(column: sa.Column[Any]) -> str:
    return next(name for kind, name in KINDS if isinstance(column.type, kind))


def _plain(values: Sequence[Any], to: Convert | None) -> list[Any]:
    return list(values) if to is None else [None if each is None else to(each) for each in values]
