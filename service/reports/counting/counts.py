"""Conversations counted: in, a filter and the clock of its cohort; out, how many ended, were asked, answered.

Numerator and denominator come from one statement over the same rows, so no filter can apply to one of them only.
Never hides anything; `figures` does.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import feedback_request
from service.reports.counting.cells import COLUMNS, Value
from service.reports.counting.zones import local_day, local_hour
from service.reports.figures.shapes import Reasoned
from service.reports.filters import Filter
from service.reports.rows.query import figure_conditions
from service.reports.visible import View
from service.states import OPEN_STATES, State

f = feedback_request.c
CLOCKS: Mapping[str, sa.ColumnElement[Any]] = {"ended_at": f.ended_at, "sent_at": f.card_sent_at}
OPEN = frozenset(state.value for state in OPEN_STATES)


@dataclass(slots=True)
class Counts:
    """What became of some conversations. Answers count only on delivered cards."""

    ended: int = 0
    pending: int = 0
    delivered: int = 0
    unknown: int = 0
    answered: int = 0
    scored: int = 0
    commented: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)

    def add(self, other: "Counts") -> None:
        """Take in the conversations of another group."""
        for name in ("ended", "pending", "delivered", "unknown", "answered", "scored", "commented"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, theirs in ((self.skipped, other.skipped), (self.failed, other.failed)):
            for reason, n in theirs.items():
                mine[reason] = mine.get(reason, 0) + n


Groups = Mapping[tuple[Value, ...], Counts]


def counted(
    connection: Connection,
    view: View,
    filter: Filter,
    clock: str,
    zone: ZoneInfo,
    by: Sequence[str] = (),
) -> Groups:
    """Count the conversations of a cohort by group; without `by` there is one group, ()."""
    moment = CLOCKS[clock]
    split = [_column(each, moment, zone).label(f"d{i}") for i, each in enumerate(by)]
    columns = [*split, f.state, f.reason]
    answers = [view.answered, view.score.is_not(None), view.commented]
    sums = [sa.func.sum(sa.case((each, 1), else_=0)) for each in answers]
    query = sa.select(*columns, sa.func.count(), *sums).select_from(view.join)
    query = query.where(moment.is_not(None), *figure_conditions(view, filter, clock))
    query = query.group_by(*(sa.text(str(i + 1)) for i in range(len(columns))))
    groups: dict[tuple[Value, ...], Counts] = defaultdict(Counts)
    for row in connection.execute(query):
        key, (state, reason, n, answered, scored, commented) = tuple(row[: len(by)]), row[len(by) :]
        groups[key].add(_one(state, reason, n, (answered, scored, commented)))
    return groups if by else groups or {(): Counts()}


def total(groups: Groups) -> Counts:
    """All groups together."""
    every = Counts()
    for one in groups.values():
        every.add(one)
    return every


def reasons(found: Mapping[str, int]) -> tuple[Reasoned, ...]:
    """Return reasons by name, so that the order tells nothing."""
    return tuple(Reasoned(reason, n) for reason, n in sorted(found.items()))


def _one(state: str, reason: str | None, n: int, answers: tuple[int, int, int]) -> Counts:
    found = Counts(ended=n)
    if state == State.CARD_SENT:
        found.delivered, (found.answered, found.scored, found.commented) = n, answers
    elif state == State.UNKNOWN:
        found.unknown = n
    elif state in OPEN:
        found.pending = n
    else:
        (found.skipped if state == State.SKIPPED else found.failed)[reason or "unsaid"] = n
    return found


def _column(name: str, moment: sa.ColumnElement[Any], zone: ZoneInfo) -> Any:
    if name == "day":
        return local_day(moment, zone)
    if name == "type":
        return f.type
    return local_hour(moment, zone) if name == "hour" else COLUMNS[name]
