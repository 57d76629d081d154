"""A ledger in which tests say when answers are seen, and releases are closed as the worker closes them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import reading
from service.models import release
from service.reports.disclosure import closing, store
from service.reports.disclosure.asked import PeriodQuestion, PublishedFigures
from service.reports.disclosure.closing import close_due
from service.reports.disclosure.days import ReleaseTerms
from service.reports.disclosure.published import published, trend
from service.reports.disclosure.store import Release, ReleaseSeries
from tests.reports.world import World, name_everybody

CSAT = ReleaseSeries("acme", "csat")
MONDAY = date(2026, 8, 31)  # the first of a block of four weeks
TWELVE = MONDAY + timedelta(weeks=8)
"""The first of a span of twelve weeks."""


def days_cannot_be_closed(monkeypatch: pytest.MonkeyPatch, series: ReleaseSeries) -> None:
    """Have a bug in whatever closes days of one account and kind of card."""
    walk_days = closing._walk_days

    def fail(connection: Connection, terms: ReleaseTerms, before: date, due: date) -> date | None:
        if terms.series == series:
            raise ValueError
        return walk_days(connection, terms, before, due)

    monkeypatch.setattr(closing, "_walk_days", fail)


def terms(least: int = 5) -> ReleaseTerms:
    """What is closed of acme's csat cards in UTC, after twelve weeks."""
    return ReleaseTerms(CSAT, ZoneInfo("UTC"), least, datetime(2026, 11, 23, 2, tzinfo=UTC), timedelta(days=7))


def on(world: World, day: date, n: int = 1, *, hour: float = 12, score: int = 5, **columns: Any) -> list[str]:
    """`n` conversations answered on a local day; the world dates an answer ten minutes after its conversation's end."""
    at = datetime.combine(day, time.min, world.settings.service.time_zone) + timedelta(hours=hour, minutes=-10)
    return [] if n == 0 else world.add(n, score=score, days_ago=(world.clock.now - at) / timedelta(days=1), **columns)


def close(world: World, day: date, settings: Any = None, hour: int = 2) -> None:
    """Close all that is due on the morning of a day. Whoever is in a small group then has been named long since."""
    world.clock.now = datetime.combine(day, time(hour), world.settings.service.time_zone)
    name_everybody(world.engine)
    while close_due(world.engine, settings or world.settings, world.clock.now):
        pass


def said(
    world: World, by: str | None = None, first: date | None = None, end: date | None = None, **wanted: Any
) -> PublishedFigures:
    asked = PeriodQuestion(
        ("acme",), "csat", by, {name: frozenset({value}) for name, value in wanted.items()}, first, end
    )
    with reading(world.engine) as connection:
        return published(connection, world.settings, asked, world.clock.now)


def line(world: World, period: str, **changes: Any) -> tuple[PublishedFigures, ...]:
    with reading(world.engine) as connection:
        return trend(
            connection, world.settings, replace(PeriodQuestion(("acme",), "csat"), **changes), period, world.clock.now
        )


def closed(world: World, partition: str, series: ReleaseSeries = CSAT) -> tuple[Release, ...]:
    with reading(world.engine) as connection:
        return store.releases(connection, series, partition)


def spans(releases: Iterable[Release]) -> list[tuple[date, date, int]]:
    """First day, last day and answers of each."""
    return [
        (e.first, e.end - timedelta(days=1), sum(n for leaf in e.leaves for n in leaf.counts.values()))
        for e in releases
    ]


def told(releases: Iterable[Release]) -> list[dict[tuple[Any, ...], int]]:
    """The leaves of each and their answers. A pool ends with an asterisk."""
    return [{(*e.label, *"*"[: e.pooled]): sum(e.counts.values()) for e in each.leaves} for each in releases]


def rows(world: World) -> int:
    with reading(world.engine) as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(release)) or 0
