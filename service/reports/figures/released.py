"""The figures of readers of no rows: what closed releases say, and how much waits for the next one.

Nothing else is ever calculated for them: no other clock, no other zone, no live count. What no release tells is
missing, with the reason. Answers are dated by the day we first saw them, conversations by the day we heard of their
end.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from service.errors import Invalid
from service.reports.completeness import Completeness, completeness_of
from service.reports.counting.counts import Answers, Counts
from service.reports.counting.periods import end_of_whole_days, first_whole_day
from service.reports.days import midnight
from service.reports.dimensions import NAMED, PEOPLE, Value
from service.reports.disclosure import conversations, published
from service.reports.disclosure.asked import ONE_AT_A_TIME, Group, PeriodQuestion, PublishedFigures
from service.reports.disclosure.conversations import ANSWERED, Cohort
from service.reports.figures.coverage import coverage_of
from service.reports.figures.inquiry import demand_groups, kinds_of
from service.reports.figures.printed import Basis, funnel_of, no_rate, rate_of, score_of
from service.reports.figures.shapes import Coverage, Funnel, Rate, Score, Summary
from service.reports.filters import Filter
from service.reports.report_query import ReportQuery
from service.reports.visible import View
from service.settings import Settings

SEEN = "seen_at"
HEARD = "heard_at"
BY_ACCOUNT = "by_account_only"
WAITS = "waits"
NOBODY = Counts()
UNTOLD_RESPONSE = no_rate("response_rate_of_delivered", HEARD, BY_ACCOUNT)
"""The response rate of a group."""

TOLD = (*PEOPLE, *ONE_AT_A_TIME, "account")
"""The dimensions of which releases tell groups."""

Days = tuple[date | None, date | None]


@dataclass(frozen=True, slots=True)
class DaysInquiry:
    """Who asks what, in whole days."""

    connection: Connection
    settings: Settings
    view: View
    filter: Filter
    now: datetime

    @property
    def zone(self) -> ZoneInfo:
        """Whose days releases are made of."""
        return self.settings.service.time_zone

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts asked about, of those the key covers."""
        asked = self.filter.of("account")
        return tuple(name for name in self.view.accounts if not asked or name in asked)

    @property
    def wanted(self) -> Mapping[str, frozenset[Value]]:
        """The groups asked for, besides accounts, as releases may have them."""
        chosen = ((name, groups) for name, groups in self.filter.chosen.items() if name != "account")
        return {name: frozenset(NAMED[name].held(groups)) for name, groups in chosen}

    @property
    def days(self) -> Days:
        """The whole days of the period; no end if it is not over."""
        until = self.filter.until
        is_open = until is None or until >= self.now
        return first_whole_day(self.filter.since, self.zone), None if is_open else end_of_whole_days(until, self.zone)

    def question(self, kind: str, by: str | None = None) -> PeriodQuestion:
        """What disclosure is asked about a kind of card."""
        return PeriodQuestion(self.accounts, kind, by, self.wanted, *self.days)

    def published(self, kind: str, by: str | None = None) -> PublishedFigures:
        """What is published of it."""
        return published.published(self.connection, self.settings, self.question(kind, by), self.now)

    def cohort(self) -> Cohort:
        """The conversations of the period whose answer window is over."""
        return conversations.cohort(self.connection, self.accounts, *self.days)

    def moments(self, first: date | None, end: date | None) -> tuple[datetime | None, datetime | None]:
        """Days as moments."""
        since, until = (None if day is None else midnight(day, self.zone) for day in (first, end))
        return since, until


def asking(query: ReportQuery) -> DaysInquiry:
    """Begin. Raises Invalid for what releases do not tell."""
    demand_groups(query.filter)
    if query.filter.date_field is not None:
        raise Invalid(
            "one_clock",
            "Figures for analysts use the day on which dm-feedback first saw the answer; leave out date_field.",
        )
    demand_told(query.filter.chosen)
    return DaysInquiry(query.connection, query.settings, query.view, query.filter, query.now)


def summary(ask: DaysInquiry) -> Summary:
    """The tiles, each over the whole releases in the period."""
    scores = {kind: score(ask, kind, found, found.total) for kind, found in _published(ask).items()}
    cohort = ask.cohort()
    answered, reason = _answered(ask, cohort), reason_for_rates(ask, cohort)
    of_any_kind = reason or (BY_ACCOUNT if ask.filter.types else None)
    ended = cohort.conversations.ended
    return Summary(
        since=ask.filter.since,
        until=ask.filter.until,
        ended=None if of_any_kind else ended,
        delivered=None if reason else answered.delivered,
        csat=scores.get("csat"),
        nps=scores.get("nps"),
        response_rate_of_delivered=response(ask, answered, reason),
        response_rate_of_ended=_rate(ask, "response_rate_of_ended", (answered.answered, ended), of_any_kind),
        comment_rate=_rate(ask, "comment_rate", (answered.commented, answered.answered), reason),
        completeness=completeness(ask),
    )


def funnel(ask: DaysInquiry) -> Funnel:
    """The steps of conversations whose answer window is over, for whole accounts."""
    cohort = ask.cohort()
    reason = reason_for_rates(ask, cohort) or (BY_ACCOUNT if ask.filter.types else None)
    days = ask.moments(cohort.first, cohort.end)
    if reason is not None:
        return Funnel(*days, None, None, (), (), None, None, None, None, None, suppressed=reason)
    return funnel_of(cohort.conversations, _answered(ask, cohort), *days)


def coverage(ask: DaysInquiry, by: str) -> Coverage:
    """Conversations by agent or team, in whole weeks of teams or four weeks of agents."""
    others = [*(name for name in (by, *ask.wanted) if name not in PEOPLE), *(["type"] if ask.filter.types else [])]
    if others:
        raise Invalid(
            "by_people_only", f"Coverage for analysts is available only by team and agent; leave {others[0]} out."
        )
    found = conversations.coverage(ask.connection, ask.accounts, by, ask.wanted, *ask.days)
    return coverage_of(by, found.groups, found.total, *ask.moments(found.first, found.end), found.few)


def counts(ask: DaysInquiry) -> Mapping[str, Mapping[int, int]]:
    """How many gave which score, or are in which class: what two sides are compared by."""
    return {kind: found.total.counts(kind) if found.total else {} for kind, found in _published(ask).items()}


def completeness(ask: DaysInquiry) -> Completeness:
    """Until when everything is here, in whole days."""
    found = completeness_of(ask.connection, ask.view, ask.filter)
    accounts = tuple(replace(each, complete_until=_midnight(ask, each.complete_until)) for each in found.accounts)
    return replace(found, complete_until=_midnight(ask, found.complete_until), accounts=accounts)


def _published(ask: DaysInquiry) -> Mapping[str, PublishedFigures]:
    return {kind: ask.published(kind) for kind in kinds_of(ask.filter)}


def score(ask: DaysInquiry, kind: str, found: PublishedFigures, group: Group | None) -> Score:
    """The score of a group of releases. If only outcome classes are told, there is no mean and no distribution."""
    covered = Basis(*ask.moments(found.first, found.end), waiting=found.waiting)
    answers = Answers(Counter(group.counts(kind) if group else {}))
    told = score_of(kind, answers, SEEN, ask.view.thresholds, covered)
    if group is None:
        return replace(told, n=None, distribution=(), suppressed=found.reason or WAITS)
    if not group.scores and group.n:
        return replace(told, distribution=(), mean=None, mean_low=None, mean_high=None)
    return told


def _answered(ask: DaysInquiry, cohort: Cohort) -> Counts:
    """All kinds of card asked about."""
    kinds = [cohort.answers.get(kind, NOBODY) for kind in kinds_of(ask.filter)]
    return Counts(**{name: sum(getattr(each, name) for each in kinds) for name in ANSWERED})


def reason_for_rates(ask: DaysInquiry, cohort: Cohort) -> str | None:
    """Return why no rates are told for the question; None if they are."""
    if ask.wanted:
        return BY_ACCOUNT
    return WAITS if cohort.first is None else None


def response(ask: DaysInquiry, answered: Counts, reason: str | None) -> Rate:
    """Return answered of delivered, or why it is not told."""
    return _rate(ask, "response_rate_of_delivered", (answered.answered, answered.delivered), reason)


def _rate(ask: DaysInquiry, name: str, share: tuple[int, int], reason: str | None) -> Rate:
    if reason is not None:
        return no_rate(name, HEARD, reason)
    return rate_of(name, *share, HEARD, ask.view.thresholds)


def _midnight(ask: DaysInquiry, moment: datetime | None) -> datetime | None:
    return None if moment is None else midnight(moment.astimezone(ask.zone).date(), ask.zone)


def tells(filter: Filter, by: str) -> bool:
    """Whether releases tell groups of this dimension with this filter: people, or one context alone."""
    named = {by, *filter.chosen} - {"account"}
    return named <= {*PEOPLE} or (len(named) == 1 and named <= {*ONE_AT_A_TIME})


def demand_told(names: Iterable[str]) -> None:
    """Refuse dimensions that no release groups by. Raises Invalid."""
    for name in names:
        if name not in TOLD:
            raise Invalid("not_released", f"Figures for analysts are not released by {NAMED[name].label.lower()}.")
