"""Roll-ups: in, the facts of conversations that changed; out, rows of `tally` that are more or less by them.

Each conversation stands once in every grain and span, on each of its clocks. So any period of whole days is a sum of
whole months and the days beside them, and no sum reads more rows than there are groups in it. Never reads the ledger.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import insert
from service.models import tally
from service.reports.counting.facts import CLOCKS, HELD, Facts
from service.reports.counting.zones import day_and_hour, day_of, number_of
from service.reports.dimensions import PEOPLE, Value

t = tally.c
ALWAYS = ("variant",)
"""Which questions are in a figure is said with it, whatever it is split by."""

CONTEXT = tuple(name for name in HELD if name not in (*PEOPLE, *ALWAYS))
GRAINS: Mapping[str, tuple[str, ...]] = {
    "account": ("account",),
    "people": PEOPLE,
    "hour": ("account", "hour"),
    "context": ("account", *CONTEXT),
    "full": (*PEOPLE, *CONTEXT),
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
Key = tuple[Any, ...]
Deltas = dict[Key, list[int]]


def add(deltas: Deltas, facts: Facts | None, sign: int, zone: ZoneInfo) -> None:
    """Count one conversation in (1) or out (-1)."""
    if facts is None:
        return
    counts = [sign, sign * facts.answered, sign * facts.commented, *([0] * len(SCORES))]
    if facts.score is not None:
        counts[3 + facts.score] = sign
    for key in keys(facts, zone):
        held = deltas.setdefault(key, [0] * len(COUNTS))
        for place, count in enumerate(counts):
            held[place] += count


def keys(facts: Facts, zone: ZoneInfo) -> Iterator[Key]:
    """All rows a conversation stands in."""
    groups = dict(facts.groups)
    for clock, moment in zip(CLOCKS, facts.moments, strict=True):
        if moment is None:
            continue
        day, groups["hour"] = day_and_hour(moment, zone)
        starts = {"day": day, "month": month_of(day)}
        for grain, names in GRAINS.items():
            for span in SPANS.get(grain, BOTH):
                yield _key(clock, span, starts[span], grain, names, groups, facts)


def write(connection: Connection, deltas: Deltas, generation: int) -> None:
    """Add the differences to the roll-ups. Only one at a time may do so: hold the counter."""
    changed = [(key, counts) for key, counts in deltas.items() if any(counts)]
    if not changed:
        return
    rows = [
        {"id": _digest(generation, key), "generation": generation, **dict(zip(TOLD_APART, key, strict=True)),
         **dict(zip(COUNTS, counts, strict=True))}
        for key, counts in changed
    ]  # fmt: skip
    add_up = insert(connection, tally)
    sums = {name: t[name] + add_up.excluded[name] for name in COUNTS}
    connection.execute(add_up.on_conflict_do_update(index_elements=["id"], set_=sums), rows)


def grain_for(names: Iterable[str]) -> str | None:
    """The smallest grain that tells all these apart; None: there is none, ask the ledger."""
    wanted = set(names) - set(ALWAYS)
    return next((grain for grain, held in GRAINS.items() if wanted <= set(held)), None)


@lru_cache(maxsize=4096)
def month_of(day: int) -> int:
    """The first day of a day's month, both in days since 1970."""
    return number_of(day_of(day).replace(day=1))


def next_month(first: int) -> int:
    """The first day of the month after."""
    return month_of(number_of(day_of(first) + timedelta(days=31)))


def _key(
    clock: str, span: str, start: int, grain: str, names: tuple[str, ...], groups: Mapping[str, Value], facts: Facts
) -> Key:
    told = {
        "clock": clock, "span": span, "start": start, "grain": grain, "type": facts.type, "state": facts.state,
        "reason": facts.reason,
    }  # fmt: skip
    held = (*names, *ALWAYS)
    return tuple(groups[name] if name in held else told.get(name) for name in TOLD_APART)


def _digest(generation: int, key: Key) -> str:
    return hashlib.blake2b(repr((generation, key)).encode(), digest_size=16).hexdigest()


def count_columns() -> list[sa.ColumnElement[int]]:
    """The sums of a question to the roll-ups, in the order of COUNTS."""
    return [sa.func.sum(t[name]) for name in COUNTS]
