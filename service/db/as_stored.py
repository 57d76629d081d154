"""Columns and keys as the database has them: neither decrypted nor read as moments. A column in, SQL or a type out.

For whoever walks, carries or rewrites rows: an id may be encrypted in one row and plain in the next, and it is as
stored that the database compares and sorts it.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa


def as_stored(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """SQL for a column as it is stored."""
    return sa.type_coerce(column, stored_kind(column))


def stored_kind(column: sa.Column[Any]) -> sa.types.TypeEngine[Any]:
    """Return the type of what is stored in a column."""
    kind = column.type
    return kind.impl_instance if isinstance(kind, sa.TypeDecorator) else kind


def stored_key(table: sa.Table) -> list[sa.ColumnElement[Any]]:
    """SQL for a table's primary key as it is stored."""
    return [*map(as_stored, table.primary_key)]


def among(table: sa.Table, keys: Sequence[tuple[Any, ...]]) -> sa.ColumnElement[bool]:
    """Whether a row has one of these keys, as they are stored."""
    first, *others = stored_key(table)
    return sa.tuple_(first, *others).in_(keys) if others else first.in_([each[0] for each in keys])


def after(table: sa.Table, last: Sequence[Any]) -> sa.ColumnElement[bool]:
    """Whether a row comes after this key, as it is stored."""
    key = stored_key(table)
    given = [sa.literal(value, each.type) for each, value in zip(key, last, strict=True)]
    return sa.tuple_(*key) > sa.tuple_(*given) if len(key) > 1 else key[0] > given[0]
