"""Cohorts of conversations and their answers by whole days: where they end, and what is counted in them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.db import reading
from service.reports.disclosure.asked import PeriodQuestion
from service.reports.disclosure.cohorts import _SeenAfter
from service.reports.disclosure.published import published
from service.reports.disclosure.store import Leaf, Release, ReleaseSeries
from tests.reports.disclosure.ledger import CSAT, MONDAY, close, closed, days_cannot_be_closed, on
from tests.reports.world import World, settings_of

DAY = timedelta(days=1)
NOON = datetime(2026, 8, 31, 12, tzinfo=UTC)


def begun(world: World, window: str = "2d") -> World:
    """A ledger before its first week, whose customers have so long to answer."""
    world.settings = settings_of(reports__answer_window=window)
    close(world, MONDAY)
    return world


def cohorts(world: World, account: str = "acme") -> list[tuple[int, int, dict[str, int]]]:
    """First day, day after the last, both as days after Monday, and the counts."""
    return [
        ((each.first - MONDAY).days, (each.end - MONDAY).days, dict(each.leaves[0].counts))
        for each in closed(world, "cohort", ReleaseSeries(account, ""))
    ]


def answered(n: int) -> dict[str, int]:
    told = dict.fromkeys(("csat:answered", "csat:delivered", "csat:scored", "delivered", "ended"), n)
    return dict(sorted({**told, "csat:commented": 0}.items()))


@pytest.mark.parametrize(("window", "days"), [("24h", 2), ("25h", 3), ("2d", 3)])
def test_a_cohort_is_published_after_the_answer_window_of_its_last_day(quick: World, window: str, days: int) -> None:
    begun(quick, window)
    on(quick, MONDAY, 6)
    close(quick, MONDAY + (days - 1) * DAY)
    assert cohorts(quick) == []
    close(quick, MONDAY + days * DAY)
    assert cohorts(quick) == [(0, 1, answered(6))]


def test_a_cohort_goes_on_until_its_answers_are_enough(quick: World) -> None:
    begun(quick)
    on(quick, MONDAY, 3)
    on(quick, MONDAY + DAY, 2)
    on(quick, MONDAY + 2 * DAY, 5)
    close(quick, MONDAY + 5 * DAY)
    assert cohorts(quick) == [(0, 2, answered(5)), (2, 3, answered(5))]


def test_days_without_a_conversation_belong_to_the_cohort_after_them(quick: World) -> None:
    begun(quick)
    for day in (2, 40):
        on(quick, MONDAY + day * DAY, 5)
    close(quick, MONDAY + 60 * DAY)
    assert cohorts(quick) == [(0, 3, answered(5)), (3, 41, answered(5))]


@pytest.mark.parametrize(("late", "told"), [(timedelta(0), [(0, 1, answered(5))]), (timedelta(microseconds=1), [])])
def test_an_answer_is_in_time_until_the_window_is_over_to_the_microsecond(
    quick: World, late: timedelta, told: list[Any]
) -> None:
    begun(quick)
    for each in quick.add(5, score=5, received_at=NOON):
        quick.set_result(each, first_seen_at=NOON + 2 * DAY + late)
    close(quick, MONDAY + 9 * DAY)
    assert cohorts(quick) == told


def test_what_became_of_all_and_what_was_answered_of_each_kind_of_card(quick: World) -> None:
    begun(quick)
    on(quick, MONDAY, 6)
    on(quick, MONDAY, 5, kind="nps", score=9)
    quick.clock.now = NOON
    quick.add(1, text="words alone", days_ago=0)
    quick.add(1, days_ago=0, state="failed", reason="refused")
    quick.add(2, days_ago=0, state="skipped", reason="no_campaign", kind=None)
    quick.add(1, days_ago=0, state="dm_sent")
    quick.add(1, days_ago=0, state="unknown", reason="unclear_send")
    quick.add(3, days_ago=0, test=True)
    close(quick, MONDAY + 3 * DAY)
    [(_, _, counts)] = cohorts(quick)
    assert counts == {
        "ended": 17, "delivered": 12, "pending": 1, "unknown": 1, "failed:refused": 1, "skipped:no_campaign": 2,
        "csat:delivered": 7, "csat:answered": 7, "csat:scored": 6, "csat:commented": 1,
        "nps:delivered": 5, "nps:answered": 5, "nps:scored": 5, "nps:commented": 0,
    }  # fmt: skip


def test_an_answer_to_a_possibly_undelivered_card_is_in_no_rate(quick: World) -> None:
    begun(quick)
    on(quick, MONDAY, 5)
    on(quick, MONDAY, 6, state="unknown")
    close(quick, MONDAY + 3 * DAY)
    [(_, _, counts)] = cohorts(quick)
    assert (counts["csat:delivered"], counts["csat:answered"], counts["csat:scored"], counts["unknown"]) == (5, 5, 5, 6)


def test_an_existing_ledger_begins_with_its_first_conversation(quick: World) -> None:
    quick.settings = settings_of(reports__answer_window="2d")
    quick.clock.now = NOON
    on(quick, MONDAY - 9 * DAY, 6)
    on(quick, MONDAY - 8 * DAY, 6, account="other")
    close(quick, MONDAY)
    assert cohorts(quick) == [(-9, -8, answered(6))]
    assert cohorts(quick, "other") == [(-8, -7, answered(6))]


def test_closing_daily_gives_the_same_cohorts(quick: World) -> None:
    """What a few days do not suffice for is told with the days after them, also before the first cohort there is."""
    begun(quick)
    for day, n in ((0, 3), (1, 2), (2, 1), (3, 4), (4, 5)):
        on(quick, MONDAY + day * DAY, n)
    for morning in range(1, 8):
        close(quick, MONDAY + morning * DAY)
    assert cohorts(quick) == [(0, 2, answered(5)), (2, 4, answered(5)), (4, 5, answered(5))]


def test_the_days_of_a_cohort_are_those_of_all_its_answers(quick: World) -> None:
    begun(quick)
    on(quick, MONDAY, 3)
    on(quick, MONDAY + DAY, 2)
    close(quick, MONDAY + 5 * DAY)
    assert cohorts(quick) == [(0, 2, answered(5))]


def test_comments_do_not_make_up_for_scores(quick: World) -> None:
    begun(quick)
    for day, scored, said in ((0, 3, 2), (1, 2, 0)):
        on(quick, MONDAY + day * DAY, scored)
        for each in on(quick, MONDAY + day * DAY, said):
            quick.set_result(each, score=None, text="words alone")
    close(quick, MONDAY + 5 * DAY)
    [(first, end, counts)] = cohorts(quick)
    assert (first, end, counts["csat:scored"], counts["csat:answered"], counts["csat:commented"]) == (0, 2, 5, 7, 2)


def test_comments_without_scores_reveal_no_small_group(quick: World) -> None:
    begun(quick)
    for day, said in ((0, 2), (1, 3)):
        on(quick, MONDAY + day * DAY, 5)
        for each in on(quick, MONDAY + day * DAY, said, kind="nps", score=9):
            quick.set_result(each, score=None, text="words alone")
    close(quick, MONDAY + 5 * DAY)
    [(first, end, counts)] = cohorts(quick)
    assert (first, end, counts["csat:scored"], counts["nps:answered"]) == (0, 2, 10, 5)


def seen(world: World, heard: int, day: int, n: int, **columns: Any) -> None:
    """`n` conversations of a day, answered on another one."""
    for each in on(world, MONDAY + heard * DAY, n, **columns):
        world.set_result(each, first_seen_at=NOON + day * DAY)


def test_a_cohort_waits_while_an_answer_of_it_waits_for_its_day_s_release(quick: World) -> None:
    begun(quick)
    on(quick, MONDAY, 5)
    seen(quick, 0, 1, 1)
    close(quick, MONDAY + 5 * DAY)
    assert cohorts(quick) == []
    on(quick, MONDAY + 5 * DAY, 5)
    close(quick, MONDAY + 6 * DAY)
    assert cohorts(quick) == []
    close(quick, MONDAY + 8 * DAY)
    assert cohorts(quick) == [(0, 6, answered(11))], "all days before the sixth less the cohort would be one answer"


def test_answers_of_later_conversations_may_wait(quick: World) -> None:
    begun(quick)
    on(quick, MONDAY, 5)
    on(quick, MONDAY + DAY, 1)
    close(quick, MONDAY + 5 * DAY)
    assert cohorts(quick) == [(0, 1, answered(5))]


def test_no_small_rest_of_a_cohort_is_published_later(quick: World) -> None:
    begun(quick)
    on(quick, MONDAY, 5)
    seen(quick, 0, 1, 1)
    on(quick, MONDAY + DAY, 4)
    close(quick, MONDAY + 5 * DAY)
    assert cohorts(quick) == [(0, 2, answered(10))]


@pytest.mark.parametrize(
    ("kind", "late", "friday", "ends"),
    [("csat", 1, 0, [1]), ("csat", 4, 0, [1]), ("csat", 5, 0, [1, 4]), ("csat", 1, 5, [1, 4]), ("nps", 5, 0, [1, 4])],
)
def test_late_answers_cannot_be_derived_from_days_and_cohorts(
    quick: World, kind: str, late: int, friday: int, ends: list[int]
) -> None:
    """Five answer on Monday; some of Monday's on Thursday, after their two days, beside Thursday's own."""
    begun(quick)
    on(quick, MONDAY, 5)
    seen(quick, 0, 3, late, kind=kind)
    on(quick, MONDAY + 3 * DAY, 6)
    on(quick, MONDAY + 3 * DAY, 9, kind="nps", score=9)
    on(quick, MONDAY + 4 * DAY, friday)
    close(quick, MONDAY + 9 * DAY)
    assert [end for _, end, _ in cohorts(quick)] == ends


def test_a_day_that_cannot_be_closed_delays_no_other_account(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(quick)
    for account in ("acme", "other"):
        on(quick, MONDAY, 5, account=account)
        on(quick, MONDAY + 7 * DAY, 5, account=account)
    close(quick, MONDAY + 7 * DAY)
    days_cannot_be_closed(monkeypatch, CSAT)
    for morning in (8, 10):
        close(quick, MONDAY + morning * DAY)
    assert [len(cohorts(quick, account)) for account in ("acme", "other")] == [1, 2]
    asked = PeriodQuestion(("acme", "other"), "csat")
    with reading(quick.engine) as connection:
        assert published(connection, quick.settings, asked, quick.clock.now).reason == "releases_being_made"
    monkeypatch.undo()
    close(quick, MONDAY + 10 * DAY)
    assert [len(cohorts(quick, account)) for account in ("acme", "other")] == [2, 2]


@given(
    lasts=st.lists(st.tuples(st.integers(1, 4), st.dictionaries(st.sampled_from("12345"), st.integers(0, 9)))),
    begin=st.integers(-2, 30),
)
def test_answers_seen_after_a_day_are_those_of_all_releases_that_end_after_it(
    lasts: list[tuple[int, dict[str, int]]], begin: int
) -> None:
    days, end = list[Release](), MONDAY
    for length, scores in lasts:
        days.append(Release(end, end := end + length * DAY, (Leaf((), False, scores),)))
    day = MONDAY + begin * DAY
    assert _SeenAfter(days)(day) == sum(n for each in days if each.end > day for n in each.leaves[0].counts.values())
