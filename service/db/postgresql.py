"""PostgreSQL as we use it: transactions begin explicitly, with our settings.

The driver begins none by itself, and connections are not pinged before use: BEGIN finds out whether one is alive.
What is written again and again is prepared, unless a pooler stands between.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine

from service.db import watchdog
from service.db.driver_errors import give_up_outdated, leave_out_detail
from service.db.multi_host_url import hosts
from service.errors import Conflict
from service.network.addresses import is_this_machine

SETTINGS = {
    "synchronous_commit": "on",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "1min",
    "jit": "off",  # to compile a figure takes longer than to count it
}
SET_LOCAL = "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in SETTINGS.items())
BEGIN_POSTGRESQL = f"BEGIN ISOLATION LEVEL READ COMMITTED; {SET_LOCAL}"
BEGIN_STEADY = f"BEGIN ISOLATION LEVEL REPEATABLE READ; {SET_LOCAL}"
"""One message to the server; LOCAL, as a pooler's server is somebody else's after the transaction. The level is named,
as a database or role may have another default, under which writers that meet fail."""

GONE_AFTER = {"tcp_user_timeout": 10_000, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
"""A server whose machine is cut off is given up after ten seconds; the system itself waits for a quarter of an hour."""

SILENT_S = 35
"""No statement takes longer than `statement_timeout`: a server that says nothing for longer stands still."""

BEGUN_WITHIN_S = 10
"""For a new connection's first answer: no delivery waits longer."""

PREPARE_AFTER = 5  # times that a connection has run a statement
PLANS_KEPT_S = 600
"""A plan made while a table was small lives no longer than its connection: it is made anew by the next one."""

OWN_SESSION = "dm_feedback_own_session"
PLANNED_ANEW = {"dm_feedback_planned_anew": True}
"""Options of a statement whose best plan changes as the tables grow; a small one would be read as a whole."""


@dataclass(frozen=True, slots=True)
class ConnectionWait:
    """How long to wait, in seconds: for the server to accept us, for a free connection, for a statement's answer."""

    connect_s: int = 5
    pool_s: int = 30
    silent_s: float = SILENT_S


def open_postgresql(url: URL, wait: ConnectionWait) -> Engine:
    """Open PostgreSQL, waiting no longer than `wait` says."""
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if "sslmode" not in url.query and not all(map(is_this_machine, hosts(url))):
        url = url.update_query_dict({"sslmode": "require"})  # what customers wrote travels over this connection
    engine = sa.create_engine(
        url,
        # nothing is left with a session behind a pooler such as PgBouncer, which gives each transaction another one
        connect_args={
            "connect_timeout": wait.connect_s,
            "prepare_threshold": None,
            "client_encoding": "utf8",
            **GONE_AFTER,
        },
        hide_parameters=True,  # the text of an error goes into logs; what a customer wrote must not
        pool_size=10,
        max_overflow=20,
        pool_timeout=wait.pool_s,
        pool_recycle=PLANS_KEPT_S,
    )
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "connect", partial(_learn_whose_session, within_s=min(wait.silent_s, BEGUN_WITHIN_S)))
    event.listen(engine, "begin", _begin)
    event.listen(engine, "do_execute", _plan_anew)
    watchdog.watch(engine, wait.silent_s)
    event.listen(engine, "handle_error", give_up_outdated)
    event.listen(engine, "handle_error", leave_out_detail)
    return engine


def take_your_time(connection: Connection) -> None:
    """Lift the time limit for the rest of this transaction; SQLite has none."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        watchdog.allow(connection, None)


def demand_owner(connection: Connection, table: str) -> None:
    """Refuse a user who may not alter the table; PostgreSQL itself passes some tables over without an error.

    Raises Conflict.
    """
    ours = sa.text("SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(:table)")
    if not connection.scalar(ours, {"table": table}):
        raise Conflict("not_the_owner", "The tables belong to another user: run this as the user who ran `db upgrade`.")


def _leave_transactions_to_us(connection: Any, _record: Any) -> None:
    """Keep the driver from opening transactions itself, which would cost a round trip before our settings."""
    connection.autocommit = True


def _learn_whose_session(connection: Any, record: Any, within_s: float) -> None:
    """A pooler names a session of its own; what is prepared in one server's would be missing in, or be, another's."""
    with watchdog.watched(connection, within_s):  # a pooler may have let us in without having a server for us
        [served_by] = connection.execute("SELECT pg_backend_pid()").fetchone()
    record.info[OWN_SESSION] = served_by == connection.info.backend_pid


def _plan_anew(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    """Run a statement without preparing it, where it asks for that; False: SQLAlchemy runs it."""
    anew = not PLANNED_ANEW.keys().isdisjoint(context.execution_options)
    if anew:
        cursor.execute(statement, parameters, prepare=False)
    return anew


def _begin(connection: Connection) -> None:
    options, fairy = connection.get_execution_options(), connection.connection
    # Figures are planned each time: what they ask for differs, and so does the best way to it.
    prepares = options.get("dm_feedback_writes", False) and fairy.info.get(OWN_SESSION, False)
    fairy.driver_connection.prepare_threshold = PREPARE_AFTER if prepares else None  # type: ignore[union-attr]
    connection.exec_driver_sql(BEGIN_STEADY if options.get("dm_feedback_steady", False) else BEGIN_POSTGRESQL)
