"""Everything an analyst may read at one moment: figures, with what they say they are.

The questions are those of the API: windows, filters, breakdowns, trends, of one account and of both. Refusals are noted
too. A figure says which days it holds; nobody takes its word for it (`judge`).
"""

import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

from service.db import reading
from service.errors import Invalid
from service.reports.disclosure.asked import Group, PeriodQuestion, Pooled, PublishedFigures, Value
from service.reports.disclosure.published import published, trend
from tests.reports.attack.ledgers import BEGIN
from tests.reports.attack.play import Lived

BY = (None, "team", "agent", "campaign", "language", "hour", "account")


@dataclass(frozen=True)
class Figure:
    """What was read: of which accounts, split by what, kept to what, the label, the days, and the numbers.

    `newest` is the last release that had been made by then: names by twelve weeks come after the weeks themselves.
    """

    accounts: tuple[str, ...]
    by: str | None
    wanted: tuple[tuple[str, Value], ...]
    label: Value | Pooled
    is_total: bool
    first: date
    end: date
    n: int
    classes: tuple[int, ...]
    scores: tuple[tuple[int, int], ...]
    newest: int = 0


def collect(lived: Lived, rnd: random.Random, windows: int = 4) -> set[Figure]:
    """Ask everything once, over all days, each trend, and some windows of any length."""
    found: set[Figure] = set()
    for asked in _questions(lived, rnd, windows):
        found |= set(_read(lived, asked))
    return found


def _questions(lived: Lived, rnd: random.Random, windows: int) -> Iterator[PeriodQuestion]:
    days = (lived.now.date() - BEGIN).days
    spans: list[tuple[date | None, date | None]] = [(None, None)]
    for _ in range(windows):
        a, b = sorted(rnd.sample(range(-3, days + 8), 2))
        spans.append((BEGIN + timedelta(days=a), BEGIN + timedelta(days=b)))
    for first, end in spans:
        for wanted in _filters(lived, rnd):
            for by in BY:
                yield PeriodQuestion((rnd.choice(("acme", "other")),), "csat", by, wanted, first, end)
            yield PeriodQuestion(("acme", "other"), "csat", rnd.choice(BY), wanted, first, end)


def _filters(lived: Lived, rnd: random.Random) -> Iterator[dict[str, frozenset[Value]]]:
    people = sorted({(each.team, each.agent) for each in lived.spoken.values()})
    if not people:  # nobody has spoken yet
        yield {}
        return
    team, agent = rnd.choice(people)
    others = frozenset(name for name, _ in people if name != team)
    campaign = rnd.choice(sorted({each.campaign for each in lived.spoken.values()}))
    yield {}
    yield {"team": frozenset({team})}
    yield {"agent": frozenset({agent})}
    yield {"campaign": frozenset({campaign})}
    yield {"team": others or frozenset({team})}


def _read(lived: Lived, asked: PeriodQuestion) -> Iterator[Figure]:
    with reading(lived.engine) as connection, suppress(Invalid):  # two contexts, or a context of people: refused
        yield from _figures(asked, published(connection, lived.settings, asked, lived.now))
        if len(asked.accounts) > 1:  # the point of a trend of both is the sum of two spans
            return
        for period in ("month", "week", "day"):  # until releases are longer than the period: refused as well
            for point in trend(connection, lived.settings, asked, period, lived.now):
                yield from _figures(asked, point)


def _figures(asked: PeriodQuestion, said: PublishedFigures) -> Iterator[Figure]:
    if said.first is None or said.end is None:
        assert said.groups == ()
        return
    wanted = tuple((name, value) for name, values in sorted(asked.wanted.items()) for value in sorted(map(str, values)))
    for group in (*said.groups, *([said.total] if said.total else [])):
        yield _figure(asked, wanted, group, group is said.total, (said.first, said.end))


def _figure(
    asked: PeriodQuestion, wanted: tuple[tuple[str, Value], ...], group: Group, is_total: bool, days: tuple[date, date]
) -> Figure:
    scores = tuple(sorted(group.scores.items()))
    return Figure(asked.accounts, asked.by, wanted, group.label, is_total, *days, group.n, group.classes, scores)
