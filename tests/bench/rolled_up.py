"""Builds the roll-ups of a generated ledger with a few SQL statements per month.

The worker counts request by request and stores what it counted of each; ten million requests take it most of an hour.
Here the ledger is grouped by SQL, as `dm-feedback results recount` does to check it. Nothing is stored per request, so
such a ledger is only for reading: later changes would be counted twice.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db import reading, writing
from service.db.postgresql import take_your_time
from service.models import change_counter, feedback_request, naming, naming_place, tally_book
from service.reports.counting import tally
from service.reports.counting.book import SHAPE
from service.reports.counting.facts import CLOCKS
from service.reports.counting.recount import Window, counted_rows, everything
from service.reports.counting.zones import number_of

GENERATION = 1
fr = feedback_request.c


def roll_up(engine: Engine, zone: ZoneInfo, months: float, rows: int) -> None:
    """Fill the roll-ups and mark them complete. The requests have their numbers already."""
    with reading(engine) as connection:
        _without_hurry(connection)
        view = everything(connection)
    for first, end in _months(months):
        for clock in CLOCKS:
            for grain in tally.GRAINS:
                with writing(engine) as connection:
                    _without_hurry(connection)
                    found = counted_rows(connection, view, Window(clock, grain, first, end), zone)
                    tally.write(connection, found, GENERATION)
    with writing(engine) as connection:
        book = {"generation": GENERATION, "zone": zone.key, "shape": SHAPE, "walked": None}
        connection.execute(sa.update(tally_book).values(book))
        connection.execute(sa.update(change_counter).values(last=rows))
        _name_everybody(connection, rows)


def _name_everybody(connection: Connection, rows: int) -> None:
    """Name everybody: in a ledger of years all have enough answers, and the worker need not find out."""
    moment = sa.literal(datetime.now(UTC), naming.c.named_at.type)
    everybody = sa.select(fr.account, sa.literal("agent"), fr.agent_id, moment, moment).distinct()
    columns = ["account", "kind", "name", "named_at", "readable_at"]
    found = everybody.where(fr.agent_id.is_not(None))
    connection.execute(sa.insert(naming).from_select(columns, found))
    connection.execute(sa.update(naming_place).values(sealed=rows))


def _without_hurry(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        take_your_time(connection)
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")


def _months(months: float) -> Iterator[tuple[int | None, int | None]]:
    """Every month there may be something in, as days since 1970, and what lies beyond."""
    now = datetime.now(UTC)
    first = number_of((now - timedelta(days=32 * months + 32)).date().replace(day=1))
    starts = [tally.month_of(first)]
    while starts[-1] < number_of(now.date()) + 31:
        starts.append(tally.next_month(starts[-1]))
    yield from pairwise([None, *starts, None])
