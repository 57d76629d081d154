"""Coverage in releases: closed by weeks and four weeks, by team and agent, without anybody's answers."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pytest

from service.db import reading
from service.reports.disclosure.conversations import CoveredConversations, cohort, cohorts_by, coverage
from service.reports.disclosure.store import ReleaseSeries
from tests.reports.disclosure.ledger import MONDAY, close, closed, on
from tests.reports.world import World, settings_of

DAY = timedelta(days=1)
WEEK = 7 * DAY
MIDNIGHT = datetime(2026, 8, 31, tzinfo=UTC)


@pytest.fixture
def early(quick: World) -> World:
    close(quick, MONDAY)
    return quick


def spans(world: World, partition: str) -> list[tuple[date, date]]:
    return [(each.first, each.end) for each in closed(world, partition, ReleaseSeries("acme", ""))]


@pytest.mark.parametrize(("partition", "weeks"), [("team_work", 1), ("agent_work", 4)])
def test_a_span_is_closed_three_days_after_its_end(early: World, partition: str, weeks: int) -> None:
    on(early, MONDAY, 1)
    close(early, MONDAY + weeks * WEEK + 2 * DAY)
    assert spans(early, partition) == []
    close(early, MONDAY + weeks * WEEK + 3 * DAY)
    assert spans(early, partition) == [(MONDAY, MONDAY + weeks * WEEK)]


def test_an_empty_span_is_not_published(early: World) -> None:
    on(early, MONDAY + 8 * DAY, 1)
    on(early, MONDAY, 1, test=True)
    on(early, MONDAY, 1, account="other")
    close(early, MONDAY + 3 * WEEK)
    assert spans(early, "team_work") == [(MONDAY + WEEK, MONDAY + 2 * WEEK)]


def test_a_week_has_its_first_midnight_and_not_the_next(early: World) -> None:
    for n, days in ((1, 0), (2, 7)):
        early.add(n, received_at=MIDNIGHT + days * DAY)
    close(early, MONDAY + 3 * WEEK)
    assert [each.leaves[0].counts for each in closed(early, "team_work", ReleaseSeries("acme", ""))] == [
        {"ended": 1, "delivered": 1}, {"ended": 2, "delivered": 2},
    ]  # fmt: skip


def covered(world: World, by: str, wanted: Mapping[str, str], first: date | None = None) -> CoveredConversations:
    with reading(world.engine) as connection:
        chosen = {name: frozenset({value}) for name, value in wanted.items()}
        return coverage(connection, ["acme"], by, chosen, first, None)


@pytest.mark.parametrize(
    ("by", "wanted", "told"),
    [
        ("team", {}, {"blue": (5, 0), "red": (6, 2)}),
        ("team", {"team": "red"}, {"red": (6, 2)}),
        ("team", {"agent": "ann"}, {"blue": (1, 0), "red": (4, 0)}),
        ("agent", {}, {"ann": (5, 0), "bob": (2, 2), "cat": (4, 0)}),
        ("agent", {"team": "red"}, {"ann": (4, 0), "bob": (2, 2)}),
        ("agent", {"team": "red", "agent": "ann"}, {"ann": (4, 0)}),
        ("agent", {"team": "green"}, {}),
    ],
)
def test_coverage_is_published_by_team_and_agent(
    early: World, by: str, wanted: Mapping[str, str], told: Mapping[str, tuple[int, int]]
) -> None:
    at = MIDNIGHT + 9 * DAY
    early.add(4, received_at=at, agent_id="ann", team_id="red")
    early.add(1, received_at=at, agent_id="ann", team_id="blue")
    early.add(4, received_at=at, agent_id="cat", team_id="blue")
    early.add(2, received_at=at, agent_id="bob", team_id="red", state="skipped", reason="sampled_out")
    close(early, MONDAY + 5 * WEEK)
    found = covered(early, by, wanted)
    assert {label: (each.ended, each.skipped.get("sampled_out", 0)) for label, each in found.groups.items()} == told
    assert found.total is not None
    assert (found.total.ended, found.total.delivered, dict(found.total.skipped)) == (
        sum(n for n, _ in told.values()),
        sum(n - skipped for n, skipped in told.values()),
        {"sampled_out": 2} if any(skipped for _, skipped in told.values()) else {},
    )
    weeks = (1, 2) if by == "team" and "agent" not in wanted else (0, 4)
    assert (found.first, found.end) == tuple(MONDAY + n * WEEK for n in weeks)


def test_a_period_without_a_span_counts_no_days(early: World) -> None:
    on(early, MONDAY, 3)
    close(early, MONDAY + 2 * WEEK)
    assert covered(early, "team", {}).first == MONDAY
    assert covered(early, "team", {}, first=MONDAY + DAY) == CoveredConversations(
        {}, None, covered(early, "team", {"team": "none"}).total, None, None
    )  # fmt: skip


def test_cohorts_belong_to_the_period_of_their_last_day(early: World) -> None:
    early.settings = settings_of(reports__answer_window="2d")
    for day in (0, 6, 7, 30):
        on(early, MONDAY + day * DAY, 5)
        on(early, MONDAY + day * DAY, 2, score=None)
    close(early, MONDAY + 40 * DAY)
    with reading(early.engine) as connection:
        whole = cohort(connection, ["acme"], None, None)
        by = {
            period: [
                (each.first, each.end, each.answers["csat"].delivered)
                for each in cohorts_by(connection, ["acme"], period, None, None)
            ]
            for period in ("day", "week", "month")
        }
    assert (whole.conversations.ended, whole.answers["csat"].answered, whole.answers["csat"].scored) == (28, 20, 20)
    assert (whole.first, whole.end) == (MONDAY, MONDAY + 31 * DAY)
    assert [n for *_, n in by["day"]] == [7, 7, 7, 7]
    assert by["week"] == [
        (MONDAY, MONDAY + WEEK, 14), (MONDAY + WEEK, MONDAY + 8 * DAY, 7), (MONDAY + 8 * DAY, MONDAY + 31 * DAY, 7),
    ]  # fmt: skip
    assert by["month"] == [(MONDAY, MONDAY + DAY, 7), (MONDAY + DAY, MONDAY + 31 * DAY, 21)]
