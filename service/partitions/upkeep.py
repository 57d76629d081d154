"""What the worker's housekeeping does about partitions: functions that create, drop and forget.

Without partitions every kind of row is forgotten as usual. With them, pieces are created ahead and dropped whole; only
rows overdue by a whole piece, in the first piece or the default one, are left to small commits.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy.engine import Engine

from service.auth import chain
from service.db import reading
from service.db.batch_deletion import Overdue, Stop
from service.db.partitioned import partitioned_tables
from service.models import metadata
from service.partitions import creation, delivery_keys, dropping
from service.partitions.catalog import unless_busy
from service.partitions.cuts import TableCut, cuts
from service.settings.sections import Privacy

log = structlog.get_logger(__name__)


def those_cut(engine: Engine, privacy: Privacy) -> Mapping[str, TableCut]:
    """Return how the partitioned tables are cut, by name."""
    with reading(engine) as connection:
        there = partitioned_tables(connection)
    return {name: cut for name, cut in cuts(privacy).items() if name in there}


def tasks(
    engine: Engine, privacy: Privacy, cut: Mapping[str, TableCut], now: datetime, *, dry_run: bool, stop: Stop
) -> Iterator[tuple[str, Callable[[], int]]]:
    """How to create and drop pieces of those cut, and delete keys too old for any repeat."""
    if not cut:
        return
    yield "partitions", partial(_pieces, engine, cut, now, dry_run=dry_run, stop=stop)
    if (deliveries := cut.get("webhook_delivery")) is not None:
        # a key must not go before its delivery: copied back, two deliveries could take the same place
        keep = max(privacy.keep_repeats, deliveries.keep + 2 * deliveries.width)
        yield "delivery_keys", partial(delivery_keys.prune, engine, now - keep, dry_run=dry_run, stop=stop)


def rest_of(kind: Callable[[datetime], Overdue], before: datetime, cut: TableCut | None) -> Overdue:
    """Return what is too old of a kind; in a partitioned table only what no dropped piece takes along in time."""
    if cut is None:
        return kind(before)
    late = rest_before(before, cut)
    column = metadata.tables[cut.table].c[cut.column]
    return replace(kind(late), among=column < cut.bound(late))


def rest_before(before: datetime, cut: TableCut | None) -> datetime:
    """Return when rows are overdue by a whole piece, or in an unpartitioned table, when they are due."""
    return before if cut is None else before - cut.width


def _pieces(engine: Engine, cut: Mapping[str, TableCut], now: datetime, *, dry_run: bool, stop: Stop) -> int:
    """Create what will be needed and drop what is due; return how many pieces were, or would be, dropped."""
    if dry_run:
        return sum(len(dropping.due(engine, each, now - each.keep)) for each in cut.values())
    for each in cut.values():
        with unless_busy(each.table):
            for name in creation.make(engine, each, now):
                log.info("partition_made", partition=name)
    if "access_log" in cut:
        chain.seal_what_waits(engine)
    return sum(dropping.drop(engine, each, now - each.keep, stop) for each in cut.values())


def give_up_traps(engine: Engine, privacy: Privacy, now: datetime) -> None:
    """Let nothing be refused because a conversion was begun and never finished."""
    for each in cuts(privacy).values() if engine.dialect.name == "postgresql" else ():
        with unless_busy(each.table):
            if creation.give_up_traps(engine, each, now):
                log.warning("partitioning_given_up", table=each.table)
