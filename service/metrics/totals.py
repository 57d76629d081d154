"""Counters of all processes together, the same whichever process is asked.

Each process writes its numbers to a row of its own every few seconds, so nobody waits for anybody. When it ends, its
row is added to that of all past processes; if it is killed, the last few seconds are lost. Nothing else relies on these
numbers: the ledger is the truth.
"""

import platform
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy.engine import Connection, Engine

from service import __version__
from service.at_rest.columns import keyring_of
from service.clock import utc_now
from service.db import upsert, writing
from service.db.outages import is_away
from service.encrypting import in_force as keys
from service.ids import new_id
from service.metrics.gauge import PREFIX, family
from service.migrations import head
from service.models import process_count
from service.process import name_of
from service.telemetry.counters import METERS, PROCESS_COUNTS, Key, Meter, Numbers, ProcessCounts

KEEP_EVERY = timedelta(seconds=10)
GONE_AFTER = timedelta(days=1)
LAST_S = 2.0  # for the numbers of a process that is told to stop
log = structlog.get_logger(__name__)
pct = process_count.c


class Keeper:
    """Stores the numbers of one process. `role`: web or worker; `serves`: see served.py."""

    def __init__(
        self,
        engine: Engine,
        role: str,
        now: datetime,
        counts: ProcessCounts = PROCESS_COUNTS,
        serves: Iterable[str] = (),
    ) -> None:
        self._engine, self._counts = engine, counts
        self._name = name_of(new_id("p", now)[-6:])
        self._who = {
            "role": role, "version": __version__, "python": platform.python_version(), "revision": head(),
            "serves": sorted(serves),
        }  # fmt: skip
        self._kept: dict[Key, Numbers] | None = None
        self._said: Mapping[str, Any] | None = None

    def keep(self, now: datetime) -> None:
        """Write our row. If it was taken for a dead process's, what was in it no longer counts as ours."""
        with writing(self._engine) as connection:
            if self._kept is not None and not self._is_there(connection):
                self._counts.take_off(self._kept)
            numbers = self._counts.so_far()
            keys.follow(connection)
            self._said = keys.said_of(keyring_of(connection.dialect), self._said, now)
            values = {**self._who, "seen_at": now, "counts": _packed(numbers), "encryption": self._said}
            upsert(connection, process_count, {"name": self._name}, values)
        self._kept = numbers

    def _is_there(self, connection: Connection) -> bool:
        ours = sa.select(pct.name).where(pct.name == self._name).with_for_update()
        return connection.scalar(ours) is not None


def keep_on(keeper: Keeper, stop: threading.Event) -> threading.Thread:
    """Store the numbers every few seconds until told to stop, and once more at the end."""

    def run() -> None:
        ended = False
        while not ended:
            ended = stop.wait(KEEP_EVERY.total_seconds())
            try:
                keeper.keep(utc_now())
            except Exception as error:
                if not is_away(error):
                    log.exception("counts_not_kept", error=type(error).__name__)

    thread = threading.Thread(target=run, name="counts", daemon=True)
    thread.start()
    return thread


def fold(connection: Connection, now: datetime) -> None:
    """Add the rows of ended processes to the one row of all that have ended."""
    old = sa.or_(pct.name == keys.GONE, pct.seen_at < now - GONE_AFTER)
    rows = connection.execute(sa.select(process_count).where(old).order_by(pct.name).with_for_update()).all()
    dead = [row.name for row in rows if row.name != keys.GONE]
    if not dead:
        return
    connection.execute(sa.delete(process_count).where(pct.name.in_(dead)))
    values = {"seen_at": now, "counts": _packed(_sum(row.counts for row in rows))}
    nobodys = {"role": keys.GONE, "version": "", "python": ""}
    upsert(connection, process_count, {"name": keys.GONE}, values, once=nobodys)


def families(connection: Connection, now: datetime) -> Iterator[Metric]:
    """Yield every total, and which processes live."""
    rows = connection.execute(sa.select(process_count)).all()
    totals = _sum(row.counts for row in rows)
    for figure in METERS.values():
        mine = {labels: numbers for (name, labels), numbers in totals.items() if name == figure.name}
        yield _histogram(figure, mine) if figure.buckets else _counter(figure, mine)
    alive = ((*build, number) for build, number in living(connection, now).items())
    text = "Running processes, by role and build."
    yield family("build_info", text, ("role", "version", "python"), alive)


def living(connection: Connection, now: datetime) -> dict[tuple[str, str, str], int]:
    """Return how many processes are alive, by role, version and Python."""
    builds = (pct.role, pct.version, pct.python)
    found = sa.select(*builds, sa.func.count()).where(keys.is_alive(now)).group_by(*builds).order_by(*builds)
    return {(role, version, python): number for role, version, python, number in connection.execute(found)}


def _counter(figure: Meter, mine: Mapping[tuple[str, ...], Numbers]) -> Metric:
    made = CounterMetricFamily(f"{PREFIX}{figure.name}", figure.text, labels=figure.labels)
    for labels, (number,) in sorted(mine.items()):
        made.add_metric(labels, number)
    return made


def _histogram(figure: Meter, mine: Mapping[tuple[str, ...], Numbers]) -> Metric:
    made = HistogramMetricFamily(f"{PREFIX}{figure.name}", figure.text, labels=figure.labels)
    bounds = [*(f"{each:g}" if each < 1_000_000 else str(each) for each in figure.buckets), "+Inf"]  # noqa: PLR2004 - where %g would turn to exponents
    for labels, (*within, total) in sorted(mine.items()):
        upto = [sum(within[: place + 1]) for place in range(len(within))]
        made.add_metric(labels, buckets=list(zip(bounds, upto, strict=True)), sum_value=total)
    return made


def _sum(kept: Iterable[list[Any]]) -> dict[Key, Numbers]:
    totals: dict[Key, Numbers] = {}
    for each in kept:
        for name, labels, numbers in each:
            key = (name, tuple(labels))
            # a release with other buckets counts anew: shapes are not mixed
            if name in METERS and len(numbers) == METERS[name].width:
                had = totals.get(key, (0.0,) * len(numbers))
                totals[key] = tuple(one + other for one, other in zip(had, numbers, strict=True))
    return totals


def _packed(numbers: Mapping[Key, Numbers]) -> list[Any]:
    return [[name, list(labels), list(row)] for (name, labels), row in sorted(numbers.items())]
