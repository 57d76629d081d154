"""What the database's catalogue says about partitions, as frozen facts. Changes nothing."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from service.db.table_locks import is_held
from service.partitions.cuts import TableCut

FIRST, REST = "first", "rest"
"""How the partition that was the table ends, and the one for rows for which there is no other."""

PARTITIONS = sa.text(
    "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid"
    " WHERE inhparent = to_regclass(:table)"
)
ROOM = sa.text(
    "SELECT convalidated, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE conrelid = to_regclass(:table) AND conname = :name"
)
UPPER = re.compile(r"TO \('?([^')]*)'?\)")
BOUND = re.compile(r"< '?([a-z0-9_]+)'?")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece. `until` None: it is the one for the rest."""

    name: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class UpperBound:
    """A constraint that every row of a table is before a moment; `proven` once the database has checked each row."""

    until: datetime
    proven: bool


def partitions(connection: Connection, cut: TableCut) -> Sequence[Piece]:
    """Return the pieces of a table, oldest first; none if it is not partitioned."""
    found = [
        Piece(name, None if bound == "DEFAULT" else cut.moment(UPPER.findall(bound)[-1]))
        for name, bound in connection.execute(PARTITIONS, {"table": cut.table})
    ]
    return sorted(found, key=lambda each: (each.until is None, each.until))


def room_of(connection: Connection, cut: TableCut) -> UpperBound | None:
    """Return the constraint on a table that is not partitioned yet; None: its conversion has not begun."""
    row = connection.execute(ROOM, {"table": cut.table, "name": room_name(cut)}).one_or_none()
    if row is None:
        return None
    return UpperBound(cut.moment(BOUND.findall(row[1])[-1]), proven=row[0])


def room_name(cut: TableCut) -> str:
    """Return the name of that constraint."""
    return f"ck_{cut.table}_room"


@contextmanager
def unless_busy(table: str) -> Iterator[None]:
    """Leave for another hour what somebody is reading all the time, such as an export or a backup."""
    try:
        yield
    except sa.exc.OperationalError as error:
        if not is_held(error):
            raise
        log.warning("partition_busy", table=table)
