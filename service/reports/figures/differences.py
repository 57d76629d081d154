"""Then and now: how each group's figures differ between two periods, judged together. Pure.

Rows are read together, so significance is corrected for all of them. If a side has no value there is no difference, and
a word says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from service.errors import Invalid
from service.reports.days import ONE_DAY, midnight
from service.reports.dimensions import Value
from service.reports.figures.shapes import Rate, Score
from service.reports.figures.then_now import Differences, ThenNow
from service.reports.filters import Filter
from service.reports.statistics import chance, statistics
from service.reports.statistics.judging import Rising, judged, while_rising
from service.reports.statistics.statistics import Change, Place

By = tuple[str, str | None]
"""One dimension, and another one or none."""


@dataclass(frozen=True, slots=True)
class Name:
    """What a row is of: a group, or what is not told apart."""

    key: Value
    rest: str | None
    of: str | None
    and_key: Value = None


OUTSIDE: Mapping[Place | None, int] = {"above": 0, "below": 1}
EVERYBODY = Name(None, None, None)


@dataclass(frozen=True, slots=True)
class SideRow:
    """What is told of a group in one period. `counts`: how many gave which score; empty if that is not told."""

    score: Score
    counts: Mapping[int, int]
    rate: Rate


@dataclass(frozen=True, slots=True)
class Side:
    """One kind of card in one period: its groups, the total, and what is told of a group not in it."""

    groups: Mapping[Name, SideRow]
    total: SideRow
    nothing: SideRow

    def of(self, name: Name) -> SideRow:
        """What is told of this group."""
        return self.groups.get(name, self.nothing)


@dataclass(frozen=True, slots=True)
class Periods:
    """Both stretches, each [since, until)."""

    earlier_since: datetime
    earlier_until: datetime
    since: datetime
    until: datetime


def differences(
    kind: str, by: By, then: Side, now: Side, periods: Periods, smallest: float, rising: Rising | None = None
) -> Differences:
    """Put two periods side by side. `rising`: which side's customers may still answer, then's (a) or now's (b)."""
    names = list(dict.fromkeys([*now.groups, *then.groups]))
    rows = [_difference(kind, name, then.of(name), now.of(name), now.total) for name in names]
    (total,) = _judged([_difference(kind, EVERYBODY, then.total, now.total, now.total)], smallest, rising)
    rows = _judged(rows, smallest, rising)
    spans = (periods.earlier_since, periods.earlier_until, periods.since, periods.until)
    return Differences(kind, *by, *spans, smallest, tuple(rows), total)


def periods_of(wanted: Filter, other: Filter | None, zone: ZoneInfo, now: datetime) -> Periods:
    """Both periods: the other one as given, or as many days just before. Raises Invalid for half of one.

    The later one ends today at the latest: days to come would put more days before beside fewer. Of days to come alone
    both are empty.
    """
    if wanted.since is None:
        raise Invalid("since_needed", "Give 'since'; without it there is no earlier period to compare with.")
    end = now if wanted.until is None else min(wanted.until, midnight(now.astimezone(zone).date() + ONE_DAY, zone))
    until = max(wanted.since, end)
    if other is None:
        return Periods(*before(wanted.since, until, zone), wanted.since, until)
    if other.since is None or other.until is None:
        raise Invalid("two_sides_needed", "The other period needs both a start and an end.")
    demand_apart(replace(wanted, until=until), other)
    return Periods(other.since, other.until, wanted.since, until)


def demand_apart(a: Filter, b: Filter) -> None:
    """Raise Invalid for periods that share a moment; an open end has no end."""
    pairs = ((a.since, b.until), (b.since, a.until))
    if all(since is None or until is None or since < until for since, until in pairs):
        raise Invalid("periods_overlap", "The two periods share days; compare periods that do not overlap.")


def before(since: datetime, until: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The period of the same length just before: of as many days if it consists of days, whatever the clocks did."""
    first, end = since.astimezone(zone).date(), until.astimezone(zone).date()
    if (midnight(first, zone), midnight(end, zone)) == (since, until):
        return midnight(first - (end - first), zone), since
    return since - max(until - since, timedelta(microseconds=1)), since


def _difference(kind: str, name: Name, then: SideRow, now: SideRow, everybody: SideRow) -> ThenNow:
    shown = now.score.value is not None and bool(everybody.counts)
    bounds = chance.score_limits(kind, everybody.counts, now.score.n or 0) if shown else None
    return ThenNow(
        key=name.key,
        and_key=name.and_key,
        rest=name.rest,
        of=name.of,
        then=then.score,
        now=now.score,
        change=_change(kind, then, now),
        judgement="too_few_to_judge",
        limit_low=None if bounds is None else bounds.low,
        limit_high=None if bounds is None else bounds.high,
        place=chance.score_place(kind, now.counts, everybody.counts) if shown else None,
        response_then=then.rate,
        response_now=now.rate,
        response_change=rate_change(then.rate, now.rate),
        response_judgement="too_few_to_judge",
    )


def _change(kind: str, then: SideRow, now: SideRow) -> Change | None:
    if then.score.value is None or now.score.value is None:
        return None
    return statistics.compare(kind, then.counts, now.counts)


def rate_change(then: Rate, now: Rate) -> Change | None:
    """From one share to the other, where both are told."""
    if then.successes is None or then.n is None or now.successes is None or now.n is None:
        return None
    return statistics.compare_rate(then.successes, then.n, now.successes, now.n)


def _judged(rows: list[ThenNow], smallest: float, rising: Rising | None) -> list[ThenNow]:
    words = judged([row.change for row in rows], smallest)
    rates = judged([row.response_change for row in rows], smallest)
    return [
        replace(row, judgement=word, response_judgement=while_rising(rate, rising))
        for row, word, rate in zip(rows, words, rates, strict=True)
    ]


def in_order(table: Differences, ranking: int) -> Differences:
    """Outside the limits first; then by score if each group has enough answers, else by name; without a score last."""
    ranked = all((row.now.n or 0) >= ranking for row in table.rows if row.rest is None)

    def place(row: ThenNow) -> tuple[Any, ...]:
        score = row.now.value
        by_score = -(score or 0) if ranked else 0
        return (row.rest is not None, score is None, OUTSIDE.get(row.place, len(OUTSIDE)), by_score, *name_order(row))

    return replace(table, rows=tuple(sorted(table.rows, key=place)))


def name_order(row: ThenNow) -> tuple[Any, ...]:
    """By the name people read, of one dimension and then the other; hours as numbers, and what has none last."""
    names = (row.name or row.key, row.and_name or row.and_key)
    return tuple(
        (name is None, isinstance(name, str), name.casefold() if isinstance(name, str) else name) for name in names
    )
