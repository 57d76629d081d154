"""An account by day: from answers that no release holds yet, the next release of days with enough of them.

An answer is dated by the day we first saw it, on our own clock, so it cannot come late for a day; one that was not
ready (its score came after its comment) goes into the next release. Its cells are frozen with it, and with them who was
not named yet: whatever is erased or changed later, all partitions remain divisions of the same answers.

A ledger put back from a backup has lost its last releases, but whoever read them has not: what they may have told is
told no more, or the new answers would be left when one is subtracted from the other.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import feedback_request, release_cell, result
from service.reports.counting.zones import local_hour
from service.reports.days import ONE_DAY, midnight
from service.reports.disclosure import store
from service.reports.disclosure.frozen import HIDDEN_THEN
from service.reports.disclosure.naming import HIDDEN, named
from service.reports.disclosure.store import Leaf, Release, ReleaseSeries
from service.reports.visible import SCORED_AT
from service.requests import restored
from service.requests.rows import ASKED_BY

fr = feedback_request.c
res = result.c

CONTEXTS: Mapping[str, sa.ColumnElement[Any]] = {
    "campaign": fr.campaign,
    "source": fr.source,
    "language": fr.language,
    "variant": fr.question_variant_id,
    "way": ASKED_BY,
}
"""What an answer is asked about besides whose it is; the hour of the day on which it was seen comes beside them."""
HOUR = "hour"
AT_ONCE = 500
GIVEN_SINCE = SCORED_AT >= restored.LAST
"""Answers that no lost release can have told."""

UNRELEASED = (
    res.released.is_(None),
    res.score.is_not(None),
    GIVEN_SINCE,
    fr.id == res.request_id,
    fr.account == sa.bindparam("account"),
    fr.type == sa.bindparam("type"),
    fr.test.is_(False),
)
"""Scored answers in no release, of a result joined with its request."""
BEFORE = res.first_seen_at < sa.bindparam("end")
OLDEST = sa.select(res.first_seen_at).where(*UNRELEASED).order_by(res.first_seen_at)
WAITING = OLDEST.where(BEFORE).limit(sa.bindparam("least", type_=sa.Integer()))


@dataclass(frozen=True, slots=True)
class ReleaseTerms:
    """What a release is closed for: whose, from which answers on, in which zone, how many answers, now."""

    series: ReleaseSeries
    zone: ZoneInfo
    least: int
    now: datetime
    answer_window: timedelta


def first_day(connection: Connection, terms: ReleaseTerms) -> date | None:
    """Return the day of the oldest answer in no release; None if there is none."""
    oldest = connection.scalar(OLDEST.limit(1), _asked(terms))
    return None if oldest is None else oldest.astimezone(terms.zone).date()


def close_days(connection: Connection, terms: ReleaseTerms, until: date, due: date) -> date:
    """Close the next release of days before `due`, if there is one; return up to which day the walk has come."""
    day = _enough_at(connection, terms, until, due)
    if day is None:
        return due
    first = store.end_of_last(connection, terms.series, "day") or first_day(connection, terms) or day
    _close(connection, terms, min(max(first, put_back_on(connection, terms)), day), day + ONE_DAY)
    return day + ONE_DAY


def put_back_on(connection: Connection, terms: ReleaseTerms) -> date:
    """Return the day the ledger was last put back from a backup. No span that begins before it is told any more."""
    return restored.last(connection).astimezone(terms.zone).date()


def _enough_at(connection: Connection, terms: ReleaseTerms, until: date, due: date) -> date | None:
    """The first day with which the waiting answers are enough. Looks further and further ahead: days may be empty."""
    ahead = 1
    while True:
        end = min(until + timedelta(days=ahead), due)
        moments = list(connection.scalars(WAITING, {**_asked(terms, end), "least": terms.least}))
        if len(moments) == terms.least:
            return max(moments[-1].astimezone(terms.zone).date(), until)
        if end >= due:
            return None
        ahead *= 4


def _asked(terms: ReleaseTerms, end: date | None = None) -> dict[str, Any]:
    """The values of UNRELEASED and BEFORE."""
    moment = None if end is None else midnight(end, terms.zone)
    return {"account": terms.series.account, "type": terms.series.type, "end": moment}


def _close(connection: Connection, terms: ReleaseTerms, first: date, end: date) -> None:
    """Write the release of all waiting answers, mark them, and freeze their cells."""
    cells, ids = _taken(connection, terms, end)
    if len(ids) < terms.least:
        return  # an erasure was faster than the lock: the others wait for more
    scores: Counter[str] = Counter()
    for (_team, _agent, score, *_), n in cells.items():
        scores[str(score)] += n
    leaf = Leaf((), False, dict(sorted(scores.items())))
    number = store.put(connection, terms.series, "day", Release(first, end, (leaf,)), terms.now)
    for begin in range(0, len(ids), AT_ONCE):
        some = res.request_id.in_(ids[begin : begin + AT_ONCE])
        connection.execute(sa.update(result).where(some).values(released=number))
    connection.execute(sa.insert(release_cell), [_cell(number, key, n) for key, n in cells.items()])


def _taken(connection: Connection, terms: ReleaseTerms, end: date) -> tuple[Counter[tuple[Any, ...]], list[str]]:
    """All answers waiting on `end`, locked until the commit: their cells, and which they are."""
    rows = connection.execute(_take(terms.zone), _asked(terms, end)).all()
    return Counter(tuple(row[1:]) for row in rows), [row[0] for row in rows]


@lru_cache(maxsize=4)
def _take(zone: ZoneInfo) -> sa.Select[Any]:
    hour = local_hour(res.first_seen_at, zone)
    query = sa.select(res.request_id, fr.team_id, fr.agent_id, res.score, *CONTEXTS.values(), hour, HIDDEN)
    query = query.select_from(named(result.join(feedback_request, fr.id == res.request_id)))
    return query.where(*UNRELEASED, BEFORE).with_for_update(of=result)


def _cell(number: int, key: tuple[Any, ...], n: int) -> dict[str, Any]:
    team, agent, score, *values = key
    contexts = dict(zip((*CONTEXTS, HOUR, HIDDEN_THEN), values, strict=True))
    return {"release_id": number, "team_id": team, "agent_id": agent, "score": score, "n": n, "contexts": contexts}
