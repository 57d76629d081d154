"""Opens an engine for either database, or says why it cannot.

An engine belongs to the process that opened it: none is ever kept across a fork.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db.multi_host_url import parse
from service.db.postgresql import SETTINGS, ConnectionWait, open_postgresql
from service.db.sqlite import open_sqlite
from service.db.transactions import reading
from service.errors import Unavailable

ENCODING = "UTF8"
WRITE = "one such as sqlite:///feedback.db or postgresql://user:password@host/name"


PATIENT = ConnectionWait()


def open_engine(url: str, wait: ConnectionWait = PATIENT) -> Engine:
    """Open the database at `url` (`sqlite:///file.db` or `postgresql://…`). Raises Unavailable with a sentence."""
    try:
        parsed = parse(url)
    except (sa.exc.ArgumentError, ValueError) as error:  # its words would show the password
        sentence = f"database.url is not an address; write {WRITE}, and in a password %40 for @, %3A for :, %2F for /."
        raise Unavailable("database_url", sentence) from error
    if "@" in (parsed.host or ""):  # the rest of a password, which must not be shown as a host's name
        sentence = "database.url has one '@' too many; write it as %40 in a user name or password."
        raise Unavailable("database_url", sentence)
    if parsed.get_backend_name() == "sqlite":
        return open_sqlite(parsed)
    if parsed.get_backend_name() == "postgresql":
        return open_postgresql(parsed, wait)
    raise Unavailable(
        "database_kind",
        f"'{parsed.get_backend_name()}' is not a database we support; write {WRITE}.",
    )


def demand_settings(engine: Engine) -> None:
    """Refuse a server or pooler that does not keep our settings during a transaction. Raises Unavailable.

    A database that cannot store every language and emoji is refused, too.
    """
    if engine.dialect.name != "postgresql":
        return
    with reading(engine) as connection:
        found = {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in SETTINGS}
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != ENCODING:
        sentence = f"The database's encoding is {encoding}: make one with ENCODING '{ENCODING}' TEMPLATE template0."
        raise Unavailable("database_encoding", sentence)
    if found != SETTINGS:
        sentence = (
            f"PostgreSQL does not keep session settings ({found}): a pooler must keep each transaction on one server."
        )
        raise Unavailable("database_settings", sentence)
