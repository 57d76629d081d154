"""Column types whose values are encrypted at rest, each value bound to the row it belongs to.

Reading takes no extra care: a select fetches the row's key with the value, and a value copied from another row or
column does not decrypt. It is then replaced by an `unreadable` marker, logged and counted, and everything else is read.
Writing names the row: `encrypting(table, values, *row)`. Without keys in the settings values are stored as they are.
Empty values are never encrypted: there is nothing in them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler

from service.at_rest import unreadable
from service.at_rest.keyring import BETWEEN, Keyring, damaged
from service.at_rest.unreadable import is_unreadable
from service.db import to_micros
from service.errors import Unavailable
from service.telemetry.counters import PROCESS_COUNTS

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ForRow:
    """A value and the row it is for."""

    plain: Any
    row: str


class AtRest(sa.types.TypeDecorator[Any]):
    """A column whose values are stored differently from how they are read. Never used by itself.

    `length`: of the plain column in SQLite's table, which stores longer texts all the same.
    """

    impl: Any = sa.Text
    cache_ok = True
    length: int | None = None

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Return the column as each database has it."""
        return self.impl_instance if self.length is None or dialect.name != "sqlite" else sa.String(self.length)


class Encrypted(AtRest):
    """A column whose values are encrypted. `place`: table.column; `by`: the columns that identify a row for good."""

    cache_ok = True

    def __init__(self, place: str, *by: str, length: int | None = None) -> None:
        super().__init__()
        self.place, self.by, self.length = place, by, length

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Encrypt what is written. Raises TypeError if the row is not named; Unavailable for an unreadable marker."""
        plain = value.plain if isinstance(value, ForRow) else value
        if is_unreadable(plain):
            raise damaged(self.place_of(value.row if isinstance(value, ForRow) else ""))
        keyring = keyring_of(dialect)
        if keyring is None or keyring.active is None or not plain:
            return plain
        if not isinstance(value, ForRow):
            raise TypeError(f"say which row this is for: encrypting({self.place.partition('.')[0]}, …)")
        return self.encrypt(keyring, plain, value.row, keyring.active)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Return what decrypts a read value; without keys only what the database needs anyway."""
        keyring = keyring_of(dialect)
        if keyring is None:
            return self.impl_instance.result_processor(dialect, coltype)
        return lambda value: None if value is None else self._read(keyring, value)

    def _read(self, keyring: Keyring, value: Any) -> Any:
        """Decrypt what was read; a value that fails is logged once, counted, and replaced by a marker."""
        row, stored_value = self.split(value)
        try:
            return self.decrypt(keyring, row, stored_value)
        except Unavailable:
            report_unreadable(keyring, self.place, row)
            return self.marker

    @property
    def marker(self) -> Any:
        """The marker for a value that could not be decrypted."""
        return unreadable.TEXT

    def column_expression(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Read the row's key along with the value."""
        return WithRow(column)

    def place_of(self, row: str) -> str:
        """What a value is bound to."""
        return f"{self.place}{BETWEEN}{row}"

    def encrypt(self, keyring: Keyring, plain: Any, row: str, key_id: str) -> Any:
        """Return a value as it is stored."""
        return keyring.encrypt_text(plain, self.place_of(row), key_id)

    def decrypt(self, keyring: Keyring, row: str, value: Any) -> Any:
        """Return a stored value, encrypted or not. Raises Unavailable if it does not belong to this row."""
        return keyring.decrypt_text(value, self.place_of(row))

    def split(self, read: Any) -> tuple[str, Any]:
        """Split what `WithRow` reads into the row's key and the value."""
        text = read if isinstance(read, str) else _as_text(read)
        *row, value = text.split(BETWEEN, len(self.by))
        return BETWEEN.join(row), self.from_bytes(value)

    def from_bytes(self, read: Any) -> Any:
        """Return a value as stored; SQLite hands over its bytes, which may not be valid text."""
        return _as_text(read) if isinstance(read, bytes) else read


class EncryptedJson(Encrypted):
    """The same for JSON: encrypted JSON is stored as one text."""

    impl: Any = sa.JSON
    cache_ok = True

    def __init__(self, place: str, *by: str, none_as_null: bool = False) -> None:
        super().__init__(place, *by)
        self.impl = self.impl_instance = sa.JSON(none_as_null=none_as_null)

    def encrypt(self, keyring: Keyring, plain: Any, row: str, key_id: str) -> Any:
        """Return a value as it is stored."""
        return keyring.encrypt_text(json.dumps(plain), self.place_of(row), key_id)

    def decrypt(self, keyring: Keyring, row: str, value: Any) -> Any:
        """Return a stored value; plain JSON of ours is never a text, so a text is encrypted."""
        if not isinstance(value, str):
            return value
        if keyring.key_of(value) is None:
            raise damaged(self.place_of(row))
        return json.loads(keyring.decrypt_text(value, self.place_of(row)))

    def split(self, read: Any) -> tuple[str, Any]:
        """Return the row's key and the value."""
        if not isinstance(read, list):
            return super().split(read)
        *row, value = read
        return BETWEEN.join(map(str, row)), value

    def from_bytes(self, read: Any) -> Any:
        """Return a value as stored; a text that is no JSON is none of ours."""
        if not isinstance(read, (str, bytes)):
            return read
        try:
            return json.loads(read)
        except ValueError:
            return super().from_bytes(read)


class EncryptedBytes(Encrypted):
    """The same for bytes."""

    impl = sa.LargeBinary
    cache_ok = True

    def encrypt(self, keyring: Keyring, plain: Any, row: str, key_id: str) -> Any:
        """Return a value as it is stored."""
        return keyring.encrypt_bytes(plain, self.place_of(row), key_id)

    def decrypt(self, keyring: Keyring, row: str, value: Any) -> Any:
        """Return a value that was stored."""
        return keyring.decrypt_bytes(value, self.place_of(row))

    def split(self, read: Any) -> tuple[str, Any]:
        """Return the row's key and the value."""
        *row, value = bytes(read).split(BETWEEN.encode(), len(self.by))
        return BETWEEN.encode().join(row).decode(), value

    def from_bytes(self, read: Any) -> Any:
        """Return a value as stored."""
        return bytes(read)

    @property
    def marker(self) -> Any:
        """The marker for bytes."""
        return unreadable.BYTES


class WithRow(sa.ColumnElement[Any]):
    """An encrypted value preceded by the key of its row, as one column."""

    inherit_cache = False

    def __init__(self, value: sa.ColumnElement[Any]) -> None:
        self.value = value.element if isinstance(value, sa.Label) else value
        self.type: Any = self.value.type

    @property
    def row(self) -> list[sa.ColumnElement[Any]]:
        """The columns of the row's key, of the table that the value is read from."""
        columns = (each for each in visitors.iterate(self.value) if isinstance(each, sa.Column))
        column = next(each for each in columns if getattr(each.type, "place", "") == self.type.place)
        return [sa.cast(sa.type_coerce(column.table.c[name], sa.String), sa.Text) for name in self.type.by]


@compiles(WithRow)
def _with_row(element: WithRow, compiler: SQLCompiler, **how: Any) -> str:
    if keyring_of(compiler.dialect) is None:
        return compiler.process(element.value, **how)
    return compiler.process(_read(element, compiler.dialect.name), **how)


def _read(element: WithRow, dialect: str) -> sa.ColumnElement[Any]:
    value, kind = sa.type_coerce(element.value, stored(element.type)), element.type
    if isinstance(kind, EncryptedJson) and dialect == "postgresql":
        return sa.func.json_build_array(*element.row, value)
    head: sa.ColumnElement[Any] = sa.literal_column("''")
    for each in element.row:
        head = head.op("||")(each).op("||")(sa.func.chr(31) if dialect == "postgresql" else sa.func.char(31))
    if dialect != "postgresql":  # as bytes: an invalid text would make its whole page unreadable
        return sa.cast(head.op("||")(value), sa.LargeBinary)
    return (
        sa.func.convert_to(head, "UTF8").op("||")(value) if isinstance(kind, EncryptedBytes) else head.op("||")(value)
    )


def _as_text(read: bytes) -> str:
    return read.decode("utf-8", "surrogateescape")


def report_unreadable(keyring: Keyring, place: str, row: str) -> None:
    """Count a value that could not be decrypted, and log its place once."""
    PROCESS_COUNTS.add("unreadable_values", place)
    if keyring.is_news(f"{place}{BETWEEN}{row}"):
        log.error("encrypted_value_refused", column=place, row=row.replace(BETWEEN, ", "))


def keyring_of(dialect: Dialect) -> Keyring | None:
    """Return the keys of an engine, if it has any."""
    return getattr(dialect, "dm_feedback_keyring", None)


def with_keys(engine: Engine, texts: Sequence[str]) -> Engine:
    """Let an engine encrypt and decrypt with these keys. Call it before its first statement."""
    if texts:
        engine.dialect.dm_feedback_keyring = Keyring(texts)  # type: ignore[attr-defined]  # SQLAlchemy hands the dialect to every column
    return engine


def share_keys(engine: Engine, other: Engine) -> Engine:
    """Let another engine use the same keys, so that changes to them hold for both."""
    if (keyring := keyring_of(engine.dialect)) is not None:
        other.dialect.dm_feedback_keyring = keyring  # type: ignore[attr-defined]  # as above
    return other


def stored(kind: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    """Return the column type of the stored value."""
    return kind.impl_instance if isinstance(kind, AtRest) else kind


def bound(value: Any, *row: Any) -> Any:
    """Return a value for a row."""
    return None if value is None else ForRow(value, row_of(*row))


def row_of(*row: Any) -> str:
    """Return a row's key as values are bound to it."""
    return BETWEEN.join(str(to_micros(each)) if isinstance(each, datetime) else str(each) for each in row)


def encrypting(table: sa.Table, values: Mapping[str, Any], *row: Any) -> dict[str, Any]:
    """Return the values of a row with those of encrypted columns bound to it; `row`: its columns `by`."""
    return {
        name: bound(value, *row) if isinstance(table.c[name].type, Encrypted) else value
        for name, value in values.items()
    }
