"""Figures from whole releases: groups and pools by name, sums of accounts, and why there is no more."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.db import reading
from service.errors import Invalid
from service.reports.counting.periods import start_of
from service.reports.disclosure.asked import Group, PeriodQuestion, Pooled, PublishedFigures
from service.reports.disclosure.published import AccountReleases, last_day, published, trend
from service.reports.disclosure.store import Release
from service.reports.statistics.statistics import classes_of
from tests.reports.disclosure.ledger import MONDAY, close, line, on, said
from tests.reports.world import World

DAY = timedelta(days=1)
WEEK = 7 * DAY
OF_ALL = Pooled(None, of_all=True)


@pytest.fixture
def four_weeks(quick: World) -> World:
    """Red with two small agents, two small teams, and people of no team; all answered on one Monday."""
    return quick.begun("four weeks", told_in_four_weeks)


def told_in_four_weeks(quick: World) -> None:
    close(quick, MONDAY)
    for team, agent, n, score in (
        ("red", "ann", 9, 5), ("red", "bob", 3, 1), ("red", "cat", 2, 4), ("blue", "dan", 2, 5), ("green", "eve", 3, 5),
        (None, "fay", 6, 2), (None, "gus", 2, 3), (None, "hal", 3, 3),
    ):  # fmt: skip
        on(quick, MONDAY, n, team_id=team, agent_id=agent, score=score)
    close(quick, MONDAY + 4 * WEEK)


@pytest.mark.parametrize(
    ("by", "wanted", "told"),
    [
        ("team", {}, {"red": 14, None: 11, OF_ALL: 5}),
        ("team", {"team": "red"}, {"red": 14}),
        ("agent", {}, {"ann": 9, Pooled("red"): 5, "fay": 6, Pooled(None): 5, OF_ALL: 5}),
        ("agent", {"team": "red"}, {"ann": 9, Pooled("red"): 5}),
        ("agent", {"agent": "ann"}, {"ann": 9}),
        ("team", {"agent": "ann"}, {"red": 9}),
    ],
)
def test_a_pool_is_named_by_its_team_or_is_that_of_all(
    four_weeks: World, by: str, wanted: Mapping[str, str], told: Mapping[Any, int]
) -> None:
    found = said(four_weeks, by, **wanted)
    assert {group.label: group.n for group in found.groups} == told
    assert found.total is not None
    assert (found.total.n, found.reason) == (sum(told.values()), None)
    assert (found.first, found.end) == (MONDAY, MONDAY + DAY)


@pytest.mark.parametrize(
    "wanted", [{"agent": "bob"}, {"team": "blue"}, {"team": "nobody"}, {"agent": "cat", "team": "red"}]
)
def test_members_of_a_pool_are_never_shown_alone(four_weeks: World, wanted: Mapping[str, str]) -> None:
    found = said(four_weeks, None, **wanted)
    assert (found.groups, found.total, found.reason) == ((), None, "pooled")


def test_teams_by_an_agent_count_the_agent_s_pool_nowhere(four_weeks: World) -> None:
    """By team, where agents are asked for: pools of single teams are the team's."""
    groups = said(four_weeks, "team", agent="fay").groups
    assert {group.label: group.n for group in groups} == {None: 6}


def test_groups_are_published_by_class_and_the_account_by_score(four_weeks: World) -> None:
    whole, [red] = said(four_weeks), said(four_weeks, "team", team="red").groups
    assert whole.total is not None
    assert whole.total.scores == {1: 3, 2: 6, 3: 5, 4: 2, 5: 14}
    assert (whole.total.classes, whole.total.counts("csat")) == ((14, 16), {1: 3, 2: 6, 3: 5, 4: 2, 5: 14})
    assert (dict(red.scores), red.classes, red.counts("csat")) == ({}, (3, 11), {1: 3, 5: 11})


def test_waiting_counts_are_those_of_the_groups_release(four_weeks: World) -> None:
    on(four_weeks, MONDAY + 28 * DAY, 7)
    close(four_weeks, MONDAY + 29 * DAY)
    assert (said(four_weeks).waiting, said(four_weeks, "agent").waiting) == (0, 7)
    assert said(four_weeks, "agent", first=MONDAY + DAY) == PublishedFigures(waiting=7, reason="waits")


def test_groups_are_sorted_by_name_with_pools_last(four_weeks: World) -> None:
    assert [each.label for each in said(four_weeks, "team").groups] == ["red", None, OF_ALL]


def test_teams_are_told_of_whole_weeks_within_the_days_asked_about(four_weeks: World) -> None:
    for day in (28, 29, 35):
        on(four_weeks, MONDAY + day * DAY, 6)
    close(four_weeks, MONDAY + 6 * WEEK)
    found = said(four_weeks, "team", first=MONDAY + 29 * DAY)
    assert found.total is not None
    assert (found.total.n, [each.n for each in found.groups], found.waiting) == (6, [6], 6)


def test_classes_are_told_by_scores_that_are_of_these_classes() -> None:
    assert classes_of("nps", Group(None, (2, 3, 4)).counts("nps")) == (2, 3, 4)
    assert classes_of("csat", Group(None, (2, 3)).counts("csat")) == (2, 3)


def of_both(
    world: World, by: str | None = None, period: str | None = None, **days: date
) -> tuple[PublishedFigures, ...]:
    asked = PeriodQuestion(("acme", "other"), "csat", by, {}, **days)
    with reading(world.engine) as connection:
        if period:
            return trend(connection, world.settings, asked, period, world.clock.now)
        return (published(connection, world.settings, asked, world.clock.now),)


def test_accounts_are_added_up_over_the_days_of_either(quick: World) -> None:
    close(quick, MONDAY)
    on(quick, MONDAY, 6, score=5)
    on(quick, MONDAY + 7 * DAY, 6, score=4)
    on(quick, MONDAY + 2 * DAY, 5, account="other", score=1)
    close(quick, MONDAY + 9 * WEEK)
    [both] = of_both(quick, "account")
    assert both.total is not None
    assert (both.first, both.end, both.total.scores) == (MONDAY, MONDAY + 8 * DAY, {1: 5, 4: 6, 5: 6})
    assert {each.label: each.scores for each in both.groups} == {"acme": {4: 6, 5: 6}, "other": {1: 5}}
    [team] = of_both(quick, "team")
    assert [(each.label, each.classes) for each in team.groups] == [("red", (5, 12))]
    assert [each.total.n for each in of_both(quick, None, "week") if each.total] == [11, 6]
    assert [each.total.n for each in of_both(quick, None, "month") if each.total] == [6, 11]
    [shorter] = of_both(quick, first=MONDAY + DAY, end=MONDAY + 4 * DAY)
    assert (shorter.first, shorter.end, shorter.total and shorter.total.n) == (MONDAY + 2 * DAY, MONDAY + 3 * DAY, 5)


@pytest.mark.parametrize(
    ("by", "refused"), [(None, ()), ("team", ("day",)), ("agent", ("day", "week")), ("campaign", ("day", "week"))]
)
def test_a_period_without_a_whole_release_is_not_shown(
    four_weeks: World, by: str | None, refused: tuple[str, ...]
) -> None:
    for period in ("day", "week", "month"):
        if period in refused:
            with pytest.raises(Invalid) as told:
                line(four_weeks, period, by=by)
            assert told.value.code == "period_too_short"
        else:
            [point] = line(four_weeks, period, by=by)
            assert point.total is not None
            assert point.total.n == 30


def test_a_language_whose_tag_has_changed_is_one_here_too(quick: World) -> None:
    """Each release keeps the tags it was closed with."""
    close(quick, MONDAY)
    for tag, n in (("no", 6), ("nb", 7), ("en", 9)):
        on(quick, MONDAY, n, language=tag)
    close(quick, MONDAY + 4 * WEEK)
    client = quick.client("analyst")
    (table,) = client.json("/v1/breakdown", by="language", type="csat")["items"]
    assert {row["key"]: row["score"]["n"] for row in table["rows"]} == {"nb": 13, "en": 9}
    lines = client.json("/v1/trend", by="language", type="csat", period="month")["items"]
    assert {one["key"]: one["total"]["n"] for one in lines} == {"nb": 13, "en": 9}
    for asked in ("no", "nb"):
        assert client.json("/v1/summary", language=asked)["csat"]["n"] == 13


@given(
    spans=st.tuples(*[st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40)), max_size=12)] * 3),
    period=st.sampled_from(["day", "week", "month"]),
)
def test_a_point_of_a_trend_is_of_the_releases_that_end_in_it(
    spans: tuple[list[tuple[int, int]], ...], period: str
) -> None:
    """And of what lies inside them, however days and partitions were cut; each may have gaps."""
    days, whole, rests = (cut(each) for each in spans)
    found = AccountReleases(days, whole, rests).by(period)
    assert [each for point in found.values() for each in point.whole] == list(whole)
    for begin, point in found.items():
        assert {start_of(last_day(each), period) for each in point.whole} == {begin}
        first, end = point.whole[0].first, point.whole[-1].end
        for some, told in ((days, point.days), (rests, point.rests)):
            assert told == tuple(each for each in some if first <= each.first and each.end <= end)


def cut(spans: list[tuple[int, int]]) -> tuple[Release, ...]:
    """Releases one after another: so many days after the one before, so many days long."""
    made, end = list[Release](), MONDAY
    for gap, length in spans:
        first = end + gap * DAY
        made.append(Release(first, end := first + length * DAY, (), len(made)))
    return tuple(made)
