"""Coverage, funnel and response rates for those who see no rows: sums of whole releases.

Coverage comes by whole weeks (teams) or four weeks (agents) and holds no answers. Funnel and rates come in cohorts of
whole days of an account, closed once their answer window was over. Dated by the day we heard of the end.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.engine import Connection

from service.reports.counting.counts import Counts
from service.reports.counting.periods import start_of
from service.reports.dimensions import PEOPLE, Value
from service.reports.disclosure import store
from service.reports.disclosure.published import last_day
from service.reports.disclosure.store import ANY_KIND, Leaf, Release, ReleaseSeries

WORK_OF = {"team": "team_work", "agent": "agent_work"}
ANSWERED = ("delivered", "answered", "scored", "commented")
"""What a cohort counts of each kind of card."""


@dataclass(frozen=True, slots=True)
class CoveredConversations:
    """Groups and their total, without any answers, over the days really counted; None if no release lies in the period.

    `few`: conversations of people who were not named then; None if there are none, or if groups were chosen.
    """

    groups: Mapping[Value, Counts]
    few: Counts | None
    total: Counts
    first: date | None
    end: date | None


@dataclass(frozen=True, slots=True)
class Cohort:
    """Conversations of whole days [first, end) whose answer window is over, and the answers to them by kind of card."""

    conversations: Counts
    answers: Mapping[str, Counts]
    first: date | None
    end: date | None


def coverage(
    connection: Connection,
    accounts: Sequence[str],
    by: str,
    wanted: Mapping[str, frozenset[Value]],
    first: date | None,
    end: date | None,
) -> CoveredConversations:
    """Return what became of the conversations of each team or agent."""
    named = "agent" if by == "agent" or "agent" in wanted else "team"
    found = _of(connection, accounts, WORK_OF[named], first, end)
    groups: dict[Value, list[Leaf]] = defaultdict(list)
    few = [leaf for each in found for leaf in each.leaves if leaf.pooled and not wanted]
    for leaf in (leaf for each in found for leaf in each.leaves if _is_wanted(leaf, wanted)):
        groups[leaf.label[PEOPLE.index(by)]].append(leaf)
    total = _added([*few, *(leaf for those in groups.values() for leaf in those)])
    rows = {label: _added(those) for label, those in groups.items()}
    return CoveredConversations(rows, _added(few) if few else None, total, *_days(found))


def covered_people(connection: Connection, accounts: Sequence[str], by: str) -> frozenset[Value]:
    """Return the teams or agents that coverage has ever named."""
    found = store.labels(connection, accounts, ANY_KIND, WORK_OF[by])
    return frozenset(label[PEOPLE.index(by)] for label in found)


def cohort(connection: Connection, accounts: Sequence[str], first: date | None, end: date | None) -> Cohort:
    """Return the whole cohorts of a period as one, for funnel and response rates."""
    return _joined(_of(connection, accounts, "cohort", first, end))


def cohorts_by(
    connection: Connection, accounts: Sequence[str], period: str, first: date | None, end: date | None
) -> tuple[Cohort, ...]:
    """Return the cohorts by day, week or month: each in the period of its last day."""
    periods: dict[date, list[Release]] = defaultdict(list)
    for each in _of(connection, accounts, "cohort", first, end):
        periods[start_of(last_day(each), period)].append(each)
    return tuple(_joined(periods[begin]) for begin in sorted(periods))


def _of(
    connection: Connection, accounts: Sequence[str], partition: str, first: date | None, end: date | None
) -> list[Release]:
    return [
        each
        for account in accounts
        for each in store.releases(connection, ReleaseSeries(account, ANY_KIND), partition, first, end)
    ]


def _is_wanted(leaf: Leaf, wanted: Mapping[str, frozenset[Value]]) -> bool:
    named = zip(PEOPLE, leaf.label, strict=False)
    return not leaf.pooled and all(value in wanted[name] for name, value in named if name in wanted)


def _days(found: Sequence[Release]) -> tuple[date | None, date | None]:
    return min((each.first for each in found), default=None), max((each.end for each in found), default=None)


def _joined(found: Sequence[Release]) -> Cohort:
    leaves = [leaf for each in found for leaf in each.leaves]
    counts = _counts(leaves)
    kinds = sorted({name.partition(":")[0] for name in counts if name.endswith(":delivered")})
    answers = {kind: Counts(**_those(counts, ANSWERED, f"{kind}:")) for kind in kinds}
    return Cohort(_added(leaves), answers, *_days(found))


def _added(leaves: Iterable[Leaf]) -> Counts:
    counts = _counts(leaves)
    skipped, failed = _reasons(counts, "skipped"), _reasons(counts, "failed")
    return Counts(**_those(counts, ("ended", "pending", "delivered", "unknown")), skipped=skipped, failed=failed)


def _those(counts: Mapping[str, int], names: Iterable[str], of: str = "") -> dict[str, Any]:
    return {name: counts[f"{of}{name}"] for name in names}


def _counts(leaves: Iterable[Leaf]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for leaf in leaves:
        counts.update(leaf.counts)
    return counts


def _reasons(counts: Mapping[str, int], state: str) -> Counter[str]:
    return Counter({name.partition(":")[2]: n for name, n in counts.items() if name.startswith(f"{state}:")})
