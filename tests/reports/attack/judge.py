"""Judges what was read: figures that are no sum of whole releases, and small sets that follow from all of them.

The attacker is given more than a reader has: which leaf every answer is in, and (as `zeros`) who could have answers
when, from coverage or from the rota, day by day.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from service.reports.disclosure.asked import Pooled, Value
from service.reports.disclosure.store import Release
from tests.reports.attack.algebra import Sums
from tests.reports.attack.collect import Figure
from tests.reports.attack.ledgers import Spoken
from tests.reports.attack.play import DAY, Lived

CONTEXTS = ("campaign", "language", "hour")
PEOPLE = ("team", "agent")
LABELS: Mapping[str, Callable[[Spoken], tuple[Value, ...]]] = {
    "team": lambda each: (each.team,),
    "agent": lambda each: (each.team, each.agent),
    "rest": lambda each: (each.team, each.agent),
    "campaign": lambda each: (each.campaign,),
    "language": lambda each: (each.language,),
    "hour": lambda each: (each.hour,),
}
Leaf = tuple[Hashable, ...]


@dataclass
class Account:
    """One account's answers, and the leaf of every partition each of them is in."""

    lived: Lived
    name: str
    least: int

    @cached_property
    def days(self) -> Mapping[str, Release]:
        """The day's release of each answer."""
        mine = self.lived.leaf_of_day()
        return {number: day for number, day in mine.items() if self.lived.spoken[number].account == self.name}

    @cached_property
    def answered(self) -> Mapping[str, Spoken]:
        """Every answer that was seen by now, in a release or not."""
        today, spoken = self.lived.now.date(), self.lived.spoken.items()
        return {k: each for k, each in spoken if each.account == self.name and each.seen and each.seen < today}

    @cached_property
    def releases(self) -> Mapping[str, Sequence[Release]]:
        return {name: self.lived.releases(self.name, name) for name in ("day", *LABELS)}

    @cached_property
    def began(self) -> Mapping[tuple[Value, ...], date]:
        """Since when coverage knows of each agent."""
        found: dict[tuple[Value, ...], date] = {}
        for each in self.lived.releases(self.name, "agent_work", ""):
            for leaf in each.leaves:
                found.setdefault(leaf.label, each.first)
        return found

    def release(self, partition: str, day: Release) -> Release | None:
        """The release of a partition that a day's release is in."""
        return next((e for e in self.releases[partition] if e.first <= day.first and day.end <= e.end), None)

    def leaf(self, partition: str, day: Release, label: tuple[Value, ...]) -> tuple[tuple[Value, ...], bool] | None:
        """The leaf of somebody's answers of a day: the own one, or the nearest pool."""
        if partition == "rest":
            block = self.leaf("agent", day, label)
            if block is None or not block[1] or not block[0]:
                return None
        there = self.release(partition, day)
        leaves = {(leaf.label, leaf.pooled) for leaf in there.leaves} if there else set()
        near = [(label, False), *((label[:depth], True) for depth in range(len(label) - 1, -1, -1))]
        return next((each for each in near if each in leaves), None)


def misread(lived: Lived, figures: Iterable[Figure], accounts: Mapping[str, Account]) -> list[Figure]:
    """Return the figures that are not what the answers of their whole releases add up to."""
    wrong = []
    for figure in figures:
        told = [lived.spoken[number] for name in figure.accounts for number in _meant(accounts[name], figure)]
        classes = (sum(each.score < 4 for each in told), sum(each.score > 3 for each in told))
        scores = tuple(sorted(Counter(each.score for each in told).items()))
        if figure.classes != classes or (figure.scores and figure.scores != scores):
            wrong.append(figure)
    return wrong


def _partition(figure: Figure) -> str:
    named = {figure.by, *(name for name, _ in figure.wanted)}
    return next((each for each in (*CONTEXTS, "agent", "team") if each in named), "day")


def _meant(account: Account, figure: Figure) -> Iterable[str]:
    """The answers that a figure is of, by its own words: whole releases between its days, under its label."""
    partition = _partition(figure)
    wanted: dict[str, set[Value]] = defaultdict(set)
    for name, value in figure.wanted:
        wanted[name].add(value)
    if figure.by == "account" and not figure.is_total and figure.label != account.name:
        return
    for number, day in account.days.items():
        there = account.release(partition, day)
        if there is None or there.first < figure.first or there.end > figure.end:
            continue
        if partition == "day" or _is_under(account, figure, partition, day, account.lived.spoken[number], wanted):
            yield number


def _is_under(
    account: Account, figure: Figure, partition: str, day: Release, each: Spoken, wanted: Mapping[str, set[Value]]
) -> bool:
    leaf = account.leaf(partition, day, LABELS[partition](each))
    assert leaf is not None
    rest = account.release("rest", day)
    named = rest and rest.id <= figure.newest and figure.first <= rest.first and rest.end <= figure.end
    if partition == "agent" and named:
        leaf = account.leaf("rest", day, LABELS["rest"](each)) or leaf
    label, pooled = leaf
    names = PEOPLE if partition == "agent" else (partition,)
    for place, name in enumerate(names):
        if name in wanted and (place >= len(label) or str(label[place]) not in wanted[name]):
            return False
    if figure.is_total or figure.by == "account":
        return bool(wanted) or figure.is_total or figure.by == "account"
    return figure.label == _shown(figure.by, label, pooled)


def _shown(by: str | None, label: tuple[Value, ...], pooled: bool) -> Value | Pooled:
    if pooled and not (label and by == "team"):
        return Pooled(str(label[0]) if label else None, not label)
    return label[0] if by == "team" else label[-1]


@dataclass(frozen=True)
class Leak:
    """A small set that follows: in which table, which cells, how many answers."""

    table: str
    cells: frozenset[Hashable]
    n: int


def leaks(account: Account, rnd: random.Random, most: int, *, zeros: str) -> tuple[list[Leak], int]:
    """Return the small sets that follow from everything told of an account, and around how many cells it was tried."""
    built = tables(account, zeros)
    found = [Leak(name, *told) for name, table in built.items() if (told := table.told(account.least, most, rnd))]
    return found, sum(table.tried for table in built.values())


def tables(account: Account, zeros: str) -> Mapping[str, Sums]:
    """The tables to calculate in: people over time, each context with people, two contexts, the two clocks."""
    built = {"people": _table(account, ("team", "agent", "rest"), zeros)}
    for context in ("campaign", "language"):
        built[context] = _table(account, ("team", "agent", context), zeros)
    built["hour"] = _table(account, ("hour",), zeros)
    built["contexts"] = _table(account, ("team", "campaign", "language"), zeros)
    built["cohorts"] = _cohorts(account)
    return built


def _table(account: Account, partitions: Sequence[str], zeros: str) -> Sums:
    """Cells are day's release by all values that these partitions divide by; every one that could have answers."""
    spoken = account.lived.spoken

    def values(each: Spoken) -> tuple[tuple[Value, ...], ...]:
        return tuple(LABELS[name](each) for name in partitions)

    cells: dict[Hashable, int] = {}
    mine = [each for each in spoken.values() if each.account == account.name]
    those = {(each.ended, values(each)): each for each in mine}.values()
    for day in account.releases["day"]:
        for each in those:
            if _could(account, day, each, zeros):
                cells.setdefault((day.id, values(each)), 0)
    for number, day in account.days.items():
        cell = (day.id, values(spoken[number]))
        cells[cell] = cells.get(cell, 0) + 1
    sums: dict[Leaf, set[Hashable]] = defaultdict(set)
    by_id = {day.id: day for day in account.releases["day"]}
    for cell in cells:
        number, labels = cell  # type: ignore[misc]
        sums["day", number].add(cell)
        for name, label in zip(partitions, labels, strict=True):
            there, leaf = account.release(name, by_id[number]), account.leaf(name, by_id[number], label)
            if there is not None and leaf is not None:
                sums[name, there.id, leaf].add(cell)
    return Sums(cells, [frozenset(each) for each in sums.values()])


def _could(account: Account, day: Release, each: Spoken, zeros: str) -> bool:
    """Whether a conversation like this one could have an answer in a day's release, for all that is known of zeros."""
    if zeros == "rota":
        return day.first <= each.ended < day.end
    return account.began.get((each.team, each.agent), date.min) < day.end


def _cohorts(account: Account) -> Sums:
    """Days by cohorts: an answer is seen after its conversation was heard of, and within the window counted.

    Answers that no day's release holds yet are cells of a day `None`, for cohorts count them already; where there are
    none, the attacker is told so.
    """
    cohorts = account.lived.releases(account.name, "cohort", "")
    cells: dict[Hashable, int] = {}
    for day in account.releases["day"]:
        for cohort in (*cohorts, None):
            if cohort is None or cohort.first < day.end:
                cells[day.id, None if cohort is None else cohort.id] = 0
    for number, each in account.answered.items():
        day = account.days.get(number)
        cell = None if day is None else day.id, _cohort_of(account, cohorts, number, each)
        cells[cell] = cells.get(cell, 0) + 1
    sums: dict[Leaf, set[Hashable]] = defaultdict(set)
    for cell in cells:
        for name, number in zip(("day", "cohort"), cell, strict=True):  # type: ignore[call-overload]
            if number is not None:
                sums[name, number].add(cell)
    return Sums(cells, [frozenset(each) for each in sums.values()])


def _cohort_of(account: Account, cohorts: Iterable[Release], number: str, each: Spoken) -> int | None:
    assert each.seen is not None
    if each.seen - each.ended > account.lived.settings.reports.answer_window:
        return None
    cohort = next((e for e in cohorts if e.first <= each.ended < e.end), None)
    gone = cohort is not None and cohort.id > account.lived.erased.get(number, cohort.id)
    return None if cohort is None or gone else cohort.id


def last_day(spoken: Iterable[Spoken]) -> date:
    """The day after everything that happens."""
    return max(each.seen or each.ended for each in spoken) + DAY
