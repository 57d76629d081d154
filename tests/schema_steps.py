"""Finds what a migration takes away from code that ran before it: two inspections in, sentences out.

During a rolling upgrade the previous version keeps running. It names the columns it knows, gives no value to others,
relies on each unique key it names in ON CONFLICT, and must not meet a constraint it was not written for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import ReflectedColumn

from service.db import Micros

Names = tuple[str, ...]


@dataclass(frozen=True)
class Held:
    """One column. `given`: the database fills it where a statement does not."""

    kind: str
    length: int | None
    required: bool
    given: bool


@dataclass(frozen=True)
class Shape:
    """One table: its columns, what is unique together, where rows must lead, what is checked."""

    columns: dict[str, Held]
    unique: frozenset[frozenset[str]]
    leads: frozenset[tuple[Names, str]]
    checks: frozenset[str]


Schema = dict[str, Shape]


def inspected(connection: Connection) -> Schema:
    """Ask for all tables at once: asked for one by one, the questions take longer than the steps.

    SQLite is asked one by one whatever we do, but keeps the text of each table and index: what was read of it once is
    not asked for again.
    """
    if connection.dialect.name != "sqlite":
        return _asked(connection, None)
    written = [(str(table), str(text)) for table, text in connection.exec_driver_sql(WRITTEN)]
    new = [table for table, text in written if (table, text) not in READ]
    asked = _asked(connection, new) if new else {}
    READ.update({(table, text): asked[table] for table, text in written if table in asked})
    return {table: READ[table, text] for table, text in written}


WRITTEN = """
SELECT tbl_name, group_concat(sql, ';') FROM (SELECT * FROM sqlite_master ORDER BY name)
WHERE tbl_name NOT LIKE 'sqlite%' AND tbl_name != 'alembic_version' GROUP BY tbl_name
"""
READ: dict[tuple[str, str], Shape] = {}


def _asked(connection: Connection, names: list[str] | None) -> Schema:
    found = sa.inspect(connection)
    keys, columns, unique, indexes, leads, checks = (
        {table: told for (_, table), told in ask(filter_names=names).items()}
        for ask in (
            found.get_multi_pk_constraint, found.get_multi_columns, found.get_multi_unique_constraints,
            found.get_multi_indexes, found.get_multi_foreign_keys, found.get_multi_check_constraints,
        )
    )  # fmt: skip
    return {
        table: _shape(keys[table]["constrained_columns"], columns[table], unique.get(table, []), indexes.get(table, []),
                      leads.get(table, []), checks.get(table, []))
        for table in columns if table != "alembic_version"
    }  # fmt: skip


def _shape(
    key: list[str],
    columns: list[ReflectedColumn],
    unique: list[Any],
    indexes: list[Any],
    leads: list[Any],
    checks: list[Any],
) -> Shape:
    alone = {frozenset(key)}
    alone |= {frozenset(each["column_names"]) for each in unique}
    alone |= {frozenset(map(str, each["column_names"])) for each in indexes if each["unique"]}
    return Shape(
        {each["name"]: _held(each, key) for each in columns},
        frozenset(alone),
        frozenset((tuple(each["constrained_columns"]), each["referred_table"]) for each in leads),
        frozenset(str(each["sqltext"]) for each in checks),
    )


def _held(column: ReflectedColumn, key: list[str]) -> Held:
    kind = column["type"]
    filled = column.get("default") is not None or bool(column.get("autoincrement") is True)
    filled = filled or (isinstance(kind, sa.INTEGER) and key == [column["name"]])  # SQLite counts these up by itself
    return Held(_family(kind), getattr(kind, "length", None), not column["nullable"], filled)


def _family(kind: sa.types.TypeEngine[object]) -> str:
    """INTEGER, BIGINT and our times are one on SQLite and read alike on PostgreSQL."""
    if isinstance(kind, sa.Integer | Micros):
        return "whole number"
    return "text" if isinstance(kind, sa.String) else str(kind)


def taken(before: Schema, after: Schema) -> Iterator[str]:
    """What the step between two schemas takes from the code that ran on the first."""
    for name, was in before.items():
        now = after.get(name)
        if now is None:
            yield f"the table {name} is gone"
            continue
        yield from _columns(name, was, now)
        yield from _rules(name, was, now)


def _columns(table: str, was: Shape, now: Shape) -> Iterator[str]:
    for name, held in was.columns.items():
        then = now.columns.get(name)
        if then is None:
            yield f"{table}.{name} is gone"
        elif then.required and not held.required:
            yield f"{table}.{name} must be given now"
        elif then.kind != held.kind or (then.length or 10**9) < (held.length or 10**9):
            yield f"{table}.{name} holds less or something else"
    for name, held in now.columns.items():
        if name not in was.columns and held.required and not held.given:
            yield f"{table}.{name} is new and has no value of its own"


def _rules(table: str, was: Shape, now: Shape) -> Iterator[str]:
    for key in was.unique - now.unique:
        yield f"{table} is not unique by {', '.join(sorted(key))} any more, which ON CONFLICT may name"
    for key in now.unique - was.unique:
        nulls = [each for each in key if each not in was.columns and not now.columns[each].required]
        if not nulls and not any(each <= key for each in was.unique):
            yield f"{table} must be unique by {', '.join(sorted(key))} now"
    for columns, other in now.leads - was.leads:
        if set(columns) <= set(was.columns):
            yield f"{table}.{', '.join(columns)} must lead to a row of {other} now"
    for check in now.checks - was.checks:
        yield f"{table} is checked now: {check}"
