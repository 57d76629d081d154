"""How many of an account's conversations were answered: from days whose answer window is over, the next release.

This counts the same answers by a second clock, so the two must not be subtractable. An answer is seen after its
conversation was heard of; so for every day on which a cohort ends,

    all cohorts up to it - all answers seen up to it = the cohorts' answers that were seen later
    all answers seen later - all later cohorts       = those, and the answers that belong to no cohort

(no cohort yet, or seen after the answer window). A cohort ends only on a day for which both differences are none or
enough, and so are the answers inside it; until then the day moves on. This stays true: no answer of a closed cohort
still waits for its day's release, so each later release adds enough answers, and none of them belongs to a closed
cohort. Response rates exist only here, for whole days and whole accounts: a team or an agent would need such days of
its own.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import MICROSECOND
from service.models import feedback_request, result
from service.reports.counting.zones import day_of, local_day
from service.reports.days import ONE_DAY
from service.reports.disclosure import store
from service.reports.disclosure.days import GIVEN_SINCE, ReleaseTerms, put_back_on
from service.reports.disclosure.store import Leaf, Release
from service.reports.disclosure.work import HEARD, became, heard
from service.reports.visible import ANSWERED, COMMENTED
from service.settings import CARD_TYPES
from service.states import State

fr = feedback_request.c
res = result.c
JOIN = feedback_request.join(result, res.request_id == fr.id)
TOOK = sa.type_coerce(res.first_seen_at, sa.BigInteger) - sa.type_coerce(fr.received_at, sa.BigInteger)
IN_TIME = sa.and_(fr.type.is_not(None), fr.state == State.CARD_SENT, TOOK <= sa.bindparam("longest"))  # noqa: SIM300 - SQL
"""Answers to delivered questions, seen within the answer window, by our own clock throughout."""

BECAME = (fr.type, fr.state, fr.reason)
ENDED = sa.select(*BECAME, sa.func.count()).where(*HEARD).group_by(*BECAME)
COMMENTS = sa.func.sum(sa.case((COMMENTED, 1), else_=0))
BY_KIND = (
    sa.select(fr.type, sa.func.count(), COMMENTS).select_from(JOIN).where(*HEARD, IN_TIME, ANSWERED).group_by(fr.type)
)


@dataclass(frozen=True, slots=True)
class Scored:
    """So many scored answers: the day we heard of the conversation, and the end of the release they are in.

    `end` None: no release has them yet.
    """

    kind: str
    heard: date
    end: date | None
    n: int


def due(terms: ReleaseTerms, today: date) -> date:
    """Return the day before which every answer window is over."""
    return today - _window(terms)


def first_heard(connection: Connection, terms: ReleaseTerms) -> date | None:
    """Return the day of the account's oldest conversation, on which the first cohort begins."""
    query = sa.select(fr.received_at).where(fr.account == terms.series.account).order_by(fr.received_at).limit(1)
    oldest = connection.scalar(query)
    return None if oldest is None else oldest.astimezone(terms.zone).date()


def walk(connection: Connection, terms: ReleaseTerms, before: date, due: date) -> date | None:
    """Walk on and close the next cohort, if any; None if another worker was faster, or days must be closed first."""
    if not store.step(connection, terms.series, "cohort", before, before):
        return None
    due = min(due, _days_walked(connection, terms) - _window(terms))
    if due <= before:
        return None
    last = store.end_of_last(connection, terms.series, "cohort")
    first = last or min(first_heard(connection, terms) or before, before)
    first = max(first, put_back_on(connection, terms))
    end = _end_of_next(connection, terms, first, due)
    store.step(connection, terms.series, "cohort", before, end or due)
    if end is not None:
        made = Release(first, end, (Leaf((), False, _counts(connection, terms, first, end)),))
        store.put(connection, terms.series, "cohort", made, terms.now)
    return end or due


def _window(terms: ReleaseTerms) -> timedelta:
    """Whole days, rounded up."""
    return -(-terms.answer_window // ONE_DAY) * ONE_DAY


def _days_walked(connection: Connection, terms: ReleaseTerms) -> date:
    account = terms.series.account
    return min(
        walk["day"] for series, walk in store.walks(connection).items() if series.account == account and "day" in walk
    )


def _end_of_next(connection: Connection, terms: ReleaseTerms, first: date, due: date) -> date | None:
    """The first day on which a cohort may end, searched a week, a month, a quarter ahead, and so on."""
    ahead, before = 7, _Before(connection, terms)
    while True:
        latest = min(first + timedelta(days=ahead), due)
        scored = _scored(connection, terms, first, latest)
        answered = _answered(connection, terms, first, latest)
        for end in _days(first, latest):
            if (
                _all_told(scored, end)
                and _may_end(scored, answered, first, end, terms.least)
                and before.stays_safe(scored, first, end)
            ):
                return end
        if latest == due:
            return None
        ahead *= 4


def _days(first: date, latest: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range(1, (latest - first).days + 1))


def _all_told(scored: Sequence[Scored], end: date) -> bool:
    """Whether days' releases hold every answer of the conversations heard of before `end`."""
    return all(each.end is not None or each.heard >= end for each in scored)


def _may_end(
    scored: Sequence[Scored], answered: Mapping[tuple[str, date], int], first: date, end: date, n: int
) -> bool:
    """Whether the cohort [first, end) has something to tell, and leaves no small group in it or after it."""
    inside: Counter[str] = Counter()
    late: Counter[str] = Counter()
    for each in scored:
        if first <= each.heard < end:
            inside[each.kind] += each.n
        if each.heard < end and each.end is not None and each.end > end:
            late[each.kind] += each.n
    some: Counter[str] = Counter()
    for (kind, day), count in answered.items():
        some[kind] += count if day < end else 0
    handful = any(0 < count < n for counts in (inside, late, some) for count in counts.values())
    return bool(inside) and not handful


class _SeenAfter:
    """How many answers are in days' releases that end after a day. Summed once: each cohort there is asks."""

    def __init__(self, days: Sequence[Release]) -> None:
        self._ends = [day.end for day in days]
        told = [sum(day.leaves[0].counts.values()) for day in days]
        self._rest = [*accumulate(reversed(told), initial=0)][::-1]

    def __call__(self, begin: date) -> int:
        return self._rest[bisect_right(self._ends, begin)]


class _Before:
    """What is already told, per kind of card: the answers in days' releases, and the closed cohorts."""

    def __init__(self, connection: Connection, terms: ReleaseTerms) -> None:
        series, self._least = terms.series, terms.least
        since = put_back_on(connection, terms)

        def told(of: store.ReleaseSeries, partition: str) -> list[Release]:
            return [each for each in store.releases(connection, of, partition) if each.end > since]

        self._seen = {kind: _SeenAfter(told(replace(series, type=kind), "day")) for kind in CARD_TYPES}
        self._cohorts = told(series, "cohort")

    def stays_safe(self, scored: Sequence[Scored], first: date, end: date) -> bool:
        """Whether for every first day of a cohort, answers seen after it and in no later cohort are no small group."""
        for kind, seen_after in self._seen.items():
            new = sum(each.n for each in scored if each.kind == kind and first <= each.heard < end)
            begins = {first: new, end: 0}
            for cohort in reversed(self._cohorts):
                new += cohort.leaves[0].counts.get(f"{kind}:scored", 0)
                begins[cohort.first] = new
            for begin, inside in begins.items():
                if 0 < seen_after(begin) - inside < self._least:
                    return False
        return True


def _scored(connection: Connection, terms: ReleaseTerms, first: date, latest: date) -> list[Scored]:
    """Answers in time to conversations heard of in these days, and to earlier ones whose answers may come later."""
    days = store.spans_of_days(connection, terms.series.account, first)
    earliest = min([first, *(begin for begin, end in days.values() if end > first)])
    found, theirs = [], _in_time(terms, earliest - _window(terms), latest)
    for kind, heard_day, seen_day, released, n in connection.execute(_ask_scored(terms.zone), theirs):
        begin, end = (date.min, None) if released is None else days.get(released, (date.min, first))
        if begin <= day_of(seen_day):  # else the score came long after a comment, and is in no cohort
            found.append(Scored(kind or "", day_of(heard_day), end, n))
    return found


@lru_cache(maxsize=4)
def _ask_scored(zone: ZoneInfo) -> sa.Select[str | None, int, int, int | None, int]:
    heard_on = local_day(fr.received_at, zone).label("heard_on")
    seen_on = local_day(res.first_seen_at, zone).label("seen_on")
    query = sa.select(fr.type, heard_on, seen_on, res.released, sa.func.count()).select_from(JOIN)
    query = query.where(*HEARD, res.score.is_not(None), IN_TIME)
    query = query.where(sa.or_(res.released.is_not(None), GIVEN_SINCE))  # else no release will ever have it
    return query.group_by(fr.type, heard_on, seen_on, res.released)


def _answered(connection: Connection, terms: ReleaseTerms, first: date, latest: date) -> Mapping[tuple[str, date], int]:
    """Answers in time, including comments without a score, by kind and day."""
    rows = connection.execute(_ask_answered(terms.zone), _in_time(terms, first, latest))
    return {(kind or "", day_of(day)): n for kind, day, n in rows}


@lru_cache(maxsize=4)
def _ask_answered(zone: ZoneInfo) -> sa.Select[str | None, int, int]:
    heard_on = local_day(fr.received_at, zone).label("heard_on")
    query = sa.select(fr.type, heard_on, sa.func.count()).select_from(JOIN)
    return query.where(*HEARD, IN_TIME, ANSWERED).group_by(fr.type, heard_on)


def _counts(connection: Connection, terms: ReleaseTerms, first: date, end: date) -> dict[str, int]:
    """What became of the conversations, and per kind how many were delivered, answered, scored, commented."""
    total: Counter[str] = Counter()
    for kind, state, reason, n in connection.execute(ENDED, heard(terms, first, end)):
        counts = became(state, reason, n)
        total.update(counts)
        if "delivered" in counts:
            total[f"{kind}:delivered"] += n
    total.update(_answers(connection, terms, first, end))
    return dict(sorted(total.items()))


def _answers(connection: Connection, terms: ReleaseTerms, first: date, end: date) -> Counter[str]:
    found: Counter[str] = Counter()
    for kind, answered, comments in connection.execute(BY_KIND, _in_time(terms, first, end)):
        found.update({f"{kind}:answered": answered, f"{kind}:commented": int(comments)})
    for each in _scored(connection, terms, first, end):
        if first <= each.heard:
            found[f"{each.kind}:scored"] += each.n
    return found


def _in_time(terms: ReleaseTerms, first: date, end: date) -> dict[str, Any]:
    """The values of HEARD and IN_TIME."""
    return {**heard(terms, first, end), "longest": terms.answer_window // MICROSECOND}
