"""Ledgers that many tests begin with: filled once per process and kind of database, then copied for each test.

Takes an engine on an empty migrated database, a name, and a function that fills it; inserts the same rows in a tenth of
the time and returns a copy of what the function returned (plain data). Tests never share a ledger.
"""

from collections.abc import Callable
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.engine import Engine

from tests import postgresql

Said = TypeVar("Said")


@dataclass(frozen=True, slots=True)
class Cast:
    """What `fill` returned, and a function that copies its rows into a database."""

    said: Any
    pour: Callable[[Any], None]


CASTS: dict[tuple[str, str], Cast] = {}


def poured(engine: Engine, name: str, fill: Callable[[], Said]) -> Said:
    """Put into this database what `fill` would; return what it returned."""
    key = (engine.dialect.name, name)
    if key in CASTS:
        with closing(engine.raw_connection()) as connection:
            CASTS[key].pour(connection.driver_connection)
            connection.commit()
        again: Said = deepcopy(CASTS[key].said)
        return again
    said = fill()
    with closing(engine.raw_connection()) as connection:
        cast = _of_sqlite if engine.dialect.name == "sqlite" else _of_postgresql
        CASTS[key] = Cast(deepcopy(said), cast(connection.driver_connection))
    return said


def _of_sqlite(connection: Any) -> Callable[[Any], None]:
    kept = type(connection)(":memory:")
    connection.backup(kept)
    copy: Callable[[Any], None] = kept.backup
    return copy


def _of_postgresql(connection: Any) -> Callable[[Any], None]:
    kept = postgresql.contents_of(connection)
    return lambda other: postgresql.put(other, kept)
