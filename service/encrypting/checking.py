"""Decrypts every encrypted value and reports how many are under which key, and which do not decrypt.

Reads everything, a few rows at a time, and changes nothing. `scrub` rewrites the files, so that no page keeps older
values.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.at_rest.columns import Encrypted, keyring_of, row_of
from service.at_rest.ids import EncryptedId
from service.at_rest.keyring import ID_MARK, Keyring
from service.db import reading
from service.db.as_stored import as_stored
from service.db.postgresql import demand_owner, take_your_time
from service.db.table_locks import BUSY
from service.encrypting.rewriting import TABLES, key_id_of, stored_sql, stored_value
from service.errors import Conflict, Unavailable

SHOWN = 20
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class CheckedColumn:
    """How many values are encrypted under which key (None: plain), how many are misplaced, and the first such rows."""

    column: str
    by_key: Mapping[str | None, int]
    wrong: int
    refused: Sequence[str]


def check(engine: Engine) -> Iterator[CheckedColumn]:
    """Decrypt every value."""
    keyring = keyring_of(engine.dialect) or Keyring(())
    for table in TABLES:
        for column in table.c:
            if isinstance(column.type, Encrypted | EncryptedId):
                yield _checked(engine, keyring, column, column.type)


def _checked(engine: Engine, keyring: Keyring, column: sa.Column[Any], kind: Encrypted | EncryptedId) -> CheckedColumn:
    by_key: Counter[str | None] = Counter()
    wrong, refused = 0, []
    key = [column.table.c[name] for name in kind.by] if isinstance(kind, Encrypted) else column.table.primary_key
    query = sa.select(stored_sql(column, engine.dialect.name), *map(as_stored, key)).where(column.is_not(None))
    with reading(engine) as connection:
        take_your_time(connection)  # of a column that is rarely filled the first rows may be the last ones
        for read, *row in connection.execute(query, execution_options={"yield_per": AT_ONCE}):
            given = stored_value(column, read)
            try:
                if isinstance(kind, Encrypted):
                    by_key[key_id_of(keyring, given)] += bool(given)
                    kind.decrypt(keyring, row_of(*row), given)
                else:
                    by_key[keyring.active if given.startswith(ID_MARK) else None] += bool(given)
                    keyring.decrypt_id(given, kind.kind)
            except Unavailable:
                wrong += 1
                if wrong <= SHOWN:  # with a wrong key it is every row
                    refused.append(", ".join(map(str, row)))
    return CheckedColumn(kind.place if isinstance(kind, Encrypted) else str(column), by_key, wrong, refused)


def scrub(engine: Engine) -> None:
    """Rewrite the files of the encrypted tables, so that they hold no older values. Raises Conflict."""
    if engine.dialect.name == "postgresql":
        with reading(engine) as connection:
            demand_owner(connection, TABLES[0].name)
    outside = engine.execution_options(isolation_level="AUTOCOMMIT")
    with outside.connect() as connection:
        raw_connection = connection.connection.cursor()
        if engine.dialect.name == "postgresql":
            raw_connection.execute("SET statement_timeout = 0")
            for table in TABLES:
                raw_connection.execute(f"VACUUM FULL {table.name}")
        else:
            raw_connection.execute("VACUUM")
            held, *_ = raw_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if held:  # by somebody who still reads what was there before
                raise Conflict("table_busy", BUSY)
        raw_connection.close()
