"""Engines: in, an address of either database; out, an engine for the process that asks, or why there is none.

Never keeps a connection across a fork: engines are made in the process that uses them.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db.hosts import parse
from service.db.postgresql import SETTINGS, open_postgresql
from service.db.sqlite import open_sqlite
from service.db.transactions import reading
from service.errors import Unavailable

WRITE = "one such as sqlite:///feedback.db or postgresql://user:password@host/name"


@dataclass(frozen=True, slots=True)
class ConnectionWait:
    """How long a server may take to let us in, a connection of ours to get free, a statement to be answered: seconds.

    `silent_s` None: for as long as the server itself lets a statement work.
    """

    connect_s: int = 5
    pool_s: int = 30
    silent_s: float | None = None


PATIENT = ConnectionWait()


def open_engine(url: str, wait: ConnectionWait = PATIENT) -> Engine:
    """Open the database at `url` (`sqlite:///file.db` or `postgresql://…`). Raises Unavailable with a sentence."""
    try:
        parsed = parse(url)
    except (sa.exc.ArgumentError, ValueError) as error:  # its words would show the password
        raise Unavailable("database_url", f"database.url is no address; write {WRITE}.") from error
    if parsed.get_backend_name() == "sqlite":
        return open_sqlite(parsed)
    if parsed.get_backend_name() == "postgresql":
        return open_postgresql(parsed, wait.connect_s, wait.pool_s, wait.silent_s)
    raise Unavailable(
        "database_kind",
        f"'{parsed.get_backend_name()}' is no database of ours; write {WRITE}.",
    )


def demand_settings(engine: Engine) -> None:
    """Refuse a server, or a pooler before it, that does not keep our settings for a transaction. Raises Unavailable."""
    if engine.dialect.name != "postgresql":
        return
    with reading(engine) as connection:
        found = {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in SETTINGS}
    if found != SETTINGS:
        sentence = f"PostgreSQL does not keep our settings ({found}): a pooler must keep a transaction on one server."
        raise Unavailable("database_settings", sentence)
