"""Deletes or empties what is too old, in small commits.

A table is walked in the order of its key, some thousand rows at a time, however many are due: statements do not grow
with a backlog, transactions are short, and a run that is stopped half-way keeps what it has done. Safe to repeat and to
run several times at once. Knows no table.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db.as_stored import after, among, stored_key
from service.db.transactions import reading, writing

AT_ONCE = 2000
Condition = sa.ColumnElement[bool]
Keys = Sequence[tuple[Any, ...]]
Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Overdue:
    """A kind of rows: which of them are too old, and how to delete those a condition selects; None: a plain DELETE."""

    name: str
    table: sa.Table
    old: Condition
    forget: Callable[[Connection, Condition], int] | None = None
    among: Condition | None = None  # only these can be old; limits the partitions to look into


def never() -> bool:
    """Never stop early."""
    return False


def count(engine: Engine, kind: Overdue) -> int:
    """Return how many rows are too old. Changes nothing."""
    return sum(len(keys) for keys in _steps(engine, kind))


def forget(engine: Engine, kind: Overdue, stop: Stop = never) -> int:
    """Delete all rows that are too old, until `stop` says so; return how many."""
    gone, take = 0, kind.forget or partial(_deleted, kind.table)
    for keys in _steps(engine, kind):
        if stop():
            break
        if keys:
            with writing(engine) as connection:
                # checked again: somebody else may have been here since
                gone += take(connection, sa.and_(among(kind.table, keys), kind.old))
    return gone


def _deleted(table: sa.Table, connection: Connection, those: Condition) -> int:
    return connection.execute(sa.delete(table).where(those)).rowcount


def _steps(engine: Engine, kind: Overdue) -> Iterator[Keys]:
    """The keys of rows that are too old, a stretch of the table at a time."""
    key = stored_key(kind.table)
    found = sa.select(*key, sa.case((kind.old, 1), else_=0)).order_by(*key).limit(AT_ONCE)
    found = found if kind.among is None else found.where(kind.among)
    page = _read(engine, found)
    while page:
        yield [tuple(row[:-1]) for row in page if row[-1]]
        if len(page) < AT_ONCE:
            return
        page = _read(engine, found.where(after(kind.table, page[-1][:-1])))


def _read(engine: Engine, page: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
    with reading(engine) as connection:
        return connection.execute(page).all()
