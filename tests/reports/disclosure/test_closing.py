"""Releases are closed once, whatever happens: kills, two workers, late answers, odd clocks, changed settings."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection

from service.auth import Reader
from service.db import reading, writing
from service.models import release, release_cell, release_leaf, result
from service.reports.disclosure import closing
from service.reports.disclosure.closing import close_due
from service.reports.disclosure.days import Ground
from service.reports.disclosure.store import Who
from service.reports.figures import figures
from service.reports.filters import Filter
from tests.reports.disclosure.ledger import CSAT, MONDAY, close, closed, line, on, rows, said, spans
from tests.reports.world import World, settings_of

DAY = timedelta(days=1)


def made_until(world: World) -> date | None:
    """How far an analyst is told that the releases of acme are."""
    with reading(world.engine) as connection:
        who = (connection, world.settings, Reader("k", "n", "analyst", ()), Filter(), world.clock.now)
        told = figures.completeness(*who).accounts
    return next(each.released_until for each in told if each.account == "acme")


@pytest.fixture
def early(world: World) -> World:
    """A ledger before its first week."""
    world.clock.now = datetime(2026, 8, 31, 2, tzinfo=UTC)
    close(world, MONDAY)
    return world


def test_days_are_released_with_enough_answers_and_no_answer_is_in_two(early: World) -> None:
    for place, n in enumerate((7, 3, 1, 6, 0, 5, 2)):
        on(early, MONDAY + place * DAY, n)
    close(early, MONDAY + 7 * DAY)
    assert spans(closed(early, "day")) == [
        (MONDAY, MONDAY, 7),
        (MONDAY + DAY, MONDAY + 3 * DAY, 10),
        (MONDAY + 4 * DAY, MONDAY + 5 * DAY, 5),
    ]
    assert said(early).total.scores == {5: 22}
    close(early, MONDAY + 7 * DAY)
    assert said(early).total.n == 22, "closing again changes nothing"


def test_a_day_is_final_only_when_it_is_over_and_has_settled(early: World) -> None:
    on(early, MONDAY, 9)
    close(early, MONDAY + DAY, hour=0)
    assert closed(early, "day") == ()
    close(early, MONDAY + DAY, hour=1)
    assert spans(closed(early, "day")) == [(MONDAY, MONDAY, 9)]


def test_an_answer_of_a_closed_day_waits_for_the_next_release(early: World) -> None:
    on(early, MONDAY, 6)
    close(early, MONDAY + DAY)
    on(early, MONDAY, 1)  # its transaction was open over night
    on(early, MONDAY + DAY, 4)
    close(early, MONDAY + 2 * DAY)
    assert spans(closed(early, "day")) == [(MONDAY, MONDAY, 6), (MONDAY + DAY, MONDAY + DAY, 5)]


def test_a_score_that_comes_after_its_comment_is_in_the_next_release(early: World) -> None:
    [late] = on(early, MONDAY, 1)
    early.set_result(late, score=None)
    on(early, MONDAY, 6)
    close(early, MONDAY + DAY)
    early.set_result(late, score=1)
    on(early, MONDAY + DAY, 4)
    close(early, MONDAY + 2 * DAY)
    assert [each.leaves[0].counts for each in closed(early, "day")] == [{"5": 6}, {"1": 1, "5": 4}]


@pytest.mark.parametrize("told", [datetime(2199, 1, 1, tzinfo=UTC), datetime(2007, 1, 1, tzinfo=UTC)])
def test_clocks_of_x_decide_nothing(early: World, told: datetime) -> None:
    """X's date of an answer may lie in the future or before the card; ours is when we saw it."""
    for each in on(early, MONDAY, 5):
        early.set_result(each, score_at=told, text_at=told, x_updated_at=told)
    close(early, MONDAY + DAY)
    assert spans(closed(early, "day")) == [(MONDAY, MONDAY, 5)]


def test_an_answer_seen_in_the_future_waits_until_then(early: World) -> None:
    on(early, MONDAY + 9 * DAY, 5)
    close(early, MONDAY + 9 * DAY)
    assert rows(early) == 0
    close(early, MONDAY + 10 * DAY)
    assert spans(closed(early, "day")) == [(MONDAY + 9 * DAY, MONDAY + 9 * DAY, 5)]


def test_an_answer_forty_days_late_is_in_the_release_of_its_day_and_in_no_cohort(early: World) -> None:
    asked = on(early, MONDAY, 6)
    early.set_result(asked[0], first_seen_at=datetime(2026, 10, 10, 12, tzinfo=UTC))
    on(early, date(2026, 10, 10), 4)
    close(early, date(2026, 10, 12))
    assert spans(closed(early, "day")) == [(MONDAY, MONDAY, 5), (MONDAY + DAY, date(2026, 10, 10), 5)]
    [cohort] = closed(early, "cohort", Who("acme", ""))
    assert (cohort.leaves[0].counts["csat:delivered"], cohort.leaves[0].counts["csat:answered"]) == (6, 5)


def test_a_kill_in_the_middle_leaves_nothing_and_the_next_turn_closes_the_same(early: World) -> None:
    on(early, MONDAY, 6)

    def die(_connection, _cursor, statement, *_):
        if "INSERT INTO release_cell" in statement:
            raise KeyboardInterrupt

    event.listen(early.engine, "before_cursor_execute", die)
    with pytest.raises(KeyboardInterrupt):
        close(early, MONDAY + DAY)
    event.remove(early.engine, "before_cursor_execute", die)
    assert rows(early) == 0
    close(early, MONDAY + DAY)
    assert spans(closed(early, "day")) == [(MONDAY, MONDAY, 6)]


def test_two_workers_close_each_release_once(early: World) -> None:
    for place in range(28):
        on(early, MONDAY + place * DAY, 6, agent_id=f"a{place % 3}")
    now, together = datetime(2026, 9, 28, 2, tzinfo=UTC), threading.Barrier(2)

    def work() -> None:
        together.wait()
        while close_due(early.engine, early.settings, now):
            pass

    threads = [threading.Thread(target=work) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    early.clock.now = now
    assert len(closed(early, "day")) == 28
    assert (said(early).total.n, said(early, "team").total.n, said(early, "agent").total.n) == (168, 168, 168)


def test_another_zone_holds_from_the_next_day_on(early: World) -> None:
    on(early, MONDAY, 6, hour=23)
    close(early, MONDAY + DAY)
    there = replace(early.settings, service=replace(early.settings.service, time_zone=ZoneInfo("Asia/Tokyo")))
    on(early, MONDAY + DAY, 6, hour=23)  # the day after in Tokyo
    close(early, MONDAY + 2 * DAY, there)
    assert said(early).total.n == 6
    close(early, MONDAY + 3 * DAY, there)
    assert spans(closed(early, "day")) == [(MONDAY, MONDAY, 6), (MONDAY + DAY, MONDAY + 2 * DAY, 6)]


def test_other_thresholds_hold_for_what_is_not_closed_yet(early: World) -> None:
    on(early, MONDAY, 6)
    close(early, MONDAY + DAY)
    on(early, MONDAY + DAY, 6)
    close(early, MONDAY + 2 * DAY, replace(early.settings, reports=replace(early.settings.reports, min_score_n=8)))
    assert spans(closed(early, "day")) == [(MONDAY, MONDAY, 6)]


def test_an_account_that_left_keeps_its_releases_and_what_waits_is_still_closed(early: World) -> None:
    on(early, MONDAY, 6)
    close(early, MONDAY + DAY)
    left = replace(early.settings, accounts={"other": early.settings.accounts["other"]})
    on(early, MONDAY + DAY, 6)
    close(early, MONDAY + 2 * DAY, left)
    assert said(early).total.n == 12


def test_a_damaged_release_is_said_no_more_and_never_made_again(early: World) -> None:
    for place in range(7):
        on(early, MONDAY + place * DAY, 6)
    close(early, MONDAY + 3 * DAY)
    first, second, _ = closed(early, "day")
    with writing(early.engine) as connection:
        one = release_leaf.c.release_id == first.id
        connection.execute(sa.update(release_leaf).where(one).values(counts={"5": 7}))
        for table, column in ((release_leaf, "release_id"), (release_cell, "release_id"), (release, "id")):
            connection.execute(sa.delete(table).where(table.c[column] == second.id))
    close(early, MONDAY + 7 * DAY)
    assert spans(closed(early, "day"))[0] == (MONDAY + 2 * DAY, MONDAY + 2 * DAY, 6)
    assert said(early).total.n == 30
    assert said(early, "team").total.n == 30


def test_what_is_erased_stays_a_number_and_what_waits_is_never_counted(early: World) -> None:
    """With erase_scores the score goes: from what waits, not from sums that are nobody's any more."""
    gone = on(early, MONDAY, 6)
    close(early, MONDAY + DAY)
    waits = on(early, MONDAY + DAY, 5)
    for each in (gone[0], waits[0]):
        early.set_result(each, score=None, score_at=None)
    close(early, MONDAY + 7 * DAY)
    assert (said(early).total.n, said(early, "team").total.n) == (6, 6)
    on(early, MONDAY + 7 * DAY, 1)
    close(early, MONDAY + 8 * DAY)
    assert said(early).total.n == 11


def test_a_ledger_that_exists_is_closed_from_its_oldest_day_and_readers_are_told_to_wait(world: World) -> None:
    for place in range(30):
        on(world, MONDAY + place * DAY, 6, agent_id="ann", team_id="red")
    world.clock.now = datetime(2026, 9, 30, 12, tzinfo=UTC)
    assert (said(world).reason, made_until(world)) == ("releases_being_made", None)
    close_due(world.engine, world.settings, world.clock.now)
    assert MONDAY < made_until(world) <= date(2026, 9, 30), "how far they are is told meanwhile"
    close(world, date(2026, 9, 30), hour=12)
    assert (said(world).reason, made_until(world)) == (None, date(2026, 9, 30))
    assert (said(world).total.n, said(world, "agent").total.n) == (180, 168)
    assert said(world, "agent").waiting == 12
    assert [point.total.n for point in line(world, "week")] == [42, 42, 42, 42, 12]
    with writing(world.engine) as connection:
        assert set(connection.scalars(sa.select(result.c.released.is_(None)))) == {False}


def test_each_account_and_kind_of_card_has_releases_of_its_own(early: World) -> None:
    on(early, MONDAY, 6)
    on(early, MONDAY, 4, kind="nps", score=9)
    on(early, MONDAY, 5, account="other")
    close(early, MONDAY + DAY)
    assert [len(closed(early, "day", who)) for who in (CSAT, Who("acme", "nps"), Who("other", "csat"))] == [1, 0, 1]


def test_one_that_cannot_be_closed_holds_up_no_other(early: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor what the same account was given to do, which has no answers; only its rates wait for its days."""
    walk_days = closing._walk_days

    def fail(connection: Connection, ground: Ground, before: date, due: date) -> date | None:
        if ground.who == CSAT:
            raise ValueError
        return walk_days(connection, ground, before, due)

    monkeypatch.setattr(closing, "_walk_days", fail)
    on(early, MONDAY, 6)
    on(early, MONDAY, 6, account="other")
    close(early, MONDAY + 60 * DAY)
    everything = (("day", CSAT), ("cohort", Who("acme", "")), ("team_work", Who("acme", "")))
    assert [len(closed(early, *each)) for each in everything] == [0, 0, 1]
    assert len(closed(early, "day", Who("other", "csat"))) == 1
    monkeypatch.undo()
    close(early, MONDAY + 60 * DAY)
    assert [len(closed(early, *each)) for each in everything] == [1, 1, 1]


def test_while_a_release_is_divided_others_write(early: World, monkeypatch: pytest.MonkeyPatch) -> None:
    leaves, wrote = closing.partitions.leaves, []

    def slow(*asked: Any) -> Any:
        with writing(early.engine) as connection:
            wrote.append(connection.execute(sa.update(result).values(update_count=result.c.update_count)).rowcount)
        return leaves(*asked)

    monkeypatch.setattr(closing.partitions, "leaves", slow)
    on(early, MONDAY, 6)
    close(early, MONDAY + 7 * DAY)
    assert wrote == [6]
    assert len(closed(early, "team")) == 1


def test_a_walk_that_cannot_begin_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = closing._begin

    def fail(connection: Connection, ground: Ground) -> Mapping[str, date]:
        if ground.who == CSAT:
            raise ValueError
        return begin(connection, ground)

    monkeypatch.setattr(closing, "_begin", fail)
    on(world, MONDAY, 6, account="other")
    close(world, MONDAY + DAY)
    assert len(closed(world, "day", Who("other", "csat"))) == 1


def test_test_traffic_is_in_no_release(early: World) -> None:
    on(early, MONDAY, 9, test=True)
    close(early, MONDAY + DAY, settings_of())
    assert rows(early) == 0
