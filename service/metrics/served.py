"""Which accounts and sources the living processes serve, and figures limited to those.

An account or source that is in nobody's settings any more is left out: how it stood when it left needs no mending.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.encrypting.in_force import is_alive
from service.metrics.gauge import Gauge
from service.metrics.gauges import GAUGES
from service.models import process_count
from service.settings import Settings

SECTIONS = {"account": "accounts", "source": "sources"}
"""The first label of a figure that is of somebody, and where the settings name them."""

pct = process_count.c
Served = Collection[str] | None
"""As in accounts.acme; None: a process does not say whom it serves."""


def of(settings: Settings) -> list[str]:
    """Return the accounts and sources of the settings; moving one to another database asks for it."""
    return [f"accounts.{name}" for name in settings.accounts] + [f"sources.{name}" for name in settings.sources]


def now_served(connection: Connection, ours: Settings, now: datetime) -> Served:
    """Return what living processes serve, plus what these settings do."""
    said = connection.scalars(sa.select(pct.serves).where(is_alive(now))).all()
    if any(each is None for each in said):
        return None
    return frozenset(of(ours)).union(*(each or [] for each in said))


def by_workers(connection: Connection, now: datetime) -> Served:
    """Return what living workers serve; None: there is none yet, or one does not say."""
    said = connection.scalars(sa.select(pct.serves).where(is_alive(now), pct.role == "worker")).all()
    if not said or any(each is None for each in said):
        return None
    return frozenset[str]().union(*(each or [] for each in said))


def figures(connection: Connection, ours: Settings, now: datetime) -> Iterator[tuple[Gauge, Sequence[Sequence[Any]]]]:
    """Query each gauge; yield it with its rows, labels first and the number last, of who is served."""
    served = now_served(connection, ours, now)
    for each in GAUGES:
        rows = connection.execute(each.query(now)).all()
        section = SECTIONS.get(each.labels[0]) if each.labels else None
        if served is not None and section is not None:
            rows = [row for row in rows if f"{section}.{row[0]}" in served]
        yield each, rows
