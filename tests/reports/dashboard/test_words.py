"""How numbers, times and gaps are written."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from service.reports.dashboard import words

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("value", "written"),
    [(46.0, "46.0"), (-13.64, "\u221213.6"), (-0.04, "0.0"), (1234.56, "1,234.6"), (None, "\u2013"), (0.0, "0.0")],
)
def test_a_number_has_one_decimal_a_real_minus_and_no_minus_zero(value: float | None, written: str) -> None:
    assert words.number(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        *((3.2, "+3.2"), (-3.2, "\u22123.2"), (0.01, "just over 0"), (-0.01, "just under 0"), (0.0, "0.0")),
        (None, "\u2013"),
    ],
)
def test_a_difference_has_its_sign(value: float | None, written: str) -> None:
    assert words.signed(value) == written


def test_a_hidden_count_is_no_zero() -> None:
    assert (words.count(None), words.count(0), words.count(1204)) == ("\u2013", "0", "1,204")


def test_times_are_those_of_the_organisation() -> None:
    late = datetime(2026, 11, 4, 23, 30, tzinfo=UTC)
    assert words.moment(late, BERLIN) == "5 Nov 2026, 00:30"
    assert words.day(late, BERLIN) == "5 Nov 2026"
    assert words.period(date(2026, 11, 5), "week") == "5 Nov"
    assert words.period(date(2026, 11, 1), "month") == "Nov \u201926"
    assert words.moment(None, BERLIN) == "\u2013"


@pytest.mark.parametrize(
    ("first", "last", "written"),
    [
        (date(2026, 11, 15), date(2026, 11, 21), "15 \u2013 21 Nov 2026"),
        (date(2026, 9, 24), date(2026, 11, 21), "24 Sep \u2013 21 Nov 2026"),
        (date(2025, 11, 15), date(2026, 11, 15), "15 Nov 2025 \u2013 15 Nov 2026"),
        (date(2026, 11, 22), date(2026, 11, 22), "22 Nov 2026"),
    ],
)
def test_days_say_once_what_both_ends_share(first: date, last: date, written: str) -> None:
    assert words.days(first, last) == written
    begin, end = (datetime.combine(day, datetime.min.time(), BERLIN) for day in (first, last + timedelta(days=1)))
    assert words.covered(begin, end, BERLIN) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (timedelta(days=28), "28 days"),
        (timedelta(hours=1, minutes=1), "1 hour 1 minute"),
        (timedelta(days=2, hours=3, minutes=5), "2 days 3 hours"),
        (timedelta(milliseconds=5), "less than a second"),
        (None, "\u2013"),
    ],
)
def test_a_span_names_its_two_largest_units(value: timedelta | None, written: str) -> None:
    assert words.span(value) == written


def test_stable_words_are_written_as_people_write_them() -> None:
    assert [words.heading(each) for each in ("no_x_identity", "cannot_dm", "sampled_out", "nps")] == [
        "Not found on X",
        "X does not allow messages",
        "Not drawn in the sample",
        "NPS",
    ]


def test_errors_of_any_shape_become_a_sentence() -> None:
    assert words.said({"0": ["is wrong", "is odd"]}) == "0: is wrong; is odd"
