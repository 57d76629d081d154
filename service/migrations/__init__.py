"""The schema's history: brings a database to the newest revision, or refuses in words.

`upgrade` can be interrupted and repeated: each revision is one transaction on both databases. Worker and web processes
never run it by themselves; `dm-feedback db upgrade` and `dm-feedback serve` do.

There are two kinds of revision. *before* only adds and runs while the previous version still works: that version goes
on, and may even be restarted, on a schema newer than itself. *after* removes what no code has used since a release
(`unused_since`, the newest revision that release knew). The database records from which revision on code may work on
it. `env.py` is Alembic's entry. Alembic is imported where a schema is changed: a process that only asks whether its
database fits reads a revision there, and the names of our files here.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db import demand_settings, reading, writing
from service.db.partitioned import partitioned_tables
from service.db.postgresql import take_your_time
from service.db.sqlite import is_there
from service.db.table_locks import hardly_wait, patiently
from service.errors import Unavailable
from service.models import encryption, encryption_key, metadata, schema_floor

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent
VERSION = sa.table("alembic_version", sa.column("version_num"))
ENCRYPTED_FROM = "0032"  # code that knows only earlier revisions cannot decrypt
IDS_FROM = "0034"  # likewise: it can neither decrypt ids nor find them
PARTED_FROM = "0039"  # and such code would look for a delivery's repeats where partitions leave none to be found
FIRST_TO_LOOK = "0022"  # code that knows only earlier revisions does not check the floor
COPYING, LEAVING, MOVED = "copying", "leaving", "moved"
"""Stand where a revision does: no process of ours works on a database that is being filled, or left behind."""

SAID = {
    COPYING: "is being filled by `dm-feedback db copy`: let that come to its end, with --finish",
    LEAVING: "is being left by `dm-feedback db copy --finish`: let that come to its end, or run it again",
    MOVED: "was carried over to another one by `dm-feedback db copy`: write that one's address into database.url",
}
OF_OUR_OWN = "make one of our own, and write its address into database.url."
RELEASED: Mapping[str, str] = {}
"""Each release and the newest revision it knew; a revision *after* may be of nothing that is not among them."""


def upgrade(engine: Engine) -> str:
    """Upgrade the database to the newest revision and return its revision. Safe to repeat and to interrupt.

    A newer database stays as it is. Raises Unavailable if it is too new for this code or unfit for a ledger, Conflict
    if somebody keeps reading a table: waiting for it would keep everybody else waiting behind us.
    """
    demand_settings(engine)
    return patiently(engine, _upgraded)


def _upgraded(connection: Connection) -> str:
    _lock(connection)
    found = _revision(connection)
    if found is not None and found not in _known():
        _demand_fitting(connection, found)
        return found
    if found is None:
        _demand_no_others(connection)
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    set_floor(connection)
    return head()


def floor() -> str:
    """Return the newest revision known to the oldest code that may work on our schema."""
    from alembic.script import ScriptDirectory

    modules = (script.module for script in ScriptDirectory.from_config(_config()).walk_revisions())
    given_up: list[str] = [each.unused_since for each in modules if hasattr(each, "unused_since")]
    return max([FIRST_TO_LOOK, *given_up])


def set_floor(connection: Connection) -> None:
    """Set the oldest code that may work here: one that can decrypt, and knows of partitions."""
    encrypted = connection.scalar(sa.select(encryption_key.c.id).limit(1)) is not None
    with_ids = connection.scalar(sa.select(encryption.c.ids)) is not None
    needed = [floor(), *([PARTED_FROM] if partitioned_tables(connection) else [])]
    if encrypted:
        needed.append(IDS_FROM if with_ids else ENCRYPTED_FROM)
    connection.execute(sa.update(schema_floor).values(revision=max(needed)))


def mark(engine: Engine, revision: str) -> None:
    """Set the database's revision. With a word that no code knows, no code works there."""
    with writing(engine) as connection:
        connection.execute(sa.update(VERSION).values(version_num=revision))
        set_floor(connection)
        if revision in SAID:
            connection.execute(sa.update(schema_floor).values(revision=revision))


def head() -> str:
    """Return the newest revision this code knows."""
    return max(_known())


def current(engine: Engine) -> str | None:
    """Return the revision the database is at; None when it is empty, or nowhere."""
    if not is_there(engine):
        return None
    with reading(engine) as connection:
        return _revision(connection)


def require_fitting(engine: Engine) -> None:
    """Refuse a schema that does not fit this code, older or too new. Raises Unavailable."""
    if not is_there(engine):
        sentence = "correct database.url or, to begin an empty ledger there, run `dm-feedback db upgrade`."
        raise Unavailable("no_database", f"There is no file {engine.url.database}: {sentence}")
    with reading(engine) as connection:
        found = _revision(connection)
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
    """Refuse a newer schema that lacks what this code uses, and a database that is half a copy or was left behind."""
    if found in SAID:
        raise Unavailable("database_copied", f"The database {SAID[found]}.")
    if not sa.inspect(connection).has_table(schema_floor.name):
        raise Unavailable("database_of_others", f"The database is at revision {found} of another program: {OF_OUR_OWN}")
    oldest = connection.scalar(sa.select(schema_floor.c.revision))
    if oldest not in _known():
        raise Unavailable(
            "schema_ahead",
            f"The database is at revision {found}, which is for code that knows {oldest}, and this code knows nothing "
            f"newer than {head()}: start the newer version.",
        )


def _demand_no_others(connection: Connection) -> None:
    """Refuse to begin a ledger where tables of another program have names of ours. Raises Unavailable."""
    taken = sorted(metadata.tables.keys() & set(sa.inspect(connection).get_table_names()))
    if taken:
        sentence = f"The database has tables of another program under names of ours ({', '.join(taken)}): {OF_OUR_OWN}"
        raise Unavailable("database_of_others", sentence)


@cache
def _known() -> frozenset[str]:
    """Return every revision, by the names of the files: Alembic would import each of them."""
    return frozenset(file.name[:4] for file in (FOLDER / "versions").glob("[0-9]*.py"))


def _revision(connection: Connection) -> str | None:
    """Return the revision of a database; None where nobody has ever set one."""
    if not sa.inspect(connection).has_table(VERSION.name):
        return None
    return connection.scalar(sa.select(VERSION.c.version_num))


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return config


def _lock(connection: Connection) -> None:
    """Make concurrent upgrades wait on PostgreSQL; on SQLite the write lock does."""
    if connection.dialect.name == "postgresql":
        take_your_time(connection)  # an index over years of rows takes longer than any other statement may
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7350134)")
        hardly_wait(connection)
