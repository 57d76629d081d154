"""Closes releases when they are due; returns how many steps were taken, 0 when nothing is due.

A step is one short transaction that moves a partition on and writes what it closes. Any number of workers may do it and
be killed at any point; if a step fails, other accounts go on. An existing ledger is walked from its oldest day in the
same way, a few steps per call; changed settings apply to what is not closed yet.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from itertools import islice, product, starmap

from sqlalchemy.engine import Connection, Engine

from service.db import reading, writing
from service.loops import keeping_on
from service.reports.disclosure import cohorts, frozen, partitions, store, work
from service.reports.disclosure.days import ReleaseTerms, close_days, first_day, put_back_on
from service.reports.disclosure.partitions import PARTITIONS, REST
from service.reports.disclosure.spans import over_at, span_of
from service.reports.disclosure.store import ANY_KIND, Release, ReleaseSeries
from service.settings import CARD_TYPES, Settings

STEPS_AT_ONCE = 200


def close_due(engine: Engine, settings: Settings, now: datetime) -> int:
    """Take the steps that are due, at most some hundred. Safe to repeat, to interrupt, and to run concurrently."""
    with reading(engine) as connection:
        walks = store.walks(connection)
    if _enrol(engine, settings, now, walks):
        with reading(engine) as connection:
            walks = store.walks(connection)
    taken = 0
    for series, walk in walks.items():
        with keeping_on("closing_failed", account=series.account, type=series.type):
            taken += _walk_on(engine, _terms(settings, series, now), walk, STEPS_AT_ONCE - taken)
    return taken


def _walk_on(engine: Engine, terms: ReleaseTerms, walk: Mapping[str, date], at_most: int) -> int:
    """Take the steps that are due for one account and kind of card; return how many."""
    here, taken = dict(walk), 0
    for partition, after in islice(_due(terms, here), at_most):
        moved = _take(engine, terms, partition, here[partition], after)
        if moved is None:
            break  # another worker is here
        here[partition], taken = moved, taken + 1
    return taken


def _terms(settings: Settings, series: ReleaseSeries, now: datetime) -> ReleaseTerms:
    reports = settings.reports
    return ReleaseTerms(series, settings.service.time_zone, reports.min_score_n, now, reports.answer_window)


def _enrol(
    engine: Engine, settings: Settings, now: datetime, walks: Mapping[ReleaseSeries, Mapping[str, date]]
) -> bool:
    """Start accounts that are new here, each on the day of its oldest answer, or today."""
    began = False
    for series in starmap(ReleaseSeries, product(settings.accounts, (*CARD_TYPES, ANY_KIND))):
        with keeping_on("closing_not_begun", account=series.account, type=series.type):
            since = _since(engine, _terms(settings, series, now), walks.get(series))
            if since:
                with writing(engine) as connection:
                    store.enrol(connection, series, since)
                began = True
    return began


def _since(engine: Engine, terms: ReleaseTerms, walk: Mapping[str, date] | None) -> Mapping[str, date]:
    """Where new walks begin. A partition added by a later version begins later: earlier cells lack it."""
    if walk is None:
        with reading(engine) as connection:
            return _begin(connection, terms)
    if terms.series.type == ANY_KIND:
        return {}
    today = over_at(terms.now, terms.zone)
    return {name: span_of(today, each.weeks)[1] for name, each in PARTITIONS.items() if name not in walk}


def _begin(connection: Connection, terms: ReleaseTerms) -> Mapping[str, date]:
    today = over_at(terms.now, terms.zone)
    if terms.series.type == ANY_KIND:
        day = min(cohorts.first_heard(connection, terms) or today, today)
        return {"cohort": day, **{name: span_of(day, weeks)[0] for name, weeks in work.WEEKS.items()}}
    day = min(first_day(connection, terms) or today, today)
    return {"day": day, **{name: span_of(day, each.weeks)[0] for name, each in PARTITIONS.items()}}


def _due(terms: ReleaseTerms, walk: Mapping[str, date]) -> Iterator[tuple[str, date]]:
    """The steps that are due, in order: (partition, until which day). `walk` is kept up to date meanwhile.

    Partitions that may have to wait for other walks come last.
    """
    today = over_at(terms.now, terms.zone)
    while "day" in walk and walk["day"] < today:
        yield "day", today
    for name, weeks in work.WEEKS.items():
        while name in walk and (end := span_of(walk[name], weeks)[1]) <= work.due(today):
            yield name, end
    while "cohort" in walk and walk["cohort"] < (due := cohorts.due(terms, today)):
        yield "cohort", due
    for name, partition in PARTITIONS.items():
        first = [other for other in ("day", *PARTITIONS) if name == REST or other in ("day", *partition.against)]
        while name in walk:
            end = span_of(walk[name], partition.weeks)[1]
            if any(walk[other] < end for other in first if other != name):
                break
            yield name, end


def _take(engine: Engine, terms: ReleaseTerms, partition: str, before: date, due: date) -> date | None:
    """Walk on and close what that closes; None if another worker was faster."""
    if partition in PARTITIONS:
        return _close(engine, terms, partition, before, due)
    with writing(engine) as connection:
        if partition == "day":
            return _walk_days(connection, terms, before, due)
        if partition == "cohort":
            return cohorts.walk(connection, terms, before, due)
        if not store.step(connection, terms.series, partition, before, due):
            return None
        if before >= put_back_on(connection, terms):
            work.close(connection, terms, partition, before, due)
        return due


def _walk_days(connection: Connection, terms: ReleaseTerms, before: date, due: date) -> date | None:
    if not store.step(connection, terms.series, "day", before, before):
        return None
    after = close_days(connection, terms, before, due)
    store.step(connection, terms.series, "day", before, after)
    return after


def _close(engine: Engine, terms: ReleaseTerms, partition: str, first: date, end: date) -> date | None:
    """Divide the answers outside of a transaction, as it may take long; then walk on and write the result."""
    with reading(engine) as connection:
        days = store.days_of(connection, terms.series, first, end)
        told = days if days and first >= put_back_on(connection, terms) else ()
        undivided = partitions.undivided(connection, terms, partition, told) if told else None
    found = partitions.leaves(terms, partition, undivided) if undivided else ()
    with writing(engine) as connection:
        if not store.step(connection, terms.series, partition, first, end):
            return None
        if found:
            made = Release(min(day.first for day in days), max(day.end for day in days), found)
            store.put(connection, terms.series, partition, made, terms.now)
        if partition == REST and days:
            frozen.forget(connection, days)
    return end
