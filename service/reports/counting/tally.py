"""The roll-ups: facts of changed conversations become rows of `tally` that add or subtract.

Each conversation appears once in every grain and span, on each of its clocks. So any period of whole days is a sum of
whole months and single days, and no sum reads more rows than it has groups. Never reads the ledger.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect

from service.models import tally
from service.reports.counting.facts import CLOCKS, HELD, Facts
from service.reports.counting.zones import day_and_hour, day_of, number_of
from service.reports.dimensions import ACCOUNT_AND_PEOPLE

tl = tally.c
ALWAYS = ("variant", "way")
"""Which questions are in a figure, and which ways of asking, is said with it, whatever it is split by."""

CONTEXT = tuple(name for name in HELD if name not in (*ACCOUNT_AND_PEOPLE, *ALWAYS))
GRAINS: Mapping[str, tuple[str, ...]] = {
    "account": ("account",),
    "team": ("account", "team"),
    "people": ACCOUNT_AND_PEOPLE,
    "hour": ("account", "hour"),
    "context": ("account", *CONTEXT),
    "full": (*ACCOUNT_AND_PEOPLE, *CONTEXT),
}
"""What each grain tells apart; the smallest that will do is asked."""

SPANS: Mapping[str, tuple[str, ...]] = {"full": ("month",)}
"""Grains that are not kept by day too: there they would be as long as the ledger."""

BOTH = ("day", "month")
SCORES = tuple(f"s{score}" for score in range(11))
COUNTS = ("n", "answered", "commented", *SCORES)
TOLD_APART = tuple(
    column.name for column in tally.columns if column.name not in ("id", "generation", *COUNTS)
)  # the order of a key
DIMENSIONS_HELD = tuple(name for name in TOLD_APART if name in (*HELD, "hour"))
Key = tuple[Any, ...]
Deltas = dict[Key, list[int]]


def _row(grain: str, span: str) -> tuple[str, str, Callable[[Key], Key]]:
    """Pick the values a grain distinguishes; the rest becomes the None at its end."""
    kept = (*GRAINS[grain], *ALWAYS)
    told = [
        place if name in kept or name not in DIMENSIONS_HELD else len(TOLD_APART)
        for place, name in enumerate(TOLD_APART)
    ]
    return grain, span, itemgetter(*told)


ROWS = tuple(_row(grain, span) for grain in GRAINS for span in SPANS.get(grain, BOTH))
"""In which rows a conversation stands, on each of its clocks."""


def add(deltas: Deltas, facts: Facts | None, sign: int, zone: ZoneInfo) -> None:
    """Count one conversation in (1) or out (-1)."""
    if facts is None:
        return
    counted = [place for place, is_ in enumerate((True, facts.answered, facts.commented)) if is_]
    if facts.score is not None:
        counted.append(len(COUNTS) - len(SCORES) + facts.score)
    for key in keys(facts, zone):
        held = deltas.get(key)
        if held is None:
            held = deltas[key] = [0] * len(COUNTS)
        for place in counted:
            held[place] += sign


def keys(facts: Facts, zone: ZoneInfo) -> Iterator[Key]:
    """All rows a conversation stands in."""
    groups = dict(facts.groups)
    for clock, moment in zip(CLOCKS, facts.moments, strict=True):
        if moment is None:
            continue
        day, groups["hour"] = day_and_hour(moment, zone)
        starts = {"day": day, "month": month_of(day)}
        told = (*(groups[name] for name in DIMENSIONS_HELD), facts.type, facts.state, facts.reason, None)
        for grain, span, pick in ROWS:
            yield pick((clock, span, starts[span], grain, *told))


def write(connection: Connection, deltas: Deltas, generation: int) -> None:
    """Add the differences to the roll-ups. Only one at a time may do this, the holder of the counter."""
    rows = [(_digest(generation, key), generation, *key, *counts) for key, counts in deltas.items() if any(counts)]
    if rows:
        connection.exec_driver_sql(_statement(connection.dialect), rows)


@lru_cache(maxsize=4)
def _statement(dialect: Dialect) -> str:
    """The upsert in the driver's own form: a dictionary per row would cost more than the database takes."""
    names = ("id", "generation", *TOLD_APART, *COUNTS)
    marks = ", ".join(["?" if dialect.paramstyle == "qmark" else "%s"] * len(names))
    sums = ", ".join(f"{name} = tally.{name} + excluded.{name}" for name in COUNTS)
    columns = ", ".join(dialect.identifier_preparer.quote(name) for name in names)
    return f"INSERT INTO tally ({columns}) VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {sums}"  # noqa: S608 - names


def grain_for(names: Iterable[str]) -> str | None:
    """The smallest grain that distinguishes all these; None: there is none, ask the ledger."""
    wanted = set(names) - set(ALWAYS)
    return next((grain for grain, held in GRAINS.items() if wanted <= set(held)), None)


@lru_cache(maxsize=4096)
def month_of(day: int) -> int:
    """The first day of a day's month, both in days since 1970."""
    return number_of(day_of(day).replace(day=1))


def next_month(first: int) -> int:
    """The first day of the month after."""
    return month_of(number_of(day_of(first) + timedelta(days=31)))


def _digest(generation: int, key: Key) -> str:
    return hashlib.blake2b(repr((generation, key)).encode(), digest_size=16).hexdigest()


@cache
def count_columns() -> tuple[sa.ColumnElement[int], ...]:
    """The sums of a question to the roll-ups, in the order of COUNTS."""
    return tuple(sa.func.sum(tl[name]) for name in COUNTS)


@cache
def scored_column() -> sa.ColumnElement[int]:
    """How many gave any score."""
    return sa.func.sum(sum((tl[name] for name in SCORES[1:]), tl[SCORES[0]]))
