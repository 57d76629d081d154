"""The published figures against counting by hand, on both databases."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import get_type_hints
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from service.auth import Reader
from service.db import reading, writing
from service.errors import Invalid, ServiceError
from service.models import account_state, refresh, worker_seen
from service.reports.dashboard.figure_charts import another_question
from service.reports.figures import figures
from service.reports.figures.batch import WhichFigures, several
from service.reports.figures.csv_table import as_csv
from service.reports.figures.shapes import Breakdowns, Rate, Score, Summary, Trends
from service.reports.filters import Filter
from service.reports.report_query import ReportQuery
from service.reports.rows import query
from service.reports.statistics.definitions import DEFINITIONS
from tests.reports.world import ADMIN, NOW, World, settings_of

NPS_VECTOR = [1, 0, 1, 0, 2, 3, 5, 12, 18, 25, 33]  # features.md, worked example A
CSAT_VECTOR = [3, 2, 5, 20, 30]  # worked example B


def ask(world: World, what, *more, filter: Filter = Filter(), reader: Reader = ADMIN):  # noqa: B008 - frozen
    with reading(world.engine) as connection:
        found = what(ReportQuery(connection, world.settings, reader, filter, world.clock.now), *more)
    return found.items if isinstance(found, (Trends, Breakdowns)) else found


def test_the_worked_examples_come_out(world):
    for score, n in enumerate(NPS_VECTOR):
        if n:
            world.add(n, score=score, kind="nps")
    for score, n in enumerate(CSAT_VECTOR, start=1):
        world.add(n, score=score)
    found = ask(world, figures.summary)
    assert found.nps.n == 100
    assert (found.nps.value, found.nps.mean) == pytest.approx((46.0, 8.38))
    assert (found.nps.low, found.nps.high) == pytest.approx((31.0768, 58.2436), abs=1e-4)
    assert found.csat.n == 60
    assert (found.csat.value, found.csat.mean) == pytest.approx((83.3333, 4.2), abs=1e-4)
    assert (found.csat.low, found.csat.high) == pytest.approx((71.9684, 90.6868), abs=1e-4)
    assert dict(found.nps.distribution) == dict(enumerate(NPS_VECTOR))
    assert dict(found.csat.distribution) == dict(enumerate(CSAT_VECTOR, start=1))


def test_every_score_and_rate_of_the_summary_has_a_definition_and_a_line_in_a_feed(world):
    for kind in ("csat", "nps"):
        world.add(7, score=5, kind=kind)
    tiles = {name for name, shape in get_type_hints(Summary).items() if shape in (Rate, Score | None)}
    feed = as_csv("summary", ask(world, several, WhichFigures(("summary",)))).decode()
    assert tiles - {line["figure"] for line in csv.DictReader(io.StringIO(feed))} == set(), "see figures/csv_table.py"
    assert tiles - set(DEFINITIONS) == set(), "see statistics/definitions.py"


def test_response_rates_have_one_cohort_for_numerator_and_denominator(world):
    world.add(312, score=5)
    world.add(728)
    world.add(60, state="failed", reason="refused")
    found = ask(world, figures.summary)
    rate = found.response_rate_of_delivered
    assert (rate.successes, rate.n, rate.value) == (312, 1040, pytest.approx(30.0))
    assert (rate.low, rate.high) == pytest.approx((27.2927, 32.8545), abs=1e-4)
    assert found.response_rate_of_ended.value == pytest.approx(28.3636, abs=1e-4)
    assert (found.ended, found.delivered) == (1100, 1040)


def test_the_two_response_rates_are_of_other_conversations_unless_one_clock_is_asked_for(world):
    """As their definitions say: dated by the question the one, by the end of the conversation the other."""
    world.add(3, days_ago=3, card_sent_at=NOW - timedelta(hours=2))
    world.add(1, score=5, days_ago=0.1)
    since = NOW - timedelta(hours=12)
    found = ask(world, figures.summary, filter=Filter(since=since))
    assert (found.response_rate_of_delivered.value, found.response_rate_of_ended.value) == (25, 100)
    same = ask(world, figures.summary, filter=Filter(since=since, date_field="ended_at"))
    assert (same.response_rate_of_delivered.value, same.response_rate_of_ended.value) == (100, 100)


def test_an_answer_to_a_question_that_failed_is_a_score_and_in_no_rate(world):
    world.add(5, score=5)
    world.add(1, score=1, text="it came all the same", state="failed", reason="refused")
    found = ask(world, figures.summary)
    assert found.csat.n == 6
    assert (found.response_rate_of_delivered.successes, found.response_rate_of_delivered.n) == (5, 5)
    assert (found.comment_rate.successes, found.comment_rate.n) == (0, 5)
    assert ask(world, figures.funnel).scored == 5


def test_the_denominator_takes_the_same_filter(world):
    world.add(10, score=5)
    world.add(10)
    world.add(30, agent_id="bob", campaign="vip")
    whole = ask(world, figures.summary).response_rate_of_delivered
    part = ask(world, figures.summary, filter=Filter(chosen={"campaign": ("care",)})).response_rate_of_delivered
    assert (whole.successes, whole.n) == (10, 50)
    assert (part.successes, part.n) == (10, 20)


def test_no_answers_give_no_figure(world):
    found = ask(world, figures.summary)
    assert (found.csat.n, found.csat.value, found.csat.low, found.csat.suppressed) == (0, None, None, None)
    assert found.response_rate_of_delivered.value is None


def test_comments_alone_count_as_answers_and_not_as_scores(world):
    world.add(6, text="words")
    found = ask(world, figures.summary)
    assert found.csat.n == 0
    assert found.response_rate_of_delivered.successes == 6
    assert found.comment_rate.value == 100


def test_test_traffic_never_counts(world):
    world.add(20, score=1, test=True)
    world.add(6, score=5)
    found = ask(world, figures.summary, filter=Filter(include_test=True))
    assert (found.csat.n, found.csat.value, found.ended) == (6, 100, 6)


def test_pooled_variants_are_marked(world):
    world.add(6, score=5, question_variant_id=1)
    world.add(6, score=2, question_variant_id=2)
    found = ask(world, figures.summary).csat
    assert (found.variants, found.pooled) == ((1, 2), True)
    one = ask(world, figures.summary, filter=Filter(chosen={"variant": (1,)})).csat
    assert (one.variants, one.pooled, one.n) == ((1,), False, 6)


def test_another_question_is_marked_across_weeks_without_answers(world):
    for days_ago, question in ((30, 1), (23, 1), (2, 2)):
        world.add(6, score=5, days_ago=days_ago, question_variant_id=question)
    asked = Filter(since=NOW - timedelta(days=35))
    (line,) = (each for each in ask(world, figures.trend, "week", filter=asked) if each.type == "csat")
    told = another_question(line.points)
    assert [each for each in told if each] == ["another question"]
    assert line.points[told.index("another question")].score.variants == (2,)


def test_kinds_of_card_are_never_added(world):
    world.add(6, score=5)
    world.add(6, score=9, kind="nps")
    assert [each.type for each in ask(world, figures.breakdown, "team")] == ["csat", "nps"]
    only = ask(world, figures.summary, filter=Filter(types=("nps",)))
    assert only.csat is None
    assert only.nps.n == 6


def test_few_answers_have_no_score_and_are_counted_for_readers_of_rows(world):
    world.add(4, score=5, text="words")
    world.add(40)
    found = ask(world, figures.summary)
    assert (found.csat.n, found.csat.value, found.csat.low, found.csat.mean) == (4, None, None, None)
    assert dict(found.csat.distribution)[5] == 4
    assert found.csat.suppressed == "too_few"
    assert found.response_rate_of_delivered.successes == found.comment_rate.successes == 4
    funnel = ask(world, figures.funnel)
    assert (funnel.delivered, funnel.answered, funnel.commented) == (44, 4, 4)


@pytest.mark.parametrize(("n", "low_base"), [(5, True), (29, True), (30, False)])
def test_a_low_base_is_marked(world, n, low_base):
    world.add(n, score=5)
    assert ask(world, figures.summary).csat.low_base is low_base


def test_unnamed_people_are_one_group_of_a_breakdown(world):
    world.add(10, score=5)
    world.add(2, score=2, agent_id="cat")
    world.add(1, score=3, agent_id="dan")
    world.add(3, agent_id="dan")
    [csat] = ask(world, figures.breakdown, "agent", filter=Filter(types=("csat",)))
    told = [(row.key, row.rest, row.score.n, row.delivered, row.ended) for row in csat.rows]
    assert told == [("ann", None, 10, 10, 10), (None, "not_named", 3, 6, 6)]
    assert csat.total.n == 13
    [csat] = ask(world, figures.breakdown, "campaign", filter=Filter(types=("csat",)))
    assert [(row.key, row.score.n) for row in csat.rows] == [("care", 13)], "a campaign is nobody"


def test_unnamed_people_cannot_be_filtered_by_name(world):
    world.add(10, score=5)
    world.add(2, score=2, agent_id="cat")
    found = ask(world, figures.summary, filter=Filter(chosen={"agent": ("cat",)}))
    assert (found.csat.n, found.csat.withheld, found.delivered) == (0, True, 0)
    everybody = ask(world, figures.summary, filter=Filter(chosen={"agent": ("cat", "ann")}))
    assert (everybody.csat.n, everybody.csat.withheld) == (10, True)
    assert not ask(world, figures.summary).csat.withheld


def test_nobody_is_ranked_below_thirty(world):
    for agent, n, score in (("ann", 30, 3), ("bob", 30, 5), ("cat", 29, 4)):
        world.add(n, score=score, agent_id=agent)
    [csat] = ask(world, figures.breakdown, "agent", filter=Filter(types=("csat",)))
    assert not csat.ranked
    assert [row.key for row in csat.rows] == ["ann", "bob", "cat"]
    world.add(1, score=4, agent_id="cat")
    [csat] = ask(world, figures.breakdown, "agent", filter=Filter(types=("csat",)))
    assert csat.ranked
    assert [row.key for row in csat.rows] == ["bob", "cat", "ann"]


@pytest.mark.parametrize(
    ("by", "key"),
    [
        ("team", "red"),
        ("agent", "ann"),
        ("campaign", "care"),
        ("variant", 1),
        ("source", "crm"),
        ("language", "en"),
        ("account", "acme"),
        ("channel", None),
        ("hour", 12),
    ],
)
def test_a_breakdown_by_each_dimension_says_what_the_filter_says(world, by, key):
    world.add(8, score=5)
    [csat] = ask(world, figures.breakdown, by, filter=Filter(types=("csat",)))
    [row] = csat.rows
    assert (row.key, row.score.n, row.delivered, row.ended, row.response_rate.value) == (key, 8, 8, 8, 100)


@pytest.mark.parametrize("role", ["supervisor", "analyst"])
def test_a_key_counts_its_accounts_only(world, role):
    world.add(8, score=5, days_ago=10)
    world.add(9, score=1, account="other", days_ago=10)
    world.settings = settings_of(reports__answer_window="5d")
    world.released()
    found = ask(world, figures.summary, reader=Reader("k", "n", role, ("acme",)))
    assert (found.csat.n, found.ended) == (8, 8)
    assert [each.account for each in found.completeness.accounts] == ["acme"]


def test_a_trend_has_a_point_for_every_period_and_marks_what_still_fills(world):
    world.add(7, score=5, days_ago=10)
    world.add(6, score=3, days_ago=3)
    world.read_until("acme", NOW - timedelta(days=2))
    world.read_until("other", NOW - timedelta(days=2))
    [csat] = ask(world, figures.trend, "day", filter=Filter(types=("csat",), since=NOW - timedelta(days=12)))
    points = {point.label: point for point in csat.points}
    assert len(points) == 13
    assert points["2026-11-12"].score.n == 7
    assert points["2026-11-19"].score.n == 6
    assert points["2026-11-13"].score.n == 0
    assert not points["2026-11-19"].immature
    assert points["2026-11-20"].immature
    assert points["2026-11-22"].immature
    assert points["2026-11-12"].response_immature
    assert csat.total.n == 13


def test_by_sent_date_a_point_fills_while_its_customers_may_answer(quick):
    quick.add(7, score=5, days_ago=40)
    quick.add(7, score=5, days_ago=3)
    [csat] = ask(quick, figures.trend, "month", filter=Filter(types=("csat",), until=NOW, date_field="sent_at"))
    assert [(point.label, point.immature) for point in csat.points] == [("2026-10-01", True), ("2026-11-01", True)]
    [csat] = ask(quick, figures.trend, "week", filter=Filter(types=("csat",), until=NOW, date_field="sent_at"))
    assert [point.immature for point in csat.points] == [False, True, True, True, True, True]


def test_a_trend_by_week_and_month_begins_on_mondays_and_firsts(world):
    world.add(7, score=5, days_ago=30)
    weeks = ask(world, figures.trend, "week", filter=Filter(types=("csat",)))[0].points
    months = ask(world, figures.trend, "month", filter=Filter(types=("csat",)))[0].points
    assert [point.label for point in weeks][:2] == ["2026-10-19", "2026-10-26"]
    assert [point.label for point in months] == ["2026-10-01", "2026-11-01"]


def test_days_are_those_of_the_services_zone_across_a_clock_change(world):
    world.settings = settings_of(service__time_zone="Europe/Berlin")
    late = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)  # 00:30 on the 25th, the day the clocks go back
    world.add(6, score=5, days_ago=(NOW - late).total_seconds() / 86400)
    winter = datetime(2026, 10, 25, 23, 30, tzinfo=UTC)  # 00:30 on the 26th
    world.add(6, score=5, days_ago=(NOW - winter).total_seconds() / 86400)
    [csat] = ask(world, figures.trend, "day", filter=Filter(types=("csat",), until=NOW))
    shown = {point.label: point.score.n for point in csat.points if point.score.n}
    assert shown == {"2026-10-25": 6, "2026-10-26": 6}
    assert csat.points[0].until - csat.points[0].since == timedelta(hours=25)
    [hours] = ask(world, figures.breakdown, "hour", filter=Filter(types=("csat",)))
    assert {row.key: row.score.n for row in hours.rows if row.score.n} == {0: 12}


def test_another_zone_is_for_readers_of_rows(quick):
    quick.add(6, score=5)
    zone = ZoneInfo("Asia/Tokyo")
    supervisor, analyst = Reader("k", "n", "supervisor", ()), Reader("k", "n", "analyst", ())
    assert ask(quick, figures.trend, "day", zone, reader=supervisor)[0].zone == "Asia/Tokyo"
    with pytest.raises(Invalid) as caught:
        ask(quick, figures.trend, "week", zone, reader=analyst)
    assert caught.value.code == "zone_not_allowed"


def test_two_groups_are_compared_with_their_uncertainty(world):
    for score, n in ((10, 180), (7, 90), (3, 30)):
        world.add(n, score=score, kind="nps", campaign="one")
    for score, n in ((10, 150), (7, 90), (3, 60)):
        world.add(n, score=score, kind="nps", campaign="two")
    one, two = (Filter(chosen={"campaign": (name,)}) for name in ("one", "two"))
    found = ask(world, figures.compare, two, filter=one)
    nps = next(each for each in found.comparisons if each.type == "nps")
    assert nps.change.delta == pytest.approx(-19.8020, abs=1e-4)
    assert nps.change.p == pytest.approx(0.000827, abs=1e-6)
    assert nps.change.verdict == "changed"


@pytest.mark.parametrize("score", [1, None])
def test_a_side_without_a_score_is_not_compared(world, score):
    world.add(9, score=5, campaign="one")
    world.add(2, score=score, campaign="two")
    one, two = (Filter(chosen={"campaign": (name,)}) for name in ("one", "two"))
    found = ask(world, figures.compare, two, filter=one)
    assert found.comparisons[0].change is None


def test_overlapping_periods_are_not_compared(quick):
    one = Filter(since=NOW - timedelta(days=20), until=NOW - timedelta(days=9))
    two = Filter(since=NOW - timedelta(days=10), until=NOW)
    with reading(quick.engine) as connection, pytest.raises(Invalid) as caught:
        figures.compare(ReportQuery(connection, quick.settings, ADMIN, one, NOW), two)
    assert caught.value.code == "periods_overlap"


def test_coverage_finds_the_agent_whose_conversations_are_not_asked_about(world):
    for who, asked in (("ann", 190), ("bob", 10)):
        world.add(5, agent_id=who, score=4)
        world.add(asked - 5, agent_id=who)
    world.add(10, state="skipped", reason="cooldown")
    world.add(40, agent_id="bob", state="skipped", reason="reopened")
    world.add(3, agent_id="bob", state="received")
    found = ask(world, figures.coverage, "agent")
    ann, bob = found.rows
    assert (bob.ended, bob.pending, bob.decided, bob.offered) == (53, 3, 50, 10)
    assert [(each.reason, each.n) for each in bob.skipped] == [("reopened", 40)]
    assert (ann.place, bob.place) == ("above", "below")
    assert found.total.share == pytest.approx(80)


def test_the_funnel_is_one_cohort(world):
    world.add(6, score=5, text="words")
    world.add(5, text="only words")
    world.add(9)
    world.add(3, state="skipped", reason="quota")
    world.add(2, state="failed", reason="refused")
    world.add(1, state="unknown")
    world.add(4, state="identified")
    found = ask(world, figures.funnel)
    assert (found.ended, found.pending, found.unknown, found.delivered) == (30, 4, 1, 20)
    assert (found.answered, found.scored, found.commented) == (11, 6, 11)
    assert [(each.reason, each.n) for each in (*found.skipped, *found.failed)] == [("quota", 3), ("refused", 2)]


def test_complete_up_to_is_the_earliest_of_the_accounts_shown(world):
    world.read_until("acme", NOW - timedelta(hours=1))
    assert ask(world, figures.completeness).complete_until is None
    world.read_until("other", NOW - timedelta(hours=5))
    assert ask(world, figures.completeness).complete_until == NOW - timedelta(hours=5)
    only = ask(world, figures.completeness, filter=Filter(chosen={"account": ("acme",)}))
    assert only.complete_until == NOW - timedelta(hours=1)


def test_an_account_that_asks_by_the_page_alone_has_nothing_to_be_read(world):
    """X may not even let it ask: its supervisors must not be told for ever that answers may be missing."""
    alive, hour = NOW + timedelta(minutes=59), NOW.replace(minute=0)
    [asked] = world.add(way="page")
    with writing(world.engine) as connection:
        connection.execute(sa.insert(worker_seen).values(name="w", started_at=alive, seen_at=alive))
        both = [{"account": name, "updated_at": NOW} for name in world.settings.accounts]
        connection.execute(sa.insert(account_state).values(both))
    assert ask(world, figures.completeness).complete_until == hour
    world.read_until("other", NOW - timedelta(hours=5))
    assert ask(world, figures.completeness).complete_until == NOW - timedelta(hours=5)
    with writing(world.engine) as connection:
        row = {"request_id": asked, "account": "acme", "feedback_id": "9", "checks": 0}
        connection.execute(sa.insert(refresh).values(row))
    assert ask(world, figures.completeness).complete_until is None


def test_an_account_that_is_no_longer_configured_does_not_hold_the_moment_back(world):
    world.read_until("acme", NOW - timedelta(hours=1))
    world.read_until("other", NOW - timedelta(hours=2))
    world.read_until("gone", NOW - timedelta(days=90))
    with writing(world.engine) as connection:
        connection.execute(sa.insert(account_state).values(account="gone", updated_at=NOW))
    assert ask(world, figures.completeness).complete_until == NOW - timedelta(hours=2)
    named = ask(world, figures.completeness, filter=Filter(chosen={"account": ("gone", "acme")}))
    assert named.complete_until == NOW - timedelta(days=90)


def test_under_an_embargo_a_figure_stands_still_all_day(world):
    world.settings = settings_of(reports__embargo="next_day")
    world.add(8, score=5, days_ago=2)
    before = ask(world, figures.summary)
    world.add(8, score=1, days_ago=0.2)
    assert ask(world, figures.summary).csat == before.csat
    assert before.completeness.visible_until == NOW.replace(hour=0)
    world.clock.now = NOW + timedelta(days=1)
    assert ask(world, figures.summary).csat.n == 16


def test_nor_does_a_comment_of_today_move_an_answer_to_today(world):
    world.settings = settings_of(reports__embargo="next_day")
    [one, *_] = world.add(9, score=5, days_ago=2)
    until_today = Filter(until=NOW.replace(hour=0), date_field="updated_at")
    world.set_result(one, text="late", text_at=NOW - timedelta(hours=1), updated_at=NOW - timedelta(hours=1))
    assert ask(world, figures.summary, filter=until_today).csat.n == 9
    world.clock.now = NOW + timedelta(days=1)
    assert ask(world, figures.summary, filter=until_today).csat.n == 8


@pytest.mark.parametrize(
    "filter",
    [
        Filter(scores=(1,)),
        Filter(has_text=True),
        Filter(states=("card_sent",)),
        Filter(reasons=("quota",)),
        Filter(request_ids=("fr_1",)),
        Filter(conversation_ids=("c-1",)),
        Filter(answered=True),
        Filter(updated_since=NOW),
    ],
)
@pytest.mark.parametrize(
    "what", [figures.summary, figures.funnel, figures.completeness, figures.coverage, figures.trend]
)
def test_filters_that_are_tools_for_subtraction_are_refused(quick, what, filter):
    with pytest.raises(ServiceError) as caught:
        ask(quick, what, filter=filter)
    assert caught.value.code == "filter_not_for_figures"


def test_a_hundred_years_by_day_are_too_many_points(quick):
    with pytest.raises(Invalid) as caught:
        ask(quick, figures.trend, "day", filter=Filter(since=NOW - timedelta(days=36500)))
    assert caught.value.code == "range_too_long"


def test_readers_of_rows_get_any_window(world):
    """The windows of dashboards and BI tools: the last day, up to now, midnights of another zone; never a silent 0."""
    world.settings = settings_of(service__time_zone="Europe/Berlin")
    world.add(6, score=5, days_ago=0.5)
    world.add(7, score=4, days_ago=1.5)
    midnight = datetime(2026, 11, 22, tzinfo=UTC)
    for since, until, n in (
        (NOW - timedelta(hours=24), NOW, 6),
        (NOW - timedelta(hours=24), NOW + timedelta(hours=1), 6),
        (NOW - timedelta(hours=48), NOW - timedelta(hours=12, minutes=30), 7),
        (midnight - timedelta(days=1), midnight, 7),
        (midnight - timedelta(days=2), midnight, 7),
    ):
        found = ask(world, figures.summary, filter=Filter(since=since, until=until))
        rows = ask(world, listed, filter=Filter(since=since, until=until, date_field="scored_at"))
        assert found.csat.n == len(rows) == n


def listed(asked):
    return query.rows(asked, limit=250).rows


def test_a_part_of_a_month_says_so(world):
    world.add(6, score=5, days_ago=15)
    part = Filter(types=("csat",), since=datetime(2026, 10, 10, tzinfo=UTC), until=datetime(2026, 11, 12, tzinfo=UTC))
    [csat] = ask(world, figures.trend, "month", filter=part)
    assert [(point.label, point.since.day, point.until.day, point.partial) for point in csat.points] == [
        ("2026-10-01", 10, 1, True),
        ("2026-11-01", 1, 12, True),
    ]
    [csat] = ask(world, figures.trend, "week", filter=Filter(types=("csat",), since=datetime(2026, 11, 9, tzinfo=UTC)))
    assert [point.partial for point in csat.points] == [False, True], "this week is not over"


# -- who sees no rows ------------------------------------------------------------------------------------------------

ANALYST = Reader("k", "n", "analyst", ())


@pytest.fixture
def released(quick: World) -> World:
    quick.settings = settings_of(reports__answer_window="5d")
    for week in range(1, 9):
        quick.add(9, score=5, days_ago=7 * week + 3)
        quick.add(6, score=2, days_ago=7 * week + 3, agent_id="bob", team_id="blue")
    quick.add(2, score=1, days_ago=0.5)
    quick.released()
    return quick


def test_an_analyst_is_told_whole_releases_and_what_waits(released):
    found = ask(released, figures.summary, reader=ANALYST).csat
    assert (found.n, found.date_field, found.suppressed) == (120, "seen_at", None)
    assert dict(found.distribution) == {1: 0, 2: 48, 3: 0, 4: 0, 5: 72}
    assert found.since is not None
    assert found.until is not None
    assert found.until < NOW
    rate = ask(released, figures.summary, reader=ANALYST).response_rate_of_delivered
    assert (rate.successes, rate.n, rate.date_field) == (120, 120, "heard_at")


def test_an_analyst_asks_for_a_period_without_a_release_and_is_told_so(released):
    found = ask(released, figures.summary, reader=ANALYST, filter=Filter(since=NOW - timedelta(days=1)))
    assert (found.csat.n, found.csat.value, found.csat.suppressed) == (None, None, "waits")
    assert (found.ended, found.response_rate_of_delivered.suppressed) == (None, "waits")


def test_rates_of_teams_are_not_told_to_analysts(released):
    team = Filter(chosen={"team": ("red",)})
    found = ask(released, figures.summary, reader=ANALYST, filter=team)
    assert found.csat.n == 72
    assert (found.csat.mean, found.csat.distribution) == (None, ())
    assert found.csat.value == 100
    assert (found.delivered, found.response_rate_of_delivered.suppressed) == (None, "by_account_only")
    assert ask(released, figures.funnel, reader=ANALYST, filter=team).suppressed == "by_account_only"
    assert ask(released, figures.funnel, reader=ANALYST).answered == 120


def test_an_analysts_breakdown_trend_comparison_and_coverage_are_releases_too(released):
    [csat, nps] = ask(released, figures.breakdown, "team", reader=ANALYST)
    assert {row.key: (row.score.n, row.score.value, row.delivered) for row in csat.rows} == {
        "blue": (48, 0, None), "red": (72, 100, None)
    }  # fmt: skip
    assert nps.rows == ()
    [csat, _] = ask(released, figures.trend, "week", reader=ANALYST)
    assert sum(point.score.n for point in csat.points if point.score.n) == 120
    assert all(point.since < point.until for point in csat.points)
    red, blue = (Filter(chosen={"team": (team,)}, types=("csat",)) for team in ("red", "blue"))
    [one] = ask(released, figures.compare, blue, reader=ANALYST, filter=red).comparisons
    assert one.change.verdict == "changed"
    coverage = ask(released, figures.coverage, "team", reader=ANALYST)
    assert {row.key: row.offered for row in coverage.rows} == {"blue": 48, "red": 72}


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (Filter(date_field="sent_at"), "one_clock"),
        (Filter(chosen={"channel": ("chat",)}), "not_released"),
        (Filter(chosen={"campaign": ("a",), "source": ("b",)}), "one_at_a_time"),
        (Filter(chosen={"campaign": ("a",), "team": ("b",)}), "one_at_a_time"),
        (Filter(scores=(5,)), "filter_not_for_figures"),
    ],
)
def test_figures_in_no_release_are_refused_with_the_reason(quick, wanted, code):
    with pytest.raises(Invalid) as caught:
        ask(quick, figures.summary, reader=ANALYST, filter=wanted)
    assert caught.value.code == code


def test_coverage_by_campaign_is_not_told_to_analysts(quick):
    with pytest.raises(Invalid) as caught:
        ask(quick, figures.coverage, "team", reader=ANALYST, filter=Filter(chosen={"campaign": ("care",)}))
    assert caught.value.code == "by_people_only"
