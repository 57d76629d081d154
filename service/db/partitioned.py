"""Which tables are partitioned by time, from the database's own catalogue. Changes nothing.

Only PostgreSQL has any, after `dm-feedback db partition`. Every id starts with its moment, so a table is cut by the id
its rows are looked up by: whoever knows the id reads one partition.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

CUT_BY: Mapping[str, str] = {
    "transition": "request_id",
    "access_log": "at",
    "delivery_item": "delivery_id",
    "webhook_delivery": "id",
}
"""The tables that can be cut by time, and the column that says the time, in the order in which they are cut."""

PARTED = sa.text(
    "SELECT relname FROM pg_class WHERE relkind = 'p'"
    " AND oid IN (SELECT to_regclass(name) FROM unnest(CAST(:names AS text[])) AS name)"
)
KEYS_APART = "dm_feedback_keys_apart"


def partitioned_tables(connection: Connection) -> frozenset[str]:
    """Return the names of the tables that are partitioned at this moment."""
    if connection.dialect.name != "postgresql":
        return frozenset()
    return frozenset(connection.scalars(PARTED, {"names": list(CUT_BY)}))


def keys_are_apart(connection: Connection) -> bool:
    """Whether repeated deliveries are recognised by a table of keys. Asked only once, as every delivery needs it."""
    known: bool | None = getattr(connection.dialect, KEYS_APART, None)
    if known is None:
        known = "webhook_delivery" in partitioned_tables(connection)
        setattr(connection.dialect, KEYS_APART, known)
    return known


def look_again(engine: Engine) -> None:
    """Ask again at the next delivery: a write may have failed because the table was just partitioned."""
    setattr(engine.dialect, KEYS_APART, None)
