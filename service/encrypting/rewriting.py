"""Rewrites one table's rows under another key, or in plain text.

Works on the stored bytes, below the columns that encrypt by themselves. A value that was not written for its place is
left alone, logged by its place and counted. Never decides which key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from service.at_rest.columns import Encrypted, EncryptedBytes, EncryptedJson, row_of
from service.at_rest.digests import KeyedDigest
from service.at_rest.ids import EncryptedId
from service.at_rest.keyring import BETWEEN, HEAD_LENGTH, ID_MARK, KEYED_MARK, MARK, Keyring
from service.db.as_stored import among, as_stored, stored_kind
from service.errors import Unavailable
from service.models import metadata

log = structlog.get_logger(__name__)
ERASED = "erased:"
OURS = (Encrypted, EncryptedId)
APART = {"id", "request_id", "way"}
TABLES = tuple(each for each in metadata.sorted_tables if any(isinstance(c.type, OURS) for c in each.c))
Keys = Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What became of some rows."""

    rewritten: int = 0
    skipped: int = 0
    refused: int = 0


def needs_rewriting(
    table: sa.Table, to: str | None, ids: Sequence[str], *, encrypts_ids: bool
) -> sa.ColumnElement[bool]:
    """Which rows hold a value that is not under key `to`; with `to` None, a value under one of `ids`."""
    values = (_value_differs(each, to, ids) for each in table.c if isinstance(each.type, (Encrypted, KeyedDigest)))
    names = (_id_differs(each, encrypts_ids=encrypts_ids) for each in table.c if isinstance(each.type, EncryptedId))
    return sa.or_(sa.false(), *values, *names)


def _id_differs(column: sa.Column[Any], *, encrypts_ids: bool) -> sa.ColumnElement[bool]:
    plain = as_stored(column)
    encrypted = plain.like(f"{ID_MARK}%")
    return sa.and_(plain.is_not(None), plain != "", sa.not_(encrypted) if encrypts_ids else encrypted)


def _value_differs(column: sa.Column[Any], to: str | None, ids: Sequence[str]) -> sa.ColumnElement[bool]:
    if isinstance(column.type, KeyedDigest):
        plain = sa.type_coerce(column, sa.String)
        return sa.false() if to is None else sa.and_(plain.not_like(f"{KEYED_MARK}%"), plain.not_like(f"{ERASED}%"))
    value, empty = _value_and_empty_ones(column)
    heads = [_written(column, f"{MARK}{each}.") for each in (ids if to is None else (to,))]
    begins = sa.func.substr(value, 1, len(_written(column, "")) + HEAD_LENGTH, type_=value.type).in_(heads)
    return sa.and_(value.is_not(None), value.not_in(empty), begins if to is None else sa.not_(begins))


def _value_and_empty_ones(column: sa.Column[Any]) -> tuple[sa.ColumnElement[Any], Sequence[str | bytes]]:
    """The stored value, and how an empty one is stored."""
    if isinstance(column.type, EncryptedJson):
        return sa.cast(column, sa.Text), ("{}", "[]", "null", '""')
    if isinstance(column.type, EncryptedBytes):
        return sa.type_coerce(column, sa.LargeBinary), (b"",)
    return sa.type_coerce(column, sa.Text), ("",)


def _written(column: sa.Column[Any], head: str) -> str | bytes:
    if isinstance(column.type, EncryptedBytes):
        return head.encode()
    return f'"{head}' if isinstance(column.type, EncryptedJson) else head


def rewrite(connection: Connection, keyring: Keyring, table: sa.Table, keys: Keys, to: str | None) -> Rewritten:
    """Change rows to a key; `to` None: to plain text."""
    if not keys:
        return Rewritten()
    key = list(table.primary_key)
    looked_at = _looked_at(table)
    wanted = [stored_sql(each, connection.dialect.name) for each in looked_at]
    rows = connection.execute(sa.select(*wanted).where(among(table, keys)).with_for_update(skip_locked=True)).all()
    refused, changed = 0, 0
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        held = {each.name: stored_value(each, value) for each, value in zip(looked_at, row, strict=True)}
        values, wrong = _rewritten_values(connection, keyring, table, held, to)
        refused += wrong
        changed += bool(values)
        change = {**values, **{f"this_{each.name}": held[each.name] for each in key}}
        if any(each.name in values for each in key):  # one by one: the next may end up with the same key
            if not _gives_way(connection, table, change):
                connection.execute(_update(table, tuple(values)), change)
        elif values:
            alike.setdefault(tuple(values), []).append(change)
    for names, changes in alike.items():
        connection.execute(_update(table, names), changes)
    return Rewritten(changed, len(keys) - len(rows), refused)


@cache
def _looked_at(table: sa.Table) -> Sequence[sa.Column[Any]]:
    """The columns to read: encrypted ones, their row's key, digests; not the rest of a wide row."""
    bound = {name for _, kind in _of(table, Encrypted) for name in kind.by} | APART
    ours = (*OURS, KeyedDigest)
    return [each for each in table.c if isinstance(each.type, ours) or each.primary_key or each.name in bound]


@cache
def _of(table: sa.Table, kind: type[Any]) -> Sequence[tuple[str, Any]]:
    """The names and types of a kind of column."""
    return [(each.name, each.type) for each in table.c if isinstance(each.type, kind)]


def _gives_way(connection: Connection, table: sa.Table, change: dict[str, Any]) -> bool:
    """Delete a row whose key somebody has written in its other form meanwhile: that row is newer."""
    key = tuple(change.get(each.name, change[f"this_{each.name}"]) for each in table.primary_key)
    there = sa.select(sa.literal(1)).select_from(table).where(among(table, [key]))
    if connection.scalar(there) is None:
        return False
    this = tuple(change[f"this_{each.name}"] for each in table.primary_key)
    connection.execute(sa.delete(table).where(among(table, [this])))
    return True


def _update(table: sa.Table, names: Sequence[str]) -> sa.Update:
    this = [as_stored(each) == sa.bindparam(f"this_{each.name}", type_=stored_kind(each)) for each in table.primary_key]
    return (
        sa.update(table)
        .where(*this)
        .values({name: sa.bindparam(name, type_=stored_kind(table.c[name])) for name in names})
    )


def _rewritten_values(
    connection: Connection, keyring: Keyring, table: sa.Table, held: dict[str, Any], to: str | None
) -> tuple[dict[str, Any], int]:
    """The values of a row that change, and whether one of them was not written by us."""
    values: dict[str, Any] = {}
    for name, kind in _of(table, Encrypted):
        given = held[name]
        if not given or key_id_of(keyring, given) == to:
            continue
        row = row_of(*(held[each] for each in kind.by))
        try:
            plain = kind.decrypt(keyring, row, given)
        except Unavailable:
            return _refused(kind.place, row)
        values[name] = plain if to is None else kind.encrypt(keyring, plain, row, to)
    try:
        values |= _ids(keyring, table, held)
    except Unavailable:
        return _refused(table.name, row_of(*(held[each.name] for each in table.primary_key)))
    return values | _keyed_digests(connection, keyring, table, held, to), 0


def _refused(place: str, row: str) -> tuple[dict[str, Any], int]:
    log.error("encrypted_value_refused", column=place, row=row.replace(BETWEEN, ", "))
    return {}, 1


def _keyed_digests(
    connection: Connection, keyring: Keyring, table: sa.Table, held: dict[str, Any], to: str | None
) -> dict[str, Any]:
    """The digests of a row under our key; one that another process has already written gets a value of its own."""
    if to is None:
        return {}
    values: dict[str, Any] = {}
    for name, _ in _of(table, KeyedDigest):
        given = str(held[name])
        if given.startswith((KEYED_MARK, ERASED)):
            continue
        values[name] = keyring.keyed_digest(given)
        if "request_id" in held:
            plain = sa.type_coerce(table.c[name], sa.String)
            taken = sa.select(table.c.request_id).where(
                table.c.request_id == held["request_id"], table.c.way == held["way"], plain == values[name]
            )
            if connection.scalar(taken) is not None:
                values[name] = keyring.keyed_digest(f"{given}:{held['id']}")
    return values


def _ids(keyring: Keyring, table: sa.Table, held: dict[str, Any]) -> dict[str, Any]:
    """The ids of a row in the wanted form, if they are stored in the other one."""
    values = {}
    for name, kind in _of(table, EncryptedId):
        given = held[name]
        if given and given.startswith(ID_MARK) != keyring.encrypts_ids:
            plain = keyring.decrypt_id(given, kind.kind)
            values[name] = keyring.encrypt_id(plain, kind.kind) if keyring.encrypts_ids else plain
    return values


def key_id_of(keyring: Keyring, given: Any) -> str | None:
    """Return the id of the key a stored value is under; None: it is plain."""
    key = keyring.key_of(given) if isinstance(given, (str, bytes)) else None
    return None if key is None else key.id


def stored_sql(column: sa.Column[Any], dialect: str) -> sa.ColumnElement[Any]:
    """SQL for a column as stored, even if damaged: SQLite would refuse a value that is no valid text."""
    bytewise = dialect != "postgresql" and isinstance(column.type, Encrypted)
    return sa.cast(as_stored(column), sa.LargeBinary) if bytewise else as_stored(column)


def stored_value(column: sa.Column[Any], read: Any) -> Any:
    """Return what `stored_sql` read, as `kind.decrypt` takes it."""
    return column.type.from_bytes(read) if isinstance(column.type, Encrypted) and isinstance(read, bytes) else read
