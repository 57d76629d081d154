"""How look-ups and sweeps ended, counted per source and day. Counts only: no customer, no conversation."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import insert
from service.models import look_up_count

KEPT = timedelta(days=90)
SWEPT, SWEPT_KNOWN, SWEEP_FAILED = "swept", "swept_known", "swept_failed"
OF_SWEEPS = frozenset({SWEPT, SWEPT_KNOWN, SWEEP_FAILED})
"""Of conversations that a list told of: new, known by their webhook; and of pages that were not told."""

lc = look_up_count.c


def count(connection: Connection, source: str, outcome: str, now: datetime, by: int = 1) -> None:
    """Count one more, or several."""
    first = insert(connection, look_up_count).values(source=source, day=_day(now), outcome=outcome, n=by)
    connection.execute(first.on_conflict_do_update(index_elements=["source", "day", "outcome"], set_={"n": lc.n + by}))


def since(connection: Connection, then: datetime) -> dict[str, dict[str, int]]:
    """Return by source how many ended how, from the day of `then` on."""
    each = (
        sa.select(lc.source, lc.outcome, sa.func.sum(lc.n)).where(lc.day >= _day(then)).group_by(lc.source, lc.outcome)
    )
    found: dict[str, dict[str, int]] = {}
    for source, outcome, total in connection.execute(each.order_by(lc.source, lc.outcome)):
        found.setdefault(source, {})[outcome] = int(total)
    return found


def prune(connection: Connection, now: datetime) -> None:
    """Forget what nobody asks about any more."""
    connection.execute(sa.delete(look_up_count).where(lc.day < _day(now - KEPT)))


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
