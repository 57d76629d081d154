"""One question of a reader of rows: the lines every figure is made of.

People too small to be named in rows are not named here either: split by people they form one group, and asked for by
name they are left out, as their rows are.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from service.db.transaction_cache import once_per_transaction
from service.errors import Invalid
from service.reports.counting.lines import Line, Slice
from service.reports.counting.live import lines
from service.reports.counting.periods import SEVEN_DAYS
from service.reports.dimensions import ACCOUNT_AND_PEOPLE, FILTERED, NAMED, Value
from service.reports.disclosure.naming import Names, is_over, names_of
from service.reports.filters import ANSWERED, FigureFilterSchema, Filter
from service.reports.report_query import ReportQuery
from service.reports.visible import View
from service.settings import CARD_TYPES
from service.web.parameters import made

LEDGER = "ended_at"
DAILY = ("day", "week", SEVEN_DAYS)
NOT_NAMED, NAMED_ONES = "\0", "\0\0"  # nobody's names: no database of ours holds a NUL
REST = "not_named"
"""What a row is instead of a group: those who are not named."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Who asks what. `score_clock` and `rate_clock` say by which moment scores and rates are dated."""

    connection: Connection
    view: View
    names: Names
    filter: Filter
    now: datetime
    zone: ZoneInfo

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of card asked about; they are never added."""
        return kinds_of(self.filter)

    @property
    def until(self) -> datetime | None:
        """The end of the period; None: open, so it includes what is yet to come."""
        return self.filter.until if self.filter.until is not None and self.filter.until < self.now else None

    @property
    def score_clock(self) -> str:
        """The clock of scores: the filter's, or the day the score was given."""
        return self.filter.date_field or "scored_at"

    @property
    def rate_clock(self) -> str:
        """The clock of response rates: their cohort is what was sent, or ended if the filter says so."""
        return LEDGER if self.filter.date_field == LEDGER else "sent_at"

    @property
    def withholds(self) -> bool:
        """Whether people were asked for by name while some may not be named."""
        return self.filter.names_people and self.names.hides

    def lines(self, clock: str, *by: str, period: str | None = None) -> list[Line]:
        """Count conversations by a clock, with people as rows name them. A line's first values are its groups."""
        return self._lines(clock, by, period, "work")

    def scored(self, *by: str, period: str | None = None) -> list[Line]:
        """The same of scored answers, by the clock of scores."""
        return self._lines(self.score_clock, by, period, "scores")

    def _lines(
        self, clock: str, by: tuple[str, ...], period: str | None, wanted: Literal["scores", "work"]
    ) -> list[Line]:
        people = ACCOUNT_AND_PEOPLE if self.filter.names_people or any(NAMED[name].people for name in by) else ()
        q = Slice(
            clock, self.zone, self.filter.since, self.until, by=tuple(dict.fromkeys((*by, *people))),
            chosen=self.filter.chosen, types=self.filter.types, daily=period in DAILY, monthly=period == "month",
            wanted=wanted,
        )  # fmt: skip
        found = self._of_teams(q) if by == ("team",) and not self.filter.names_people else self._count(q)
        return self._named(found, q.by, len(by))

    def _of_teams(self, q: Slice) -> list[Line]:
        """Whole teams, plus their few unnamed agents separately, rather than every agent of each team."""
        whole = [replace(line, values=(*line.values, NAMED_ONES)) for line in self._count(replace(q, by=q.by[:2]))]
        if not self.names.few:
            return whole
        few = self._count(replace(q, chosen={**q.chosen, "agent": self.names.few}))
        return [*whole, *few, *(replace(_less(line), values=(*line.values[:2], NAMED_ONES)) for line in few)]

    def _count(self, q: Slice) -> list[Line]:
        """Count groups by their names of today: the ledger keeps what was usual when a conversation ended."""
        found = lines(self.connection, self.view, q)
        if not any(NAMED[name].tags for name in q.by):
            return found
        called = [NAMED[name].called for name in q.by]
        named = (tuple(name(value) for name, value in zip(called, line.values, strict=True)) for line in found)
        return [replace(line, values=values) for line, values in zip(found, named, strict=True)]

    def _named(self, found: list[Line], split: tuple[str, ...], groups: int) -> list[Line]:
        """Put people whom rows do not name into one group without a name; the first `groups` values are told."""
        if not set(ACCOUNT_AND_PEOPLE) <= set(split):
            return found
        who = itemgetter(*(split.index(name) for name in ACCOUNT_AND_PEOPLE))
        named = {each: self._is_named(*each) for each in {who(line.values) for line in found}}  # lines are many more
        shown = []
        for line in found:
            if named[who(line.values)]:
                shown.append(line)
            elif not self.filter.names_people:
                shown.append(replace(line, values=((NOT_NAMED,) * groups + line.values[groups:])))
            elif is_over(line.state, line.reason) and not line.answered:
                shown.append(line)
        return shown

    def _is_named(self, account: Value, team: Value, agent: Value) -> bool:
        return agent == NAMED_ONES or self.names.may_show(str(account), _word(team), _word(agent))


def asking(query: ReportQuery, zone: ZoneInfo | None = None) -> Inquiry:
    """Start an inquiry. Raises Invalid for a filter that figures do not accept."""
    demand_groups(query.filter)
    connection, view = query.connection, query.view
    names = once_per_transaction(connection, (names_of, view.accounts), lambda: names_of(connection, view.accounts))
    return Inquiry(connection, view, names, query.filter, query.now, zone or query.zone)


def kinds_of(filter: Filter) -> tuple[str, ...]:
    """The kinds of card a filter asks about."""
    return tuple(kind for kind in CARD_TYPES if not filter.types or kind in filter.types)


def demand_groups(filter: Filter) -> None:
    """Raise Invalid for filters that figures do not accept: those that select rows, not groups."""
    known = {*made(FigureFilterSchema).fields, "include_test"}
    of_rows = [name for name in filter.described() if name not in known]
    of_rows += [ANSWERED] if filter.date_field == ANSWERED else []
    if of_rows:
        raise Invalid(
            "filter_not_for_figures",
            f"Figures cannot be filtered by '{of_rows[0]}'; they accept {', '.join(FILTERED)}, type and a period.",
        )


def _less(line: Line) -> Line:
    """Return the line with negative counts, so that adding it subtracts."""
    scores = tuple(-n for n in line.scores)
    return replace(line, n=-line.n, answered=-line.answered, commented=-line.commented, scores=scores)


def _word(value: Value) -> str | None:
    return None if value is None else str(value)
