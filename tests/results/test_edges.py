"""Exactly when each rule about answers begins and ends to hold; without X or a database."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from service.db import EPOCH
from service.results import merge, poll, refresh
from service.results.card import update_of
from service.results.merge import Claim, SettledAnswer, Update, digest, settle
from service.results.page import rate_limit
from service.results.page.branding import contrast, readable, sender_of
from service.results.page.rate_limit import PerMinute
from service.results.refresh import RefreshReport
from service.x_api import MessageRefused, RecipientRefused, Temporary, UnknownToX, XError
from service.x_api.facts import Feedback, FeedbackPage
from tests.results.cards import shop
from tests.support import START

TICK, SECOND, MINUTE, HOUR, DAY = (
    timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1),
)  # fmt: skip
SCALE = range(1, 6)


@pytest.mark.parametrize(
    ("stands", "falls"),
    [
        ((Update(START, 5, START), "card"), (Update(START, 1, START + TICK), "card")),
        ((Update(START + HOUR, 5, START + DAY), "card"), (Update(START, 1), "card")),
        ((Update(START, 5, START), "card"), (Update(START + TICK, 1, START), "card")),
        ((Update(START, 1, START), "page"), (Update(START, 5, START), "card")),
        ((Update(START, 5), "page"), (Update(START + TICK, 1), "card")),
        ((Update(START, 5, START), "card"), (Update(START, 5, START), "page")),
    ],
    ids=["earlier", "dated", "told first", "smaller", "told first, undated", "of the first way by name"],
)
def test_one_of_two_scores_is_kept_in_any_order(stands: Any, falls: Any) -> None:
    update, way = stands
    for told in ([stands, falls], [falls, stands]):
        assert settle(told, SCALE).score == Claim(update.score, update.score_at, way)


def test_reports_of_an_older_version_without_a_way_come_first() -> None:
    row = SettledAnswer(START, Claim(4, START, None, START))
    assert settle([(Update(START, 5, START + TICK), "card")], SCALE, row).score.way is None
    assert merge._first(Claim(4, START, "card", START), Claim(4, START, None, START)) == Claim(4, START, None)


@pytest.mark.parametrize(
    ("dates", "told_at"),
    [
        ({"updated_at": START, "score_at": START + HOUR}, START),
        ({"created_at": START, "score_at": START + HOUR, "text_at": START + MINUTE}, START + HOUR),
        ({"created_at": START}, START),
        ({}, EPOCH),
    ],
)
def test_a_card_without_a_date_of_its_own_is_of_its_newest_other(dates: dict[str, datetime], told_at: datetime) -> None:
    assert update_of(Feedback(id="1", **dates)).told_at == told_at  # type: ignore[arg-type]


def test_the_latest_report_counts_and_a_score_off_the_scale_never_does() -> None:
    told = [(Update(START + HOUR, 4, START), "card"), (Update(START, 9, START - DAY), "card")]
    assert settle(told, SCALE) == SettledAnswer(START + HOUR, Claim(4, START, "card"))


BOTH = SettledAnswer(START, Claim(4, START, "card"), Claim("fine", START, "card"))


@pytest.mark.parametrize(
    ("settled", "update", "other"),
    [
        (BOTH, Update(START), False),
        (BOTH, Update(START, score=4, text="fine"), False),
        (BOTH, Update(START, score=5), True),
        (BOTH, Update(START, text="bad"), True),
        (BOTH, Update(START, score=4, text="bad"), True),
        (SettledAnswer(START), Update(START, score=9), True),
    ],
)
def test_a_report_with_another_value_is_a_contradiction(settled: SettledAnswer, update: Update, other: bool) -> None:
    assert settled.contradicts(update) is other


def test_an_answer_differs_from_a_pruned_one() -> None:
    assert [Update(START, score=s, text=t).answers for s, t in ((None, None), (1, None), (None, "a"))] == [
        False, True, True,
    ]  # fmt: skip
    shown = [SettledAnswer(START, Claim(s), Claim(t)) for s, t in ((None, None), (1, None), (None, "a"))]
    assert [each.answers for each in shown] == [False, True, True]
    texts = (Claim(None, START), Claim("a", START), Claim())
    assert [SettledAnswer(START, text=each).is_forgotten for each in texts] == [True, False, False]


def test_equal_reports_have_equal_digests() -> None:
    one = Update(START, 4, START, "fine", START)
    others = [
        replace(one, told_at=START + TICK), replace(one, score=5), replace(one, score_at=None),
        replace(one, text="bad"), replace(one, text_at=START + TICK), one.wordless(),
    ]  # fmt: skip
    assert len({digest(each) for each in (one, replace(one), *others)}) == 7


AGES = (HOUR, 4 * HOUR)


@pytest.mark.parametrize(
    ("sent", "now", "due"),
    [
        (START, START + HOUR - TICK, START + HOUR),
        (START, START + HOUR, START + 4 * HOUR),
        (START, START + 4 * HOUR - TICK, START + 4 * HOUR),
        (START, START + 4 * HOUR, None),
        (START + DAY, START, START + HOUR),
    ],
)
def test_a_card_is_due_at_the_first_age_to_come(sent: datetime, now: datetime, due: datetime | None) -> None:
    """One whose moment lies ahead (the clock was set back) counts as sent now."""
    assert refresh._next_due(sent, AGES, now) == due


def test_ages_beyond_the_answer_window_are_left_out() -> None:
    account = shop(refresh_schedule=(4 * HOUR, DAY, HOUR))
    assert refresh._schedule(account, DAY) == (HOUR, 4 * HOUR, DAY)
    assert refresh._schedule(account, DAY - TICK) == (HOUR, 4 * HOUR)


@pytest.mark.parametrize(
    ("report", "wait"),
    [
        (RefreshReport(more=True, come_back_at=START + HOUR, problem="x"), timedelta(0)),
        (RefreshReport(), MINUTE),
        (RefreshReport(problem="x_away"), 5 * MINUTE),
        (RefreshReport(problem="rate_limited", come_back_at=START + 10 * SECOND), 10 * SECOND),
        (RefreshReport(come_back_at=START + 10 * SECOND), 10 * SECOND),
        (RefreshReport(come_back_at=START + HOUR), MINUTE),
    ],
)
def test_the_next_turn_is_in_a_minute_unless_x_says_otherwise(report: Any, wait: timedelta) -> None:
    assert refresh._next_turn(report, START) == START + wait


@pytest.mark.parametrize(
    ("error", "about_it"),
    [
        (UnknownToX("", reason="unknown", code=34), True),
        (UnknownToX("", reason="unknown"), False),
        (MessageRefused("", reason="bad_request"), True),
        (RecipientRefused("", reason="suspended"), True),
        (Temporary("", reason="unreadable_answer"), True),
        (Temporary("", reason="x_error"), False),
    ],
)
def test_an_error_about_one_card_delays_no_other(error: XError, about_it: bool) -> None:
    assert refresh._is_about_the_card(error) is about_it


def test_events_are_read_up_to_xs_delay_less_what_its_clock_may_be_behind() -> None:
    """X takes signatures of a clock that far from its own. Where the delay is of seconds, so is the doubt."""
    now = START + timedelta(microseconds=1999)
    assert poll._horizon(shop(events_delay=DAY), now) == START + timedelta(milliseconds=1) - DAY - 5 * MINUTE
    assert poll._horizon(shop(events_delay=5 * SECOND), now) == START + timedelta(milliseconds=1) - 10 * SECOND


@pytest.mark.parametrize(
    ("found", "cursor", "pages", "following"),
    [
        (None, "a", 1, None),
        ("b", "a", 1, "b"),
        ("b", None, 1, "b"),
        ("a", "a", 1, None),
        ("b", "a", 999, "b"),
        ("b", "a", 1000, None),
    ],
)
def test_a_cursor_that_leads_in_a_circle_is_the_end(
    found: str | None, cursor: str | None, pages: int, following: str | None
) -> None:
    assert poll._next(FeedbackPage((), found), cursor, pages, shop()) == following


@pytest.mark.parametrize(
    ("colour", "told"),
    [
        ("#000000", 21.0), ("#ffffff", 1.0), ("#ff0000", 4.0), ("#00ff00", 1.37), ("#0000ff", 8.59), ("#777777", 4.48),
        ("#0a0a0a", 19.8),
    ],
)  # fmt: skip
def test_the_contrast_with_white_is_that_of_wcag(colour: str, told: float) -> None:
    assert contrast(colour, "#ffffff") == contrast("#ffffff", colour)
    assert contrast(colour, "#ffffff") == pytest.approx(told, abs=0.01)


@pytest.mark.parametrize("wrong", ["1d5fd0", "#1d5fd", "#1d5fd0a", "x1d5fd0"])
def test_a_colour_is_written_in_six_digits(wrong: str) -> None:
    with pytest.raises(ValueError, match="a colour is written"):
        contrast(wrong, "#ffffff")


@pytest.mark.parametrize("ground", ["#ffffff", "#14171a"])
@pytest.mark.parametrize("accent", ["#ffff00", "#000080", "#777777", "#ffffff", "#14171a"])
def test_an_accent_is_moved_until_it_can_be_read_and_no_further(accent: str, ground: str) -> None:
    found = readable(accent, ground)
    assert contrast(found, ground) >= 4.5
    assert (found == accent) is (contrast(accent, ground) >= 4.5)
    if found != accent:
        assert contrast(found, ground) < 6.5, "a step more than needed is the most"


@pytest.mark.parametrize(
    ("page_name", "screen_name", "told"),
    [("The Shop", "theshop", "The Shop"), (None, "theshop", "theshop"), (None, None, "shop")],
)
def test_a_page_is_of_the_name_its_account_gives_it(page_name: str | None, screen_name: str | None, told: str) -> None:
    assert sender_of(shop(page_name=page_name, screen_name=screen_name)).name == told


def test_the_limit_is_per_address_and_minute() -> None:
    twice = PerMinute(2)
    assert [twice.allows("192.0.2.1", START + 59 * SECOND) for _ in range(3)] == [True, True, False]
    assert twice.allows("198.51.100.1", START + 59 * SECOND)
    assert [twice.allows("192.0.2.1", START + MINUTE) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(("most", "allowed"), [(rate_limit.LOOKS, 300), (rate_limit.ANSWERS, 60)])
def test_an_address_may_look_three_hundred_times_a_minute_and_answer_sixty_times(most: int, allowed: int) -> None:
    bound = PerMinute(most)
    assert [bound.allows("192.0.2.1", START) for _ in range(allowed + 1)] == [True] * allowed + [False]


def test_beyond_the_table_size_only_known_addresses_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MOST_ADDRESSES", 1)
    once = PerMinute(1)
    assert [once.allows(each, START) for each in ("192.0.2.1", "198.51.100.1", "198.51.100.1", "192.0.2.1")] == [
        True, True, True, False,
    ]  # fmt: skip
