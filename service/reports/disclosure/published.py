"""The figures of those who see no rows: sums of whole releases, the days they cover, and what still waits.

Only closed releases are read: any two looks differ by whole releases, and every key and surface is told the same. A
period is shrunk to the releases inside it; nothing is ever calculated from an open one.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby

from sqlalchemy.engine import Connection

from service.errors import Invalid
from service.reports.counting.periods import start_of
from service.reports.days import ONE_DAY
from service.reports.dimensions import NAMED, PEOPLE, Value
from service.reports.disclosure import store
from service.reports.disclosure.asked import (
    REPRESENTATIVE,
    Group,
    PeriodQuestion,
    Pooled,
    PublishedFigures,
    partition_of,
)
from service.reports.disclosure.partitions import REST
from service.reports.disclosure.spans import over_at
from service.reports.disclosure.store import Leaf, Release, ReleaseSeries
from service.reports.statistics.statistics import classes_of
from service.settings import Settings

TOO_SHORT: Mapping[str, tuple[str, ...]] = {"day": (), "team": ("day",)}
"""Periods of which a partition has no whole releases; all others are told by four weeks."""
FOUR_WEEKS = ("day", "week")


def published(connection: Connection, settings: Settings, asked: PeriodQuestion, now: datetime) -> PublishedFigures:
    """Answer a question. Raises Invalid if no partition can."""
    partition = partition_of(asked)
    said = {account: _said(connection, account, asked, partition) for account in asked.accounts}
    return _answer(asked, partition, said, making=being_made(connection, settings, asked, now))


def trend(
    connection: Connection, settings: Settings, asked: PeriodQuestion, period: str, now: datetime
) -> tuple[PublishedFigures, ...]:
    """Return the same by day, week or month: each release in the period of its last day, with the days it covers.

    Raises Invalid for periods shorter than releases of this kind.
    """
    partition = partition_of(asked)
    _demand(partition, period)
    said = {account: _said(connection, account, asked, partition) for account in asked.accounts}
    making = being_made(connection, settings, asked, now)
    parts = {account: those.by(period) for account, those in said.items()}
    begins = sorted({begin for those in parts.values() for begin in those})
    points = [{account: those.get(begin, NOTHING) for account, those in parts.items()} for begin in begins]
    return tuple(_answer(asked, partition, point, making=making) for point in points)


def _demand(partition: str, period: str) -> None:
    if period in TOO_SHORT.get(partition, FOUR_WEEKS):
        raise Invalid(
            "period_too_short",
            f"Figures for analysts by {partition} are released by {'weeks' if partition == 'team' else 'four weeks'}; "
            f"they are not available by {period}.",
        )


@dataclass(frozen=True, slots=True)
class AccountReleases:
    """All releases of an account in a period: of the account by day, of the partition asked about, of its rest."""

    days: tuple[Release, ...]
    whole: tuple[Release, ...]
    rests: tuple[Release, ...]

    def by(self, period: str) -> Mapping[date, "AccountReleases"]:
        """Return those of each day, week or month: the releases that end in it, and what is inside them."""
        found = {}
        for begin, those in groupby(self.whole, key=lambda each: start_of(last_day(each), period)):
            whole = tuple(those)
            first, end = whole[0].first, whole[-1].end
            found[begin] = AccountReleases(_within(self.days, first, end), whole, _within(self.rests, first, end))
        return found


NOTHING = AccountReleases((), (), ())


def _within(releases: Sequence[Release], first: date, end: date) -> tuple[Release, ...]:
    """Those inside, found by their ends, which are in order: a trend asks for each of its points."""
    after, to = (bisect_right(releases, day, key=lambda each: each.end) for day in (first, end))
    return tuple(each for each in releases[after:to] if _inside(each, first, end))


def _inside(release: Release, first: date, end: date) -> bool:
    return first <= release.first and release.end <= end


def _said(connection: Connection, account: str, asked: PeriodQuestion, partition: str) -> AccountReleases:
    series = ReleaseSeries(account, asked.type)

    def read(name: str) -> tuple[Release, ...]:
        return store.releases(connection, series, name, asked.first, asked.end)

    return AccountReleases(read("day"), read(partition), read(REST) if partition == "agent" else ())


def _answer(
    asked: PeriodQuestion, partition: str, said: Mapping[str, AccountReleases], *, making: bool
) -> PublishedFigures:
    parts = {account: _of_account(asked, partition, those) for account, those in said.items()}
    found = _together(list(parts.values()))
    if asked.by == "account":
        totals = [replace(part.total, label=account) for account, part in parts.items() if part.total]
        found = replace(found, groups=tuple(totals))
    return replace(found, reason=_reason(found, making=making))


def last_day(release: Release) -> date:
    """Return the last day of a release; it decides to which week or month it belongs."""
    return release.end - ONE_DAY


def _of_account(asked: PeriodQuestion, partition: str, said: AccountReleases) -> PublishedFigures:
    if not said.whole:
        return PublishedFigures(waiting=_n(said.days))
    first, end = said.whole[0].first, said.whole[-1].end
    days = _days_in(said.whole, said.days)
    account = _sum(asked.type, None, [leaf for day in days for leaf in day.leaves])
    if partition == "day":
        return PublishedFigures((), account, first, end)
    kept = [leaf for leaf in _leaves(said) if _wanted(leaf, asked, partition)]
    groups = _groups(kept, asked) if asked.by not in {None, "account"} else ()
    wanted = _sum(asked.type, None, kept) if kept else None
    total = wanted if {*asked.wanted} - {"account"} else account
    return PublishedFigures(groups, total, first, end, _n(said.days) - _n(days))


def _days_in(whole: Sequence[Release], days: Sequence[Release]) -> list[Release]:
    """The days' releases that a longer one holds: where one is missing, all together are still what the groups are."""
    ends = [each.end for each in whole]
    found = [(day, bisect_left(ends, day.end)) for day in days]
    return [day for day, at in found if at < len(ends) and whole[at].first <= day.first]


def _leaves(said: AccountReleases) -> list[Leaf]:
    """All leaves; the pools of teams replaced by what twelve weeks tell of them, if those are complete."""
    told = [leaf for each in said.rests for leaf in each.leaves]
    for block in said.whole:
        split = any(_inside(block, rest.first, rest.end) for rest in said.rests)
        told += [leaf for leaf in block.leaves if not (split and leaf.pooled and leaf.label)]
    return told


def _wanted(leaf: Leaf, asked: PeriodQuestion, partition: str) -> bool:
    """Whether the filter asks for a leaf; for a pool, only if nothing but its team was asked for."""
    names = PEOPLE if partition == "agent" else (partition,)
    for place, name in enumerate(names):
        if name in asked.wanted and (place >= len(leaf.label) or leaf.label[place] not in asked.wanted[name]):
            return False
    return True


def _groups(leaves: Sequence[Leaf], asked: PeriodQuestion) -> tuple[Group, ...]:
    groups: dict[Value | Pooled, list[Leaf]] = defaultdict(list)
    for leaf in leaves:
        groups[_label(leaf, asked.by)].append(leaf)
    return tuple(_sum(asked.type, label, those) for label, those in sorted(groups.items(), key=lambda e: repr(e[0])))


def _label(leaf: Leaf, by: str | None) -> Value | Pooled:
    if leaf.pooled:
        return Pooled(str(leaf.label[0]) if leaf.label and leaf.label[0] is not None else None, not leaf.label)
    label = leaf.label[-1] if by != "team" else leaf.label[0]
    return NAMED[by].called(label) if by is not None else label


def _sum(type: str, label: Value | Pooled, leaves: Iterable[Leaf]) -> Group:
    """Add leaves up: scores if they are told, else outcome classes."""
    counts: Counter[str] = Counter()
    for leaf in leaves:
        counts.update(leaf.counts)
    scores = {int(name): n for name, n in counts.items() if not name.startswith("c")}
    if scores:
        return Group(label, classes_of(type, scores), dict(sorted(scores.items())))
    return Group(label, tuple(counts[f"c{i}"] for i in range(len(REPRESENTATIVE[type]))))


def _n(releases: Iterable[Release]) -> int:
    return sum(n for each in releases for leaf in each.leaves for n in leaf.counts.values())


def _together(parts: Sequence[PublishedFigures]) -> PublishedFigures:
    """Several accounts as one answer, from the first day of any of them to the last."""
    groups: dict[Value | Pooled, list[Group]] = defaultdict(list)
    for part in parts:
        for group in part.groups:
            groups[group.label].append(group)
    totals = [part.total for part in parts if part.total is not None]
    return PublishedFigures(
        groups=tuple(_joined(label, those) for label, those in groups.items()),
        total=_joined(None, totals) if totals else None,
        first=min((part.first for part in parts if part.first), default=None),
        end=max((part.end for part in parts if part.end), default=None),
        waiting=sum(part.waiting for part in parts),
    )


def _joined(label: Value | Pooled, groups: Sequence[Group]) -> Group:
    scores: Counter[int] = Counter()
    for group in groups:
        scores.update(group.scores)
    told = scores if all(group.scores for group in groups) else {}
    classes = tuple(map(sum, zip(*(group.classes for group in groups), strict=True)))
    return Group(label, classes, dict(sorted(told.items())))


def _reason(found: PublishedFigures, *, making: bool) -> str | None:
    if making:
        return "releases_being_made"
    if found.first is None:
        return "waits"
    return "pooled" if found.total is None else None


def being_made(connection: Connection, settings: Settings, asked: PeriodQuestion, now: datetime) -> bool:
    """Whether days that are over are still being closed for any of these accounts."""
    due, walks = over_at(now, settings.service.time_zone), store.walks(connection)
    return any(walks.get(ReleaseSeries(each, asked.type), {}).get("day", date.min) < due for each in asked.accounts)
