"""Which key new values are written under: an engine gets the settings' keys, or is refused.

A process looks at its start and every few seconds, and its row in `process_count` says which keys it holds and which
one it writes under. So everybody only moves to a key that everybody can read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from service.at_rest.columns import keyring_of, with_keys
from service.at_rest.keyring import Keyring
from service.db import from_micros, open_engine, reading, to_micros
from service.errors import Unavailable
from service.models import encryption, encryption_key, process_count
from service.settings import Settings

ALIVE = timedelta(seconds=30)
GONE = "gone"  # the row of `process_count` that sums up all processes that have ended
SWITCH = 7350135  # of PostgreSQL's advisory locks: writers of ids share it, a change of key holds it alone
SETTLED = timedelta(seconds=20)
"""How long after a process went over no transaction of its is left that began before."""

en, ek, pct = encryption.c, encryption_key.c, process_count.c
PLACE = "encryption.digest_key"


@dataclass(frozen=True, slots=True)
class WalkProgress:
    """How far a change of key has come. `key_id` None: to no key."""

    key_id: str | None
    begun_at: datetime
    finished_at: datetime | None
    at_table: str | None
    at_row: Sequence[Any] | None
    everybody: bool | None
    ids: bool | None
    looked_at: int
    changed: int
    rewritten: int
    skipped: int
    refused: int


@dataclass(frozen=True, slots=True)
class ProcessKeys:
    """What a live process says about its keys; `known` False: its code is too old to know keys, or encrypted ids."""

    name: str
    known: bool
    held: Sequence[str]
    under: str | None
    since: datetime | None
    ids: bool = False


def engine_of(settings: Settings) -> Engine:
    """Open the database of the settings, with the keys of the settings. Raises Unavailable with a sentence."""
    return with_keys(open_engine(settings.database.url), settings.privacy.encryption_key)


def demand_keys(engine: Engine) -> None:
    """Use the keys that values are encrypted under, or refuse to start without them. Raises Unavailable."""
    with reading(engine) as connection:
        follow(connection)


def follow(connection: Connection) -> None:
    """Encrypt new values under the key in force. Raises Unavailable if a needed key is missing."""
    keyring = keyring_of(connection.dialect)
    needed = set(connection.scalars(sa.select(ek.id)))
    if missing := sorted(needed - set(keyring.keys if keyring else ())):
        raise Unavailable("encryption_key_missing", _missing(missing, keyring))
    if keyring is not None:
        _use(connection, keyring)


def follow_each_write(engine: Engine) -> None:
    """Do so at the beginning of every write transaction.

    For commands: a change of the key does not wait for them, so they must not keep writing under an older one.
    """

    def ask(connection: Connection) -> None:
        if connection.get_execution_options().get("dm_feedback_writes", False):
            follow(connection)

    event.listen(engine, "begin", ask)  # after the one that begins: what it asks is within


def hold(connection: Connection) -> None:
    """Keep the present form of ids until the commit, so that no unique key is written in two forms.

    A change of the key waits for all who hold this lock. On SQLite the write lock does that.
    """
    keyring = keyring_of(connection.dialect)
    if keyring is None:
        return
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({SWITCH})")
    _use(connection, keyring)


def hold_alone(connection: Connection) -> None:
    """Wait for all who hold this lock; from then on until the commit nobody else can."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SWITCH})")


def _use(connection: Connection, keyring: Keyring) -> None:
    row = connection.execute(sa.select(en.key_id, en.digest_key, en.ids, en.finished_at)).one_or_none()
    if row is not None:
        keyring.digest_key = digest_key(keyring, row.key_id, row.digest_key)
        keyring.active, keyring.encrypts_ids = row.key_id, bool(row.ids)
        keyring.settled = row.key_id is not None and row.finished_at is not None


def digest_key(keyring: Keyring, key_id: str | None, held: str) -> bytes:
    """Return the key behind keyed digests."""
    return bytes.fromhex(held if key_id is None else keyring.decrypt_text(held, PLACE))


def _missing(ids: Sequence[str], keyring: Keyring | None) -> str:
    there = f"it holds {', '.join(keyring.keys)}" if keyring else "it is not set"
    several = len(ids) > 1
    those = "them" if several else "it"
    return (
        f"This database is encrypted under the key{'s' if several else ''} {', '.join(ids)}, and "
        f"privacy.encryption_key does not hold {those} ({there}): put {those} back, "
        "beside any other. Without it what customers wrote cannot be read; nothing here can replace it."
    )


def progress(connection: Connection) -> WalkProgress | None:
    """Return how far the change of key has come; None: nothing was ever encrypted here."""
    columns = (encryption.c[name] for name in WalkProgress.__dataclass_fields__)
    row = connection.execute(sa.select(*columns)).one_or_none()
    return None if row is None else WalkProgress(*row)


def said_of(engine_keys: Keyring | None, before: Mapping[str, Any] | None, now: datetime) -> Mapping[str, Any]:
    """Return what a process says about its keys; `before`: what it said last."""
    held, under = (list(engine_keys.keys), engine_keys.active) if engine_keys else ([], None)
    writes = {"under": under, "ids": engine_keys is not None and engine_keys.encrypts_ids}
    same = before is not None and {name: before[name] for name in writes} == writes
    return {"held": held, **writes, "since": before["since"] if before and same else to_micros(now)}


def is_alive(now: datetime) -> sa.ColumnElement[bool]:
    """SQL condition for rows of `process_count` whose process is alive: it updates its row every few seconds."""
    return sa.and_(pct.name != GONE, pct.seen_at > now - ALIVE)


def living(connection: Connection, now: datetime) -> list[ProcessKeys]:
    """Return what every live process says of its keys."""
    rows = connection.execute(sa.select(pct.name, pct.role, pct.encryption).where(is_alive(now)))
    return [_held(f"{row.role} {row.name}", row.encryption) for row in rows]


def _held(name: str, said: Mapping[str, Any] | None) -> ProcessKeys:
    if said is None:
        return ProcessKeys(name, known=False, held=(), under=None, since=None)
    since, ids = from_micros(said["since"]), said.get("ids")
    return ProcessKeys(name, known=ids is not None, held=said["held"], under=said["under"], since=since, ids=bool(ids))


def everybody_writes(connection: Connection, under: str | None, now: datetime, *, ids: bool) -> bool:
    """Whether no process, and no open transaction, writes under another key any more."""
    return all(
        (each.under, each.ids) == (under, ids) and each.since is not None and each.since <= now - SETTLED
        for each in living(connection, now)
    )
