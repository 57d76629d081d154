"""Counts of groups in, what may be published out: no figure of a small group, none that subtraction would give.

Two doors. `protect` guards the groups of one breakdown against each other and their total; a filtered figure is a
breakdown of which a part is printed (`protection.py`). `whole_days` and `release` guard a period against the same
period a little longer or shorter. Nothing here is remembered between requests: whatever was published before, the same
rule would publish again.

What remains, said openly: a published total in which all answers are alike speaks for each of its members; and
a reader who knows this rule by heart can sometimes tell that hidden groups have exactly threshold - 1 answers.
Two breakdowns of overlapping periods are each safe; their difference is only as far as `released` is set truly and
answers do not arrive for days already released.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Fewest answers for a score, fewest comments to read, fewest answers for a ranking and for no mark."""

    score: int = 5
    comments: int = 8
    ranking: int = 30
    low_base: int = 30


DEFAULT = Thresholds()
ONE_DAY, ONE_WEEK = timedelta(days=1), timedelta(days=7)


class Reason(StrEnum):
    """Why a figure is not shown. `SUPPRESSED` never says which hidden group is the small one: that would tell."""

    SUPPRESSED = "suppressed"
    TOO_FEW = "too_few"


@dataclass(frozen=True, slots=True)
class Group:
    """One row of a breakdown: its answers with a score, split into outcome classes.

    `classes` are (detractors, passives, promoters) or (unsatisfied, satisfied), of the same kind for all groups.
    `released` is False where the period cuts through one of the group's own releases (see `release`).
    """

    key: str
    classes: tuple[int, ...]
    released: bool = True

    @property
    def n(self) -> int:
        """Answers with a score."""
        return sum(self.classes)


@dataclass(frozen=True, slots=True)
class Protected:
    """What may be said of a group. Hidden means everything made of answers: n, score, rates of answers, cells."""

    key: str
    n: int | None
    reason: Reason | None = None
    low_base: bool = False

    @property
    def shown(self) -> bool:
        """Whether the figures of this group may be published."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Span:
    """Whole days [first, end). `held` says that the asked period has answers outside it, not yet released."""

    first: date
    end: date
    held: bool


def protect(
    groups: Sequence[Group],
    thresholds: Thresholds = DEFAULT,
    margins: Mapping[str, Collection[str]] | None = None,
) -> list[Protected]:
    """Hide the small groups and as many others as it takes that no published total gives them away.

    `margins` names, for each total, the keys it sums; left out, one total sums all groups. A total that is itself
    among the groups can be hidden too; any other counts as published once it reaches the threshold. A trend has
    one margin (the summary above it); agents by weeks have one per agent, one per week, and the two sums of those.
    Hidden are 0 < n < `score`. In each margin the hidden groups must be none, or together

    - two or more, with so many answers that the best upper bound for each still reaches the threshold;
    - not all of one outcome, unless the whole margin is (then hiding more could not help).

    Where that cannot be reached the margin is hidden whole, its zeros too, and then its total if it can be.
    With several margins no hidden group is determined by all equations together (meant for pages of some hundred
    cells).
    """
    by_key = {group.key: group for group in groups}
    if len(by_key) < len(groups):
        raise ValueError("two groups share a key")
    lines = _published_lines(by_key, margins or {"": tuple(by_key)}, thresholds.score)
    hidden = {group.key for group in groups if group.n and (group.n < thresholds.score or not group.released)}
    before = -1
    while before < len(hidden):
        before = len(hidden)
        for line in lines:
            _complete(line, lines, hidden, thresholds.score)
        if before == len(hidden):
            hidden |= _beside_the_determined(lines, hidden, by_key)
    return [_judged(group, hidden, thresholds) for group in groups]


def may_rank(groups: Sequence[Group], thresholds: Thresholds = DEFAULT) -> bool:
    """Whether groups may be ordered by score: only if each has enough answers. Otherwise order by name."""
    return len(groups) > 1 and all(group.n >= thresholds.ranking for group in groups)


def whole_days(since: datetime, until: datetime, now: datetime, zone: tzinfo) -> tuple[date, date]:
    """Shrink [since, until) to whole days that are over: [first, end), empty when first >= end.

    A figure that moves while people watch pairs an answer with a conversation. `zone` is the organisation's, never
    the reader's: choosing a zone would cut days into hours.
    """
    begin, stop = since.astimezone(zone), min(until, now).astimezone(zone)
    first = begin.date() if begin.time() == time.min else begin.date() + timedelta(days=1)
    return first, stop.date()


def release(
    answers: Sequence[tuple[date, int]],
    first: date,
    end: date,
    thresholds: Thresholds = DEFAULT,
    grain: Callable[[date], date] | None = None,
) -> Span | None:
    """Shrink [first, end) to whole releases of one selection; None if it holds none.

    `answers` are (day, n) of the selection from its very first answer, in order, whatever period is asked for:
    then the releases do not move with the question. A release is a run of days (of weeks, with `grain=week_of`)
    that is closed as soon as it holds `score` answers. As every published period is a chain of releases, so is the
    difference between any of them, and no release is a small group. For a busy selection each day is a release
    and nothing is cut.
    """
    cuts = [cut for cut in _cuts(answers, thresholds.score, grain or _day) if first <= cut <= end]
    if not cuts:
        return None
    span_first, span_end = cuts[0], cuts[-1]
    held = any(n and first <= day < end and not span_first <= day < span_end for day, n in answers)
    return Span(span_first, span_end, held) if span_first < span_end else None


def week_of(day: date) -> date:
    """Monday of the ISO week: the grain for every figure that names an agent."""
    return day - timedelta(days=day.weekday())


def _day(day: date) -> date:
    return day


def _cuts(answers: Sequence[tuple[date, int]], threshold: int, grain: Callable[[date], date]) -> list[date]:
    """The days on which a published period may begin or end."""
    units: dict[date, int] = {}
    for day, n in answers:
        unit = grain(day)
        units[unit] = units.get(unit, 0) + n
    cuts, gathered = [], 0
    for unit, n in units.items():
        if not gathered and n:
            cuts.append(unit)  # also ends the quiet time since the last release
        gathered += n
        if gathered >= threshold:
            cuts.append(_next(unit, grain))
            gathered = 0
    return cuts


def _next(unit: date, grain: Callable[[date], date]) -> date:
    """The first day after a unit, which is a day or a week."""
    tomorrow = unit + ONE_DAY
    return tomorrow if grain(tomorrow) == tomorrow else unit + ONE_WEEK


def _judged(group: Group, hidden: Collection[str], thresholds: Thresholds) -> Protected:
    if group.key in hidden:
        return Protected(group.key, None, Reason.SUPPRESSED)
    return Protected(group.key, group.n, low_base=0 < group.n < thresholds.low_base)


@dataclass(frozen=True, slots=True)
class _Line:
    """One published sum; `total` is None where the sum is not among the groups and so cannot be hidden."""

    total: Group | None
    parts: list[Group]
    inner: list["_Line"]  # sums over some of the same parts, the largest first

    @property
    def n(self) -> int:
        return sum(group.n for group in self.parts)

    @property
    def keys(self) -> set[str]:
        return {group.key for group in self.parts} | ({self.total.key} if self.total else set())

    def published_within(self, hidden: Collection[str]) -> Iterator[set[str]]:
        """The parts of each inner sum that is not itself hidden."""
        for line in self.inner:
            if not (line.total and line.total.key in hidden):
                yield {group.key for group in line.parts}

    def left_over(self, hidden: set[str]) -> list[Group]:
        """The hidden parts less those whose sum an inner line tells: their own sum is known too, and must be safe."""
        left = {group.key for group in self.parts} & hidden
        for parts in self.published_within(hidden):
            told = parts & hidden
            left -= told if told <= left else set()
        return [group for group in self.parts if group.key in left]

    def equation(self, hidden: Collection[str]) -> dict[str, Fraction]:
        """The hidden parts add up to something known, less the total where that is hidden."""
        sides = {group.key: Fraction(1) for group in self.parts}
        if self.total:
            sides[self.total.key] = Fraction(-1)
        return {key: factor for key, factor in sides.items() if key in hidden}


def _published_lines(
    by_key: Mapping[str, Group], margins: Mapping[str, Collection[str]], threshold: int
) -> list[_Line]:
    lines: list[_Line] = []
    for total, parts in sorted(margins.items(), key=lambda each: len(set(each[1]))):
        inner = [line for line in reversed(lines) if {group.key for group in line.parts} < set(parts)]
        lines.append(_Line(by_key.get(total), [by_key[key] for key in parts], inner))
    if any(line.total and line.total.n != line.n for line in lines):
        raise ValueError("a total is not the sum of its parts")
    return [line for line in lines if line.total or line.n >= threshold]


def _complete(line: _Line, lines: Sequence[_Line], hidden: set[str], threshold: int) -> None:
    """Hide further parts until total minus shown tells nothing about any one hidden part."""
    while not (line.total and line.total.key in hidden):
        inside = line.left_over(hidden)
        if _safe(inside, line.parts, threshold):
            return
        more = _next_to_hide(line, lines, inside, hidden, threshold)
        if not more:
            return
        hidden |= more
        if any(more & parts for parts in line.published_within(hidden)):
            return  # that inner sum comes first: it may take its own total away, or hide more


def _next_to_hide(
    line: _Line, lines: Sequence[_Line], inside: Sequence[Group], hidden: set[str], threshold: int
) -> set[str]:
    """The smallest shown part (one that brings another outcome, if only that is missing); the zeros; the total.

    Not one of an inner sum that is published, which would say what was added; and rather one whose other totals have
    hidden parts already, or are hidden: a first hidden part takes a second with it.
    """
    spare = [group for group in line.parts if group.n and group.key not in hidden]
    if not spare:
        zeros = {group.key for group in line.parts} - set(hidden)
        return zeros or ({line.total.key} if line.total else set())
    known, only_mixture = _outcomes(inside), _enough(inside, threshold)

    told = set().union(*line.published_within(hidden))
    untouched = [other.keys for other in lines if other is not line and hidden.isdisjoint(other.keys)]

    def rank(group: Group) -> tuple[bool, bool, int, int, bool, str]:
        same, first = _outcomes([group]) <= known, sum(group.key in keys for keys in untouched)
        return (group.key in told, same and only_mixture, first, group.n, same, group.key)

    return {min(spare, key=rank).key}


def _safe(inside: Sequence[Group], line: Sequence[Group], threshold: int) -> bool:
    """Whether total minus shown tells nothing about any one of the hidden groups."""
    if not inside:
        return True
    mixed = len(_outcomes(inside)) > 1 or len(_outcomes(line)) == 1
    return _enough(inside, threshold) and mixed


def _enough(inside: Sequence[Group], threshold: int) -> bool:
    """Two or more, and none provably small: all others may have 1, so the bound for each is sum - (k - 1)."""
    count, answers = len(inside), sum(group.n for group in inside)
    return count > 1 and answers - (count - 1) >= threshold


def _outcomes(groups: Iterable[Group]) -> set[int]:
    return {index for group in groups for index, count in enumerate(group.classes) if count}


def _beside_the_determined(lines: Sequence[_Line], hidden: Collection[str], by_key: Mapping[str, Group]) -> set[str]:
    """With several totals: one more group to hide where the equations still determine a hidden one.

    Each margin may be safe alone and the table not. Each turn hides one group more, so it ends, at the latest with
    everything hidden that can be.
    """
    pinned = _determined([line.equation(hidden) for line in lines]) if len(lines) > 1 else set()
    near = {key for line in lines if pinned & line.keys for key in line.keys if key in by_key} - set(hidden)
    spare = near or set(by_key) - set(hidden)
    if not pinned or not spare:
        return set()
    return {min(spare, key=lambda key: (by_key[key].n == 0, by_key[key].n, key))}


def _determined(equations: Sequence[dict[str, Fraction]]) -> set[str]:
    """The unknowns that have one solution (Gauss-Jordan, exact fractions): a row is left with nothing but it."""
    solved: dict[str, dict[str, Fraction]] = {}
    for equation in equations:
        row = dict(equation)
        for pivot in [key for key in row if key in solved]:
            _subtract(row, solved[pivot], row.get(pivot, Fraction(0)))
        if not row:
            continue
        pivot = min(row)
        row = {key: factor / row[pivot] for key, factor in row.items()}
        for other in solved.values():
            _subtract(other, row, other.get(pivot, Fraction(0)))
        solved[pivot] = row
    return {pivot for pivot, row in solved.items() if len(row) == 1}


def _subtract(row: dict[str, Fraction], other: Mapping[str, Fraction], times: Fraction) -> None:
    for key, factor in other.items() if times else ():
        rest = row.get(key, Fraction(0)) - times * factor
        if rest:
            row[key] = rest
        else:
            row.pop(key, None)
