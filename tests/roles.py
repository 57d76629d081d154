"""The rights of deploy/roles.sql: engines that may do what a role may, from the owner of a database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import open_engine

SQL = Path(__file__).parents[1] / "deploy" / "roles.sql"
DENIED = "42501"
AsRole = Callable[[str], Engine]


def grant(owner: Engine) -> None:
    """Run the script, as whoever owns the tables."""
    with owner.connect() as connection:
        connection.connection.cursor().execute(SQL.read_bytes())
        connection.commit()


@contextmanager
def engines_by_role(url: str) -> Iterator[AsRole]:
    """Engines whose every connection has put on a role, and cannot do what the role may not."""
    opened: list[Engine] = []

    def build(role: str) -> Engine:
        def put_on(connection: Any, _record: Any) -> None:
            connection.cursor().execute(f"SET ROLE dm_feedback_{role}")
            connection.commit()

        engine = open_engine(url)
        sa.event.listen(engine, "connect", put_on)
        opened.append(engine)
        return engine

    yield build
    for engine in opened:
        engine.dispose()


def refusal_of(engine: Engine, statement: str) -> str:
    """The SQLSTATE by which PostgreSQL refuses a statement."""
    with engine.connect() as connection, pytest.raises(sa.exc.ProgrammingError) as caught:
        connection.exec_driver_sql(statement)
    return str(getattr(caught.value.orig, "sqlstate", ""))
