"""What a step of the schema takes from code that ran before it: in, two inspections; out, sentences, none for nothing.

Code of the version before goes on during a rolling upgrade. It names the columns it knows, gives no value to those it
does not, relies on each unique key it names in ON CONFLICT, and must not meet a rule it was not written for.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

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
    inspector = sa.inspect(connection)
    return {name: _shape(inspector, name) for name in inspector.get_table_names() if name != "alembic_version"}


def _shape(inspector: sa.Inspector, table: str) -> Shape:
    key = inspector.get_pk_constraint(table)["constrained_columns"]
    unique = {frozenset(key)}
    unique |= {frozenset(each["column_names"]) for each in inspector.get_unique_constraints(table)}
    unique |= {frozenset(map(str, each["column_names"])) for each in inspector.get_indexes(table) if each["unique"]}
    leads = {(tuple(each["constrained_columns"]), each["referred_table"]) for each in inspector.get_foreign_keys(table)}
    checks = {str(each["sqltext"]) for each in inspector.get_check_constraints(table)}
    return Shape(
        {each["name"]: _held(each, key) for each in inspector.get_columns(table)},
        frozenset(unique), frozenset(leads), frozenset(checks),
    )  # fmt: skip


def _held(column: sa.engine.interfaces.ReflectedColumn, key: list[str]) -> Held:
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
