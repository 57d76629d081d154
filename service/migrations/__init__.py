"""The schema's history: in, an engine; out, a database at the newest revision, or a refusal in words.

`upgrade` may be interrupted and run again: each revision is one transaction on both databases. Never run by a worker
or a web process on its own; `dm-feedback db upgrade` and `dm-feedback serve` do it.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from service.db import reading, writing
from service.errors import Unavailable

HERE = Path(__file__).parent


def upgrade(engine: Engine) -> str:
    """Bring the database to the newest revision and return its name. Safe to repeat and to interrupt.

    Raises Unavailable where the database is newer than this code.
    """
    with writing(engine) as connection:
        _lock(connection)
        _demand_known(MigrationContext.configure(connection).get_current_revision())
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return head()


def head() -> str:
    """Return the newest revision this code knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def current(engine: Engine) -> str | None:
    """Return the revision the database is at; None when it is empty."""
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def require_head(engine: Engine) -> None:
    """Refuse to work on a schema that is not ours, older or newer. Raises Unavailable."""
    found = current(engine)
    if found == head():
        return
    _demand_known(found)
    raise Unavailable(
        "schema_behind",
        f"The database is at revision {found or 'none'}, this code needs {head()}: run `dm-feedback db upgrade`.",
    )


def _demand_known(found: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        raise Unavailable(
            "schema_ahead",
            f"The database is at revision {found}, which this code does not know: start the newer version.",
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    return config


def _lock(connection: Connection) -> None:
    """Let two upgrades wait for each other on PostgreSQL; SQLite's write lock does it there."""
    if connection.dialect.name == "postgresql":
        # an index over years of rows takes longer than any other statement may
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7350134)")
