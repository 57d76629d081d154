"""Periods that may be published: in, the days somebody asked for and the answers there are; out, whole releases.

A figure for "up to Monday" minus one for "up to Sunday" would be Monday's only answer. So periods begin and end only
where a release does: a run of days (weeks, where an agent is named) with enough answers. Pure.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from service.reports.counting.cells import Cell
from service.reports.disclosure.suppression import Thresholds, release

Grain = Callable[[date], date]
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """The period in whole days, [first, end). `open`: it has no end yet. `live`: there is no embargo."""

    first: date
    end: date
    open: bool
    live: bool


@dataclass(frozen=True, slots=True)
class Cover:
    """The days that are published, [first, end); `end` None: up to now. `held`: the asked period has more answers."""

    first: date
    end: date | None
    held: bool = False

    def has(self, day: date) -> bool:
        """Whether answers of this day are in."""
        return self.first <= day and (self.end is None or day < self.end)


def cover_of(cells: Sequence[Cell], asked: Asked, thresholds: Thresholds, grain: Grain | None = None) -> Cover | None:
    """Shrink the asked period to whole releases of these cells; None if it holds none.

    Without an embargo a period that is still open takes in what has come since the last release. A period that ends
    earlier must then not end at that last release, or the two would differ by a handful.
    """
    answers = _per_day(cells)
    inside = [day for day, _ in answers if asked.first <= day < asked.end or (asked.open and day >= asked.first)]
    if not inside:
        return Cover(asked.first, None if asked.open else asked.end)
    if not asked.live:
        span = release(answers, asked.first, asked.end, thresholds, grain)
        return None if span is None else Cover(span.first, span.end, span.held)
    return _live_cover(answers, asked, thresholds, grain)


def _live_cover(
    answers: Sequence[tuple[date, int]], asked: Asked, thresholds: Thresholds, grain: Grain | None
) -> Cover | None:
    units = _per_unit(answers, grain) if grain else answers
    every = release(units, date.min, date.max, thresholds, grain)
    if every is None:
        return Cover(asked.first, None) if asked.open and asked.first <= answers[0][0] else None
    tail = any(day >= every.end for day, _ in units)
    latest = date.max
    if not asked.open:
        latest = min(asked.end, every.end - ONE_DAY) if tail else asked.end
    span = release(units, asked.first, latest, thresholds, grain)
    if span is None:
        return None
    cover = Cover(span.first, None if asked.open else span.end)
    return replace(cover, held=_left_out(answers, asked, cover))


def _per_unit(answers: Sequence[tuple[date, int]], grain: Grain) -> list[tuple[date, int]]:
    units: Counter[date] = Counter()
    for day, n in answers:
        units[grain(day)] += n
    return sorted(units.items())


def _left_out(answers: Sequence[tuple[date, int]], asked: Asked, cover: Cover) -> bool:
    period = Cover(asked.first, None if asked.open else asked.end)
    return any(n and period.has(day) and not cover.has(day) for day, n in answers)


def _per_day(cells: Iterable[Cell]) -> list[tuple[date, int]]:
    days: Counter[date] = Counter()
    for cell in cells:
        days[cell.day] += cell.n
    return sorted(days.items())
