"""Releases are closed once, despite kills, two workers, late answers, odd clocks and changed settings."""

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
from service.models import release, release_cell, release_leaf, release_walk, result
from service.reports.disclosure import closing, store
from service.reports.disclosure.closing import close_due
from service.reports.disclosure.days import CONTEXTS, HOUR, ReleaseTerms
from service.reports.disclosure.partitions import REST
from service.reports.disclosure.store import Leaf, Release, ReleaseSeries
from service.reports.figures import figures
from service.reports.filters import Filter
from service.reports.report_query import ReportQuery
from tests.reports.disclosure.ledger import (
    CSAT,
    MONDAY,
    TWELVE,
    close,
    closed,
    days_cannot_be_closed,
    line,
    on,
    rows,
    said,
    spans,
    told,
)
from tests.reports.world import World, settings_of

DAY = timedelta(days=1)


def made_until(world: World) -> date | None:
    """How far an analyst is told that the releases of acme are."""
    with reading(world.engine) as connection:
        analyst = Reader("k", "n", "analyst", ())
        query = ReportQuery(connection, world.settings, analyst, Filter(), world.clock.now)
        told = figures.completeness(query).accounts
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
def test_clocks_of_x_are_ignored(early: World, told: datetime) -> None:
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
    [cohort] = closed(early, "cohort", ReleaseSeries("acme", ""))
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


def test_an_answer_erased_while_its_release_is_closed_leaves_no_small_one(postgresql_engine: sa.Engine) -> None:
    """SQLite has locked the ledger by then."""
    early = World(postgresql_engine)
    close(early, MONDAY)
    still = on(early, MONDAY, 5)[:1]

    def erase(_connection, _cursor, statement, *_):
        if "FOR UPDATE OF result" in statement and still:
            with writing(early.engine) as connection:
                gone = result.c.request_id == still.pop()
                connection.execute(sa.update(result).where(gone).values(score=None))

    event.listen(early.engine, "before_cursor_execute", erase)
    close(early, MONDAY + DAY)
    assert closed(early, "day") == ()
    on(early, MONDAY + DAY, 1)
    close(early, MONDAY + 2 * DAY)
    assert spans(closed(early, "day")) == [(MONDAY, MONDAY + DAY, 5)]


def test_two_workers_close_each_release_once(early: World) -> None:
    for place in range(28):
        on(early, MONDAY + place * DAY, 6, agent_id=f"a{place % 3}")
    early.told()
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


def test_a_damaged_release_is_hidden_and_never_made_again(early: World) -> None:
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


def test_erased_answers_stay_in_closed_releases_and_out_of_later_ones(early: World) -> None:
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


def test_an_existing_ledger_is_closed_from_its_oldest_day(world: World) -> None:
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
    assert [
        len(closed(early, "day", series))
        for series in (CSAT, ReleaseSeries("acme", "nps"), ReleaseSeries("other", "csat"))
    ] == [1, 0, 1]


def test_a_release_that_cannot_be_closed_delays_no_other(early: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor what the same account was given to do, which has no answers; only its rates wait for its days."""
    days_cannot_be_closed(monkeypatch, CSAT)
    on(early, MONDAY, 6)
    on(early, MONDAY, 6, account="other")
    close(early, MONDAY + 60 * DAY)
    everything = (("day", CSAT), ("cohort", ReleaseSeries("acme", "")), ("team_work", ReleaseSeries("acme", "")))
    assert [len(closed(early, *each)) for each in everything] == [0, 0, 1]
    assert len(closed(early, "day", ReleaseSeries("other", "csat"))) == 1
    monkeypatch.undo()
    close(early, MONDAY + 60 * DAY)
    assert [len(closed(early, *each)) for each in everything] == [1, 1, 1]


def test_dividing_a_release_blocks_no_writer(early: World, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_an_account_that_cannot_begin_delays_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = closing._begin

    def fail(connection: Connection, terms: ReleaseTerms) -> Mapping[str, date]:
        if terms.series == CSAT:
            raise ValueError
        return begin(connection, terms)

    monkeypatch.setattr(closing, "_begin", fail)
    on(world, MONDAY, 6, account="other")
    close(world, MONDAY + DAY)
    assert len(closed(world, "day", ReleaseSeries("other", "csat"))) == 1


def test_test_traffic_is_in_no_release(early: World) -> None:
    on(early, MONDAY, 9, test=True)
    close(early, MONDAY + DAY, settings_of())
    assert rows(early) == 0


WEEK = 7 * DAY
EVERYTHING = ReleaseSeries("acme", "")


@pytest.fixture
def begun(quick: World) -> World:
    """The same on SQLite: a ledger before its first week."""
    close(quick, MONDAY)
    return quick


def walked(world: World, series: ReleaseSeries = CSAT) -> Mapping[str, date]:
    with reading(world.engine) as connection:
        return store.walks(connection)[series]


def test_without_answers_no_release_is_made(begun: World) -> None:
    assert said(begun).reason == "waits"


def test_the_first_release_begins_on_the_day_of_the_oldest_answer(begun: World) -> None:
    on(begun, MONDAY + DAY, 3)
    on(begun, MONDAY + 2 * DAY, 2)
    close(begun, MONDAY + 3 * DAY)
    assert spans(closed(begun, "day")) == [(MONDAY + DAY, MONDAY + 2 * DAY, 5)]


def test_answers_that_all_come_late_are_a_release_of_the_day_on_which_they_are_taken(begun: World) -> None:
    on(begun, MONDAY, 6)
    close(begun, MONDAY + DAY)
    on(begun, MONDAY, 5)
    close(begun, MONDAY + 2 * DAY)
    assert spans(closed(begun, "day")) == [(MONDAY, MONDAY, 6), (MONDAY + DAY, MONDAY + DAY, 5)]


@pytest.mark.parametrize(("before", "closes"), [(4, []), (5, [(MONDAY, MONDAY, 5)])])
def test_an_answer_of_midnight_is_of_the_day_that_begins(begun: World, before: int, closes: list[Any]) -> None:
    on(begun, MONDAY, before)
    [one] = on(begun, MONDAY, 1)
    begun.set_result(one, first_seen_at=datetime(2026, 9, 1, tzinfo=UTC))
    close(begun, MONDAY + DAY)
    assert spans(closed(begun, "day")) == closes


def test_a_week_s_release_has_its_sunday_and_not_that_of_the_week_before(begun: World) -> None:
    for day, n in ((6, 6), (7, 7), (13, 5)):
        on(begun, MONDAY + day * DAY, n)
    close(begun, MONDAY + 2 * WEEK)
    assert spans(closed(begun, "team")) == [
        (MONDAY + 6 * DAY, MONDAY + 6 * DAY, 6), (MONDAY + 7 * DAY, MONDAY + 13 * DAY, 12),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "weeks"), [("team", 1), ("agent", 4), *((each, 4) for each in (*CONTEXTS, HOUR))])
def test_groups_are_told_on_the_morning_after_their_weeks(begun: World, name: str, weeks: int) -> None:
    for day in (0, weeks * 7 - 1):
        on(begun, MONDAY + day * DAY, 6)
    close(begun, MONDAY + weeks * WEEK - DAY)
    assert closed(begun, name) == ()
    close(begun, MONDAY + weeks * WEEK)
    assert spans(closed(begun, name)) == [(MONDAY, MONDAY + weeks * WEEK - DAY, 12)]


def test_twelve_weeks_name_those_who_were_among_the_others_of_their_team(begun: World) -> None:
    """In four weeks bob, cat and two small teams are too few; those teams stay the others of all."""
    for block in range(6):
        for team, agent, n in (
            ("red", "ann", 9), ("red", "bob", 3), ("red", "cat", 3), ("blue", "dan", 2), ("green", "eve", 3),
        ):  # fmt: skip
            on(begun, TWELVE + 4 * block * WEEK, n, team_id=team, agent_id=agent)
    close(begun, TWELVE + 12 * WEEK - DAY)
    assert closed(begun, REST) == ()
    close(begun, TWELVE + 20 * WEEK)
    twelve = {("red", "bob"): 9, ("red", "cat"): 9}
    assert told(closed(begun, REST)) == [twelve]
    named = {str(group.label): group.n for group in said(begun, "agent").groups}
    assert named == {
        "ann": 45, "bob": 9, "cat": 9, "Pooled(of='red', of_all=False)": 12, "Pooled(of=None, of_all=True)": 25,
    }  # fmt: skip
    close(begun, TWELVE + 24 * WEEK)
    assert told(closed(begun, REST)) == [twelve, twelve]
    named = {str(group.label): group.n for group in said(begun, "agent").groups}
    assert named == {"ann": 54, "bob": 18, "cat": 18, "Pooled(of=None, of_all=True)": 30}
    with reading(begun.engine) as connection:
        left = connection.scalar(sa.select(sa.func.count()).select_from(release_cell))
    assert left == 0, "what no later release will be made of is gone"


def test_campaigns_and_languages_together_reveal_no_small_group(begun: World) -> None:
    """All that is German less a whole campaign would be three answers."""
    for campaign, language, n in (("sale", "de", 6), ("care", "de", 3), ("care", "en", 9)):
        on(begun, MONDAY, n, campaign=campaign, language=language)
    close(begun, MONDAY + 4 * WEEK)
    assert told(closed(begun, "campaign")) == [{("care",): 12, ("sale",): 6}]
    assert told(closed(begun, "language")) == [{("*",): 18}]
    assert [said(begun, None, campaign=each).total.n for each in ("care", "sale")] == [12, 6]


def test_only_small_groups_are_pooled(begun: World) -> None:
    begun.settings = settings_of(reports__answer_window="2d")
    on(begun, MONDAY, 6)
    close(begun, MONDAY + 5 * WEEK)
    whole = [closed(begun, name) for name in ("day", "team", "agent")]
    whole += [closed(begun, name, EVERYTHING) for name in ("cohort", "team_work", "agent_work")]
    assert [leaf.pooled for those in whole for each in those for leaf in each.leaves] == [False] * 6


def test_partitions_of_a_later_version_begin_with_the_next_weeks(begun: World) -> None:
    """Answers before were not frozen with it. What there was already is told when it always was."""
    for week in range(16):
        on(begun, TWELVE + week * WEEK, 6)
    close(begun, TWELVE + 8 * WEEK + DAY)
    with writing(begun.engine) as connection:
        connection.execute(sa.delete(release_walk).where(release_walk.c.partition == "way"))
        ways = sa.select(release.c.id).where(release.c.partition == "way")
        connection.execute(sa.delete(release_leaf).where(release_leaf.c.release_id.in_(ways)))
        connection.execute(sa.delete(release).where(release.c.partition == "way"))
    close(begun, TWELVE + 9 * WEEK)
    assert (walked(begun)["way"], walked(begun)["campaign"]) == (TWELVE + 12 * WEEK, TWELVE + 8 * WEEK)
    assert walked(begun)[REST] == TWELVE
    assert "way" not in walked(begun, EVERYTHING)
    close(begun, TWELVE + 12 * WEEK)
    assert (walked(begun)[REST], len(closed(begun, "campaign"))) == (TWELVE + 12 * WEEK, 3)
    close(begun, TWELVE + 16 * WEEK)
    assert [n for *_, n in spans(closed(begun, "way"))] == [24]


def test_it_takes_all_due_steps_and_returns_their_number(begun: World) -> None:
    """A day of two kinds of card and a cohort, of each of two accounts."""
    begun.settings = settings_of(reports__answer_window="24h")
    begun.clock.now = datetime(2026, 9, 2, 2, tzinfo=UTC)
    assert [close_due(begun.engine, begun.settings, begun.clock.now) for _ in range(2)] == [6, 0]


def test_at_most_so_many_steps_are_taken_at_once_of_all_accounts(begun: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "STEPS_AT_ONCE", 3)
    for account in ("acme", "other"):
        for day in range(4):
            on(begun, MONDAY + day * DAY, 5, account=account)
    now = datetime(2026, 9, 4, 2, tzinfo=UTC)
    assert [close_due(begun.engine, begun.settings, now) for _ in range(5)] == [3, 3, 3, 1, 0]


def test_if_nothing_is_due_one_query_is_enough(begun: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker comes each second, and on SQLite who writes keeps all others waiting."""
    begun.settings = settings_of(reports__answer_window="2d")
    on(begun, MONDAY, 3)
    close(begun, MONDAY + 3 * DAY)
    begun.settings = settings_of(reports__answer_window="2d")
    looks = list[str]()
    for name in ("reading", "writing"):
        of_old = getattr(closing, name)
        monkeypatch.setattr(closing, name, lambda engine, n=name, o=of_old: (looks.append(n), o(engine))[1])
    assert close_due(begun.engine, begun.settings, begun.clock.now) == 0
    assert looks == ["reading"]


def test_releases_of_an_earlier_version_are_still_shown() -> None:
    """A checksum is calculated today as it was when the first release was closed."""
    leaf = Leaf(("Zoë",), False, {"c1": 6, "c0": 1})
    made = store._checksum(CSAT, "team", Release(MONDAY, MONDAY + WEEK, (leaf,), 1))
    assert made == "8b8e0caf5f27cf76dbd77bb09f5cc56c9a1e595780231bbc9a592289c963f7f7"
