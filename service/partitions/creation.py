"""Creates partitions before they are needed, two weeks ahead, and rehouses rows that found none.

Each piece starts where the last one ends, so no time is left out. A row without a piece goes to the default partition
until one is made. Runs as the owner, through a function, because the worker owns no table.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db import reading, writing
from service.db.partitioned import partitioned_tables
from service.db.postgresql import take_your_time
from service.partitions.catalog import partitions, room_of
from service.partitions.cuts import TableCut

AHEAD = timedelta(days=14)
"""Pieces are made until the last of them ends so long after now."""

TRAP = timedelta(days=2)
ADD = sa.text("SELECT dm_feedback_add_partition(:table, :piece, :key, :lower, :upper)")


def make(engine: Engine, cut: TableCut, now: datetime, *, patient: bool = False) -> Iterator[str]:
    """Create what is missing, each in a commit of its own; yield the names. `patient`: rows may take long to move."""
    while True:
        with writing(engine) as connection:
            found = [each.until for each in partitions(connection, cut) if each.until is not None]
            if not found or found[-1] >= now + AHEAD:
                return
            if patient:
                take_your_time(connection)
            name = _add(connection, cut, found[-1], now)
        yield name


def _add(connection: Connection, cut: TableCut, begin: datetime, now: datetime) -> str:
    """Add the next piece; if none was made for a while, one that covers all of that time."""
    name, end = f"{cut.table}_{begin:%Y%m%d}", cut.end_of_piece(max(begin, now))
    bounds = {"lower": cut.bound(begin), "upper": cut.bound(end)}
    connection.execute(ADD, {"table": cut.table, "piece": name, "key": cut.column, **bounds})
    return name


def unplaced(connection: Connection) -> Mapping[str, int]:
    """Return by table how many rows are in the default partition, a thousand at most."""
    if not partitioned_tables(connection):
        return {}
    rest = sa.text("SELECT table_name, unplaced FROM dm_feedback_unplaced()")
    return {row.table_name: row.unplaced for row in connection.execute(rest)}


def give_up_traps(engine: Engine, cut: TableCut, now: datetime) -> bool:
    """Drop a constraint whose moment is near because its conversion was never finished: rows would be refused."""
    with reading(engine) as connection:
        found = None if cut.table in partitioned_tables(connection) else room_of(connection, cut)
    if found is None or found.until > now + TRAP:
        return False
    with writing(engine) as connection:
        connection.execute(sa.text("SELECT dm_feedback_give_up_room(:table)"), {"table": cut.table})
    return True
