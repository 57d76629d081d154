"""Ledgers that many tests begin with: filled once a process on each kind of database, poured for everybody after.

In: an engine on a migrated, empty database, a name, and what fills it. Out: the same rows in a tenth of the time, and
a copy of what the filling returned (plain data). What a test does to its ledger is nobody else's.
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
    """What a mould gives each time."""

    said: Any
    pour: Callable[[Any], None]


CASTS: dict[tuple[str, str], Cast] = {}


def poured(engine: Engine, name: str, fill: Callable[[], Said]) -> Said:
    """Have in this database what `fill` puts there; return what it returns."""
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
