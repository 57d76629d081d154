"""Drops partitions whose every row is due, and returns their names.

One statement per piece, however many rows it has. A piece waits for its last row; the default partition, and rows
overdue by a whole piece, are left to the small commits of `retention`. If somebody keeps reading the table, nothing is
dropped this hour.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine

from service.auth import chain
from service.db import reading, writing
from service.db.batch_deletion import Stop
from service.models import metadata
from service.partitions.catalog import Piece, partitions, unless_busy
from service.partitions.cuts import TableCut

DROP = sa.text("SELECT dm_feedback_drop_partition(:piece)")
log = structlog.get_logger(__name__)


def due(engine: Engine, cut: TableCut, before: datetime) -> Sequence[Piece]:
    """Return the pieces in which every row is older than `before`. Changes nothing."""
    with reading(engine) as connection:
        return _due(connection, cut, before)


def _due(connection: Connection, cut: TableCut, before: datetime) -> Sequence[Piece]:
    found = partitions(connection, cut)
    begins = [None, *(each.until for each in found)]
    old = [(begin, each) for begin, each in zip(begins, found, strict=False) if each.until and each.until <= before]
    return [each for begin, each in old if not _holds_younger(connection, cut, begin, each, before)]


def _holds_younger(
    connection: Connection, cut: TableCut, begin: datetime | None, piece: Piece, before: datetime
) -> bool:
    """Whether a row in it becomes due later than its place suggests: history may be written long after the request."""
    if cut.aged_by is None:
        return False
    assert piece.until is not None
    column = metadata.tables[cut.table].c
    within = column[cut.column] < cut.bound(piece.until)
    if begin is not None:
        within = sa.and_(within, column[cut.column] >= cut.bound(begin))
    younger = sa.select(sa.literal(1)).where(within, column[cut.aged_by] >= before).limit(1)
    return connection.scalar(younger) is not None


def drop(engine: Engine, cut: TableCut, before: datetime, stop: Stop) -> int:
    """Drop what is due, the oldest first; return how many pieces went."""
    gone = 0
    with unless_busy(cut.table):
        for piece in due(engine, cut, before):
            if stop() or not _went(engine, cut, piece, before):
                break
            gone += 1
    return gone


def _went(engine: Engine, cut: TableCut, piece: Piece, before: datetime) -> bool:
    with writing(engine) as connection:
        # again: somebody may have written into it since
        if piece not in _due(connection, cut, before) or not _may_go(connection, cut, piece, before):
            return False
        connection.execute(DROP, {"piece": piece.name})
    log.info("partition_dropped", partition=piece.name)
    return True


def _may_go(connection: Connection, cut: TableCut, piece: Piece, before: datetime) -> bool:
    """Whether the piece may go; one of the access log, once the anchor of its chain lies behind it."""
    if cut.table != "access_log":
        return True
    assert piece.until is not None
    return chain.leave_behind(connection, piece.until, before)
