"""The schema's history: in, an engine; out, a database at the newest revision, or a refusal in words.

`upgrade` may be interrupted and run again: each revision is one transaction on both databases. Never run by a worker
or a web process on its own; `dm-feedback db upgrade` and `dm-feedback serve` do it.

A revision has one of two forms. *before* only adds, and is run while the version before still works: that one goes on,
and may be started again, on a schema newer than itself. *after* takes away what no code has used since a release
(`unused_since`, the newest revision that release knew). The database keeps from which revision on code may work on it.
`env.py` is Alembic's entry.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from service.db import reading, writing
from service.db.partitioned import partitioned_tables
from service.db.postgresql import take_your_time
from service.errors import Unavailable
from service.models import encryption, encryption_key, schema_floor

FOLDER = Path(__file__).parent
VERSION = sa.table("alembic_version", sa.column("version_num"))
ENCRYPTED_FROM = "0032"  # code that knows no newer revision than those before it cannot read what is encrypted
IDS_FROM = "0034"  # likewise: it cannot read locked ids, nor find one
PARTED_FROM = "0039"  # and such code would look for a delivery's repeats where partitions leave none to be found
FIRST_TO_LOOK = "0022"  # code that knows no newer revision than those before it does not ask from when on it may work
COPYING, MOVED = "copying", "moved"
"""Stand where a revision does: no process of ours works on a database that is being filled, or was left behind."""

SAID = {
    COPYING: "is being filled by `dm-feedback db copy`: let that come to its end, with --finish",
    MOVED: "was carried over to another one by `dm-feedback db copy`: write that one's address into database.url",
}
RELEASED: Mapping[str, str] = {}
"""Each release and the newest revision it knew; a revision *after* may be of nothing that is not among them."""


def upgrade(engine: Engine) -> str:
    """Bring the database to the newest revision and return the one it is at. Safe to repeat and to interrupt.

    A newer database stays as it is. Raises Unavailable where it is too new for this code.
    """
    with writing(engine) as connection:
        _lock(connection)
        found = MigrationContext.configure(connection).get_current_revision()
        if found is not None and found not in _known():
            _demand_fitting(connection, found)
            return found
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        set_floor(connection)
    return head()


def floor() -> str:
    """Return the newest revision known to the oldest code that may work on our schema."""
    modules = (script.module for script in ScriptDirectory.from_config(_config()).walk_revisions())
    given_up: list[str] = [each.unused_since for each in modules if hasattr(each, "unused_since")]
    return max([FIRST_TO_LOOK, *given_up])


def set_floor(connection: Connection) -> None:
    """Write from which code on one may work here: one that can read what is encrypted, and knows of partitions."""
    encrypted = connection.scalar(sa.select(encryption_key.c.id).limit(1)) is not None
    with_ids = connection.scalar(sa.select(encryption.c.ids)) is not None
    needed = [floor(), *([PARTED_FROM] if partitioned_tables(connection) else [])]
    if encrypted:
        needed.append(IDS_FROM if with_ids else ENCRYPTED_FROM)
    connection.execute(sa.update(schema_floor).values(revision=max(needed)))


def mark(engine: Engine, revision: str) -> None:
    """Write what stands for the database's revision. A word that no code knows lets no code work there."""
    with writing(engine) as connection:
        connection.execute(sa.update(VERSION).values(version_num=revision))
        set_floor(connection)
        if revision in SAID:
            connection.execute(sa.update(schema_floor).values(revision=revision))


@cache
def head() -> str:
    """Return the newest revision this code knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def current(engine: Engine) -> str | None:
    """Return the revision the database is at; None when it is empty."""
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def require_fitting(engine: Engine) -> None:
    """Refuse to work on a schema this code does not fit: an older one, or one too new. Raises Unavailable."""
    with reading(engine) as connection:
        found = MigrationContext.configure(connection).get_current_revision()
        if found == head():
            return
        if found is not None and found not in _known():
            _demand_fitting(connection, found)
            return
    raise Unavailable(
        "schema_behind",
        f"The database is at revision {found or 'none'}, this code needs {head()}: run `dm-feedback db upgrade`.",
    )


def _demand_fitting(connection: Connection, found: str) -> None:
    """Refuse a newer schema that has lost what this code uses, and a database that is half a copy or was left."""
    if found in SAID:
        raise Unavailable("database_copied", f"The database {SAID[found]}.")
    oldest = connection.scalar(sa.select(schema_floor.c.revision))
    if oldest not in _known():
        raise Unavailable(
            "schema_ahead",
            f"The database is at revision {found}, which is for code that knows {oldest}, and this code knows nothing "
            f"newer than {head()}: start the newer version.",
        )


@cache
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return config


def _lock(connection: Connection) -> None:
    """Let two upgrades wait for each other on PostgreSQL; SQLite's write lock does it there."""
    if connection.dialect.name == "postgresql":
        take_your_time(connection)  # an index over years of rows takes longer than any other statement may
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7350134)")
