"""Compares the roll-ups with the ledger, and starts them anew, which repairs everything.

Counts in SQL what the sealer counted in Python, month by month, so two ways must agree. A change that is not sealed yet
is no difference: the roll-ups hold what was sealed last.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db import writing
from service.models import feedback_request, tally
from service.reports.counting import book as books
from service.reports.counting.book import TallyBook, book_of
from service.reports.counting.facts import CLOCKS, counted_facts, facts_of
from service.reports.counting.from_ledger import ledger_lines
from service.reports.counting.lines import Line, Slice
from service.reports.counting.live import EVER
from service.reports.counting.tally import (
    ALWAYS,
    BOTH,
    COUNTS,
    GRAINS,
    SPANS,
    TOLD_APART,
    Deltas,
    Key,
    add,
    count_columns,
    month_of,
    next_month,
)
from service.reports.counting.zones import day_of
from service.reports.days import midnight
from service.reports.visible import View
from service.requests import seals
from service.settings import Settings

fr = feedback_request.c
tl = tally.c
KEYS = [tl[name] for name in TOLD_APART]
ASK_HELD = (
    sa.select(*KEYS, *count_columns())
    .where(*(tl[name] == sa.bindparam(name) for name in ("generation", "clock", "grain")))
    .where(tl.start >= sa.bindparam("first"), tl.start < sa.bindparam("end"))
    .group_by(*KEYS)
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of the roll-ups that differs from the ledger. Counts in the order of COUNTS."""

    key: Mapping[str, Any]
    held: tuple[int, ...]
    counted: tuple[int, ...]


def differences(connection: Connection) -> Iterator[Difference]:
    """Compare every row; no differences while the roll-ups are being built, because they are not used then."""
    book = book_of(connection)
    if book.walked is not None:
        return
    view, late = everything(connection), _unsealed(connection, book)
    for clock in CLOCKS:
        for grain in GRAINS:
            for window in _windows(connection, book, clock):
                yield from _of_window(connection, view, book, Window(clock, grain, *window), late)


def _of_window(
    connection: Connection, view: View, book: TallyBook, window: "Window", late: Deltas
) -> Iterator[Difference]:
    counted = counted_rows(connection, view, window, ZoneInfo(book.zone))
    _add_all(counted, ((key, counts) for key, counts in late.items() if window.has(key)))
    held, nothing = _held(connection, book, window), [0] * len(COUNTS)
    for key in sorted({*held, *counted}, key=repr):
        is_, should = held.get(key, nothing), counted.get(key, nothing)
        if is_ != should:
            yield Difference(dict(zip(TOLD_APART, key, strict=True)), tuple(is_), tuple(should))


def begin_anew(engine: Engine, settings: Settings, now: datetime) -> None:
    """Start a new generation; `sealing.walk` builds it, and until then figures are counted from the ledger."""
    with writing(engine) as connection:
        seals.hold_counter(connection)
        books.begin(connection, settings.service.time_zone, now)


@dataclass(frozen=True, slots=True)
class Window:
    """What is compared at once: a clock, a grain, and whole months as days [first, end); None: no end."""

    clock: str
    grain: str
    first: int | None
    end: int | None

    def has(self, key: Key) -> bool:
        """Whether a row belongs here."""
        told = dict(zip(TOLD_APART, key, strict=True))
        within = (self.first is None or self.first <= told["start"]) and (self.end is None or told["start"] < self.end)
        return within and (told["clock"], told["grain"]) == (self.clock, self.grain)


def _windows(connection: Connection, book: TallyBook, clock: str) -> list[tuple[int | None, int | None]]:
    """The months there are, and the time before, between and after them: one short statement per month."""
    months = sa.select(tl.start).where(tl.generation == book.generation, tl.clock == clock, tl.grain == "account")
    starts = sorted(connection.scalars(months.where(tl.span == "month").distinct()))
    edges = [None, *sorted({*starts, *(next_month(start) for start in starts)}), None]
    return list(pairwise(edges))


def everything(connection: Connection) -> View:
    """All accounts of the ledger, and nothing held back."""
    return View(tuple(connection.scalars(sa.select(fr.account).distinct())), None)


def _unsealed(connection: Connection, book: TallyBook) -> Deltas:
    """What the roll-ups hold of changed requests, minus what these say now."""
    deltas: Deltas = {}
    for _, counted, present in facts_of(connection, None, seals.IS_UNSEALED):
        add(deltas, counted_facts(counted, book.generation), 1, ZoneInfo(book.zone))
        add(deltas, present, -1, ZoneInfo(book.zone))
    return deltas


def counted_rows(connection: Connection, view: View, window: Window, zone: ZoneInfo) -> dict[Key, list[int]]:
    """The rows of a window, as the ledger says."""
    found: dict[Key, list[int]] = {}
    names = GRAINS[window.grain]
    since, until = (None if day is None else midnight(day_of(day), zone) for day in (window.first, window.end))
    q = Slice(window.clock, zone, since, until, by=names, daily=True)
    for line in ledger_lines(connection, view, q):
        _add_all(found, _rows(line, window.clock, window.grain, names))
    return found


def _rows(line: Line, clock: str, grain: str, names: tuple[str, ...]) -> Iterator[tuple[Key, list[int]]]:
    assert line.day is not None, "the question was daily"
    starts = {"day": line.day, "month": month_of(line.day)}
    told: dict[str, Any] = dict(zip(names, line.values, strict=True))
    told |= {"clock": clock, "grain": grain, "type": line.type, "state": line.state, "reason": line.reason}
    told |= {name: getattr(line, name) for name in ALWAYS}
    for span in SPANS.get(grain, BOTH):
        told |= {"span": span, "start": starts[span]}
        yield tuple(told.get(name) for name in TOLD_APART), [line.n, line.answered, line.commented, *line.scores]


def _held(connection: Connection, book: TallyBook, window: Window) -> dict[Key, list[int]]:
    asked = {"generation": book.generation, "clock": window.clock, "grain": window.grain}
    first, end = (day if day is not None else far for day, far in zip((window.first, window.end), EVER, strict=True))
    rows = connection.execute(ASK_HELD, {**asked, "first": first, "end": end})
    return {row[: len(KEYS)]: list(row[len(KEYS) :]) for row in rows if any(row[len(KEYS) :])}


def _add_all(found: dict[Key, list[int]], rows: Iterable[tuple[Key, list[int]]]) -> None:
    for key, counts in rows:
        held = found.setdefault(key, [0] * len(COUNTS))
        for place, count in enumerate(counts):
            held[place] += count
