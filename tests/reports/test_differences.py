"""Then and now of every group: the same figures as summary and breakdown, judged together."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from service.db import reading
from service.errors import Invalid
from service.reports.figures import figures
from service.reports.figures.differences import before, name_order
from service.reports.figures.then_now import Differences
from service.reports.filters import Filter
from service.reports.report_query import ReportQuery
from tests.reports.disclosure.ledger import MONDAY, close, on
from tests.reports.world import ADMIN, NOW, World

WEEK = timedelta(days=7)
BERLIN = "Europe/Berlin"
THIS = Filter(since=NOW - WEEK, until=NOW)


def differences(world: World, by: str, **asked) -> tuple[Differences, ...]:
    with reading(world.engine) as connection:
        found = figures.differences(ReportQuery(connection, world.settings, ADMIN, THIS, NOW), by, **asked).items
    return next(each for each in found if each.type == "csat")


@pytest.fixture
def two_weeks(world: World) -> World:
    """Red was 42 of 54 and is 26 of 43; blue stays; green is small."""
    return world.begun("two weeks", told_in_two_weeks)


def told_in_two_weeks(world: World) -> None:
    for days_ago, red in ((10, (42, 12)), (3, (26, 17))):
        world.add(red[0], score=5, days_ago=days_ago)
        world.add(red[1], score=1, days_ago=days_ago)
        world.add(60, score=5, days_ago=days_ago, team_id="blue", agent_id="bob")
        world.add(3, score=1, days_ago=days_ago, team_id="green", agent_id="cid")


def test_each_group_is_compared_with_the_week_before(two_weeks: World) -> None:
    found = differences(two_weeks, "team")
    red = next(row for row in found.rows if row.key == "red")
    assert (red.then.n, red.now.n) == (54, 43)
    assert (red.then.value, red.now.value) == (pytest.approx(100 * 42 / 54), pytest.approx(100 * 26 / 43))
    assert red.change is not None
    assert (red.change.low, red.change.high) == (pytest.approx(-35, abs=0.5), pytest.approx(1, abs=0.5))
    assert red.judgement == "possibly_worse"
    assert (found.earlier_since, found.earlier_until) == (NOW - 2 * WEEK, NOW - WEEK)


def test_groups_outside_the_limits_come_first_and_small_ones_last(two_weeks: World) -> None:
    found = differences(two_weeks, "team")
    assert [(row.key, row.place) for row in found.rows] == [("blue", "above"), ("red", "below"), ("green", None)]
    assert found.rows[-1].judgement == "too_few_to_judge"


def test_nobody_is_ranked_where_one_has_too_few_answers_for_it(world: World) -> None:
    for team, happy in (("a", 18), ("b", 22), ("c", 20)):
        world.add(happy, score=5, days_ago=3, team_id=team)
        world.add(40 - happy, score=1, days_ago=3, team_id=team)
    ranked = differences(world, "team").rows
    world.add(3, score=5, days_ago=3, team_id="bb")
    world.add(3, score=1, days_ago=3, team_id="bb")
    named = differences(world, "team").rows
    assert {row.place for row in (*ranked, *named)} == {"inside"}
    assert [row.key for row in ranked] == ["b", "c", "a"]
    assert [row.key for row in named] == ["a", "b", "bb", "c"]


def test_hours_come_by_the_clock_and_names_as_people_read_them(two_weeks: World) -> None:
    (row, *_) = differences(two_weeks, "team").rows
    rows = [
        replace(row, key=key, name=name)
        for key, name in ((10, None), (2, None), (None, None), ("x", "Ann"), ("a", "bo"))
    ]
    shown = sorted(rows, key=name_order)
    assert [each.name or each.key for each in shown] == [2, 10, "Ann", "bo", None]


def test_all_together_they_are_the_summary(two_weeks: World) -> None:
    found = differences(two_weeks, "team")
    with reading(two_weeks.engine) as connection:
        told = figures.summary(ReportQuery(connection, two_weeks.settings, ADMIN, THIS, NOW))
    assert found.total.now == told.csat
    assert found.total.response_now == told.response_rate_of_delivered
    assert found.total.then.n == 117


def test_the_rows_are_those_of_a_breakdown(two_weeks: World) -> None:
    with reading(two_weeks.engine) as connection:
        split = figures.breakdown(ReportQuery(connection, two_weeks.settings, ADMIN, THIS, NOW), "team").items
    csat = next(each for each in split if each.type == "csat")
    told = {(row.key, row.rest): (row.score, row.response_rate) for row in csat.rows}
    assert {(row.key, row.rest): (row.now, row.response_now) for row in differences(two_weeks, "team").rows} == told


def test_days_to_come_are_not_compared_with_days_that_have_passed(two_weeks: World) -> None:
    today, until = NOW.replace(hour=0), NOW + timedelta(days=30)
    asked = Filter(since=today - WEEK, until=until.replace(hour=0))
    with reading(two_weeks.engine) as connection:
        found = figures.differences(ReportQuery(connection, two_weeks.settings, ADMIN, asked, NOW), "team").items[0]
    day = timedelta(days=1)
    assert (found.since, found.until) == (today - WEEK, today + day)
    assert (found.earlier_since, found.earlier_until) == (today - 2 * WEEK - day, today - WEEK)


@pytest.mark.parametrize("until", [None, NOW + 3 * WEEK])
def test_days_to_come_alone_are_no_days(two_weeks: World, until: datetime | None) -> None:
    asked = Filter(since=(NOW + 2 * WEEK).replace(hour=0), until=until)
    with reading(two_weeks.engine) as connection:
        found = figures.differences(ReportQuery(connection, two_weeks.settings, ADMIN, asked, NOW), "team").items[0]
    assert asked.since == found.since == found.until == found.earlier_since == found.earlier_until
    assert (found.total.now.n, found.total.then.n) == (0, 0)


def test_another_period_can_be_named_but_not_one_that_shares_days(two_weeks: World) -> None:
    other = Filter(since=NOW - 3 * WEEK, until=NOW - 2 * WEEK)
    assert differences(two_weeks, "team", other=other).total.then.n == 0
    with pytest.raises(Invalid) as refused:
        differences(two_weeks, "team", other=Filter(since=NOW - 2 * WEEK, until=NOW - timedelta(days=6)))
    assert refused.value.code == "periods_overlap"
    with pytest.raises(Invalid) as refused:
        differences(two_weeks, "team", other=Filter(since=NOW - 3 * WEEK))
    assert refused.value.code == "two_sides_needed"


def test_days_before_are_as_many_days_whatever_the_clocks_did(world: World) -> None:
    """Summer time ended on 25 October 2026: the seven days before the 29th began an hour earlier in UTC."""
    from zoneinfo import ZoneInfo

    from service.reports.days import midnight

    zone = ZoneInfo(BERLIN)
    day = NOW.date().replace(month=10, day=29)
    since, until = midnight(day - WEEK, zone), midnight(day, zone)
    assert until - since == WEEK + timedelta(hours=1)
    assert before(since, until, zone) == (midnight(day - 2 * WEEK, zone), since)
    assert before(NOW, NOW + timedelta(minutes=5), zone) == (NOW - timedelta(minutes=5), NOW)


def test_over_the_api_it_is_the_same(two_weeks: World) -> None:
    client = two_weeks.client()
    asked = {"since": "2026-11-15T12:00:00Z", "until": "2026-11-22T12:00:00Z", "by": "team"}
    found = client.json("/v1/differences", **asked)["items"][0]
    assert [row["judgement"] for row in found["rows"]][1:] == ["possibly_worse", "too_few_to_judge"]
    assert (found["smallest"], found["total"]["now"]["n"]) == (5, 106)
    assert client.refused("/v1/differences", 422, by="team") == "since_needed"
    assert client.refused("/v1/differences", 422, **asked, other_since="2026-11-01") == "two_sides_needed"
    assert client.refused("/v1/differences", 422, by="mood") == "invalid_parameter"


def test_analysts_are_told_whole_releases_of_both_periods(two_weeks: World) -> None:
    two_weeks.clock.now = NOW + timedelta(days=120)
    two_weeks.released()
    asked = {"since": "2026-10-01", "until": "2026-12-20", "by": "team"}
    table = two_weeks.client("analyst").json("/v1/differences", **asked)["items"][0]
    split = two_weeks.client("analyst").json("/v1/breakdown", **asked)["items"]
    csat = next(each for each in split if each["type"] == "csat")
    told = {(row["key"], row["rest"]): row["score"] for row in csat["rows"]}
    assert {(row["key"], row["rest"]): row["now"] for row in table["rows"]} == told
    assert {row["response_now"]["suppressed"] for row in table["rows"]} == {"by_account_only"}


def test_others_of_no_team_and_all_others_are_two_rows_everywhere(world: World) -> None:
    close(world, MONDAY)
    for team, agent, n in ((None, "gus", 2), (None, "hal", 3), ("blue", "dan", 2), ("green", "eve", 3)):
        on(world, MONDAY, n, team_id=team, agent_id=agent)
    on(world, MONDAY, 6, team_id="red", agent_id="ann")
    close(world, MONDAY + 4 * WEEK)
    analyst, asked = world.client("analyst"), {"since": "2026-08-31", "until": "2026-09-28", "by": "agent"}
    rows = analyst.json("/v1/differences", **asked)["items"][0]["rows"]
    pools = [("others", None, 5), ("other_groups", None, 5)]
    assert sorted((row["rest"], row["of"], row["now"]["n"]) for row in rows if row["rest"]) == sorted(pools)
    lines = analyst.json("/v1/trend", **asked, period="month")["items"]
    assert sorted((each["rest"], each["of"], each["total"]["n"]) for each in lines if each["rest"]) == sorted(pools)


def test_two_groups_are_compared_by_the_same_cases_too(world: World) -> None:
    """Both solve 90 % of the easy and 50 % of the hard; bob has the hard ones."""
    for agent, easy, hard in (("ann", (90, 10), (12, 12)), ("bob", (18, 2), (50, 50))):
        for campaign, (good, bad) in (("easy", easy), ("hard", hard)):
            world.add(good, score=5, agent_id=agent, campaign=campaign)
            world.add(bad, score=1, agent_id=agent, campaign=campaign)
    found = world.client().json("/v1/compare", by="agent", a="ann", b="bob")["comparisons"][0]
    assert found["judgement"] == "worse"
    fair = found["standardised"]
    assert (fair["difference"], fair["strata"]) == (pytest.approx(0), 2)
    assert (fair["n_a"], fair["of_a"], fair["n_b"], fair["of_b"]) == (124, 124, 120, 120)
    assert fair["low"] < 0 < fair["high"]
    periods = world.client().json("/v1/compare", since="2026-11-15", other_until="2026-11-15")["comparisons"][0]
    assert periods["standardised"] is None


def test_a_response_rate_is_possibly_worse_at_most_while_customers_may_still_answer(world: World) -> None:
    """Who was asked lately has had less time: they would look worse every week."""
    for days_ago, answered in ((10, 90), (3, 30)):
        world.add(answered, score=5, days_ago=days_ago)
        world.add(100 - answered, days_ago=days_ago)
    client = world.client()
    week = {"since": (NOW - WEEK).isoformat(), "until": NOW.isoformat()}
    before = {"since": (NOW - 2 * WEEK).isoformat(), "until": (NOW - WEEK).isoformat()}
    other = {f"other_{name}": moment for name, moment in week.items()}
    back = {f"other_{name}": moment for name, moment in before.items()}

    def said() -> tuple[str, ...]:
        [csat] = client.json("/v1/differences", by="team", type="csat", **week)["items"]
        whole, (row,) = csat["total"]["response_judgement"], csat["rows"]
        forward = client.json("/v1/compare", **before, **other)["response_rate_judgement"]
        return (
            whole,
            row["response_judgement"],
            forward,
            client.json("/v1/compare", **week, **back)["response_rate_judgement"],
        )

    assert said() == ("possibly_worse",) * 3 + ("possibly_better",)
    world.clock.forward(days=30)
    assert said() == ("worse", "worse", "worse", "better")


def test_a_certain_improvement_is_reported(world: World) -> None:
    for days_ago, answered in ((10, 30), (3, 90)):
        world.add(answered, score=5, days_ago=days_ago)
        world.add(100 - answered, days_ago=days_ago)
    assert differences(world, "team").total.response_judgement == "better"


def test_two_groups_of_the_same_days_are_compared_although_more_may_answer(world: World) -> None:
    for source, answered in (("crm", 90), ("web", 30)):
        world.add(answered, score=5, source=source)
        world.add(100 - answered, source=source)
    asked = {"since": (NOW - WEEK).isoformat(), "by": "source", "a": "crm", "b": "web"}
    assert world.client().json("/v1/compare", **asked)["response_rate_judgement"] == "worse"


def test_no_score_of_few_answers_is_told_by_the_same_cases_either(world: World) -> None:
    world.add(9, score=5)
    world.add(2, score=1, source="web")
    found = world.client().json("/v1/compare", by="source", a="crm", b="web")["comparisons"][0]
    assert found["b"]["suppressed"] == "too_few"
    fair = found["standardised"]
    assert [fair[name] for name in ("a", "b", "difference", "low", "high")] == [None] * 5
    assert (fair["n_a"], fair["n_b"], fair["strata"]) == (9, 2, 1)


def test_seven_day_spans_end_with_the_last_day(two_weeks: World) -> None:
    asked = {"since": "2026-11-02", "until": "2026-11-22", "period": "seven_days"}
    points = two_weeks.client().json("/v1/trend", **asked)["items"][0]["points"]
    assert [point["label"] for point in points] == ["2026-11-01", "2026-11-08", "2026-11-15"]
    assert [point["partial"] for point in points] == [True, False, False]
    assert [point["score"]["n"] for point in points] == [0, 117, 106]
    whole = two_weeks.client().json("/v1/summary", since="2026-11-15", until="2026-11-22")
    assert points[-1]["score"]["value"] == whole["csat"]["value"]


@pytest.fixture
def crossed(world: World) -> World:
    """Two teams in two languages, and a desk of two answers, too small to be named."""
    for language, score in (("en", 5), ("de", 2)):
        for team, n in (("red", 12), ("blue", 30)):
            world.add(n, score=score, days_ago=3, team_id=team, agent_id=f"{team} agent", language=language)
    world.add(2, score=1, days_ago=3, team_id="green", agent_id="cid", language="de")
    return world


@pytest.mark.parametrize("by", [("team", "language"), ("language", "team")])
def test_two_dimensions_at_once_add_up_and_name_nobody_whom_rows_do_not(crossed: World, by: tuple[str, str]) -> None:
    found = differences(crossed, by[0], and_by=by[1])
    told = {(row.key, row.and_key, row.rest): row.now.n for row in found.rows}
    groups = {("red", "en"): 12, ("red", "de"): 12, ("blue", "en"): 30, ("blue", "de"): 30}
    named = groups if by[0] == "team" else {pair[::-1]: n for pair, n in groups.items()}
    assert told == {(*pair, None): n for pair, n in named.items()} | {(None, None, "not_named"): 2}
    assert found.total.now.n == sum(told.values()) == differences(crossed, by[0]).total.now.n
    assert sum(row.response_now.n or 0 for row in found.rows) == found.total.response_now.n


def test_two_dimensions_are_for_readers_of_rows(crossed: World) -> None:
    asked = {"since": "2026-11-15T12:00:00Z", "until": "2026-11-22T12:00:00Z", "by": "team"}
    client = crossed.client()
    table = client.json("/v1/differences", **asked, and_by="language")["items"][0]
    assert (table["by"], table["and_by"]) == ("team", "language")
    assert {(row["key"], row["and_key"]) for row in table["rows"]} > {("red", "de"), ("blue", "en")}
    assert client.refused("/v1/differences", 422, **asked, and_by="team") == "invalid_parameter"
    assert client.refused("/v1/differences", 422, **asked, and_by="mood") == "invalid_parameter"
    analyst = crossed.client("analyst")
    assert analyst.refused("/v1/differences", 422, **asked, and_by="language") == "one_at_a_time"
