"""A ledger put back from a backup tells nothing twice in two forms: analysts still have what its lost releases told.

What X knows of is read again, first seen now. In one release with the new answers, less what was told before, the new
ones would be left.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa

from service.db import reading, writing
from service.models import release, release_cell, release_leaf, release_walk, result
from service.reports.disclosure import cohorts, store
from service.reports.disclosure.store import ReleaseSeries
from service.requests import restored
from tests.reports.disclosure.ledger import CSAT, TWELVE, close, closed, on, said, spans, terms
from tests.reports.world import World, settings_of

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WEEK = 7 * DAY
EVERYTHING = ReleaseSeries("acme", "")


@pytest.fixture
def told(world: World) -> World:
    """A Monday with six answers, which are told the day after."""
    close(world, TWELVE)
    on(world, TWELVE, 6)
    close(world, TWELVE + DAY)
    return world


@contextmanager
def lost(world: World) -> Iterator[None]:
    """What is answered and told within is lost with the database; a backup of before is put back at ten o'clock."""
    known_until = world.clock.now
    with reading(world.engine) as connection:
        walks = store.walks(connection)
    yield
    world.clock.now = at = world.clock.now.replace(hour=10)
    with writing(world.engine) as connection:
        _forget(connection, known_until, walks)
        # X tells again what it knows
        seen = sa.update(result).where(result.c.first_seen_at > known_until)
        connection.execute(seen.values(first_seen_at=at + timedelta(minutes=5), released=None))
        restored.begin(connection, at)


def _forget(connection: sa.Connection, since: datetime, walks: Mapping[ReleaseSeries, Mapping[str, date]]) -> None:
    gone = sa.select(release.c.id).where(release.c.closed_at > since)
    connection.execute(sa.update(result).where(result.c.released.in_(gone)).values(released=None))
    for table in (release_leaf, release_cell):
        connection.execute(sa.delete(table).where(table.c.release_id.in_(gone)))
    connection.execute(sa.delete(release).where(release.c.closed_at > since))
    rw = release_walk.c
    for series, walk in walks.items():
        for partition, day in walk.items():
            mine = (rw.account == series.account, rw.type == series.type, rw.partition == partition)
            connection.execute(sa.update(release_walk).where(*mine).values(until_day=day))


def test_the_new_answers_are_not_left_when_what_was_told_is_taken_away(told: World) -> None:
    with lost(told):
        on(told, TWELVE + DAY, 7)
        close(told, TWELVE + 2 * DAY)
        assert said(told).total.scores == {5: 13}
    on(told, TWELVE + 2 * DAY, 2, score=1)
    close(told, TWELVE + 3 * DAY)
    assert said(told).total.scores == {5: 6}, "13 were told, and two are new"
    on(told, TWELVE + 3 * DAY, 3, score=1)
    close(told, TWELVE + 4 * DAY)
    assert spans(closed(told, "day")) == [(TWELVE, TWELVE, 6), (TWELVE + 2 * DAY, TWELVE + 3 * DAY, 5)]


def test_nor_those_that_waited_when_the_backup_was_made(told: World) -> None:
    on(told, TWELVE + DAY, 4)
    with lost(told):
        on(told, TWELVE + 2 * DAY, 3)
        close(told, TWELVE + 3 * DAY)
        assert said(told).total.scores == {5: 13}
    on(told, TWELVE + 3 * DAY, 1, score=1)
    close(told, TWELVE + 4 * DAY)
    assert said(told).total.scores == {5: 6}


@pytest.mark.parametrize(("weeks", "those"), [(1, ["team"]), (4, ["agent", "campaign", "hour"])])
def test_groups_are_told_again_from_the_first_span_that_begins_after_it(
    told: World, weeks: int, those: list[str]
) -> None:
    """One that had begun would lack the answers that are told no more, and another partition of it had them."""
    with lost(told):
        on(told, TWELVE + DAY, 7)
        close(told, TWELVE + weeks * WEEK + DAY)
        assert [[n for *_, n in spans(closed(told, by))] for by in those] == [[13] for _ in those]
    for week in range(8):
        on(told, TWELVE + (weeks + week) * WEEK + 2 * DAY, 6)
    close(told, TWELVE + (weeks + 8) * WEEK)
    for by in those:
        first = spans(closed(told, by))[0]
        assert first[1:] == (TWELVE + (3 * weeks - 1) * WEEK + 2 * DAY, 6 * weeks), by


def test_all_together_are_what_the_groups_are_across_the_gap(told: World) -> None:
    close(told, TWELVE + WEEK)
    on(told, TWELVE + WEEK, 6)
    close(told, TWELVE + WEEK + DAY)
    with lost(told):
        on(told, TWELVE + WEEK + DAY, 7)
        close(told, TWELVE + WEEK + 2 * DAY)
    on(told, TWELVE + 2 * WEEK + DAY, 6)
    close(told, TWELVE + 3 * WEEK)
    found = said(told, "team")
    assert (found.total.n, sum(each.n for each in found.groups), said(told).total.n) == (12, 12, 18)


def test_conversations_and_response_rates_go_on_from_there(told: World) -> None:
    told.settings = settings_of(reports__answer_window="2d")
    with lost(told):
        on(told, TWELVE + DAY, 7)
        close(told, TWELVE + WEEK + 3 * DAY)
        kept = [closed(told, name, EVERYTHING) for name in ("cohort", "team_work")]
        assert [len(each) for each in kept] == [2, 1]
    for day in range(4, 21):
        on(told, TWELVE + WEEK + day * DAY, 5)
    close(told, TWELVE + 5 * WEEK)
    [first, *_] = closed(told, "cohort", EVERYTHING)
    assert (first.first, first.leaves[0].counts["csat:scored"]) == (TWELVE + WEEK + 3 * DAY, 5)
    assert closed(told, "team_work", EVERYTHING)[0].first == TWELVE + 2 * WEEK


def test_a_release_that_an_older_version_made_across_the_gap_is_told_and_so_counts(told: World) -> None:
    """What cohorts leave of the days' releases is looked at with it, or a handful would be left."""
    with lost(told):
        on(told, TWELVE + DAY, 7)
    day = told.clock.now.date()
    made = store.Release(day - DAY, day + DAY, (store.Leaf((), False, {"5": 7}),))
    with writing(told.engine) as connection:
        store.put(connection, CSAT, "day", made, told.clock.now)
    with reading(told.engine) as connection:
        before = cohorts._Before(connection, terms())
    scored = [cohorts.Scored("csat", day, day + DAY, 5)]
    assert not before.stays_safe(scored, day, day + DAY), "of seven answers five in a cohort leave two"
