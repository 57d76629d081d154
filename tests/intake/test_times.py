"""Times as CRMs write them."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from service.intake.values.times import FORMATS, event_time, parse_time

AT = datetime(2025, 11, 22, 17, 0, tzinfo=UTC)


def at(**parts: int) -> datetime:
    return AT.replace(**parts)


@pytest.mark.parametrize(
    ("value", "fmt", "expected"),
    [
        ("2025-11-22T17:00:00Z", "iso8601", AT),
        ("2025-11-22t17:00:00z", "iso8601", AT),
        ("2025-11-22T17:00Z", "iso8601", AT),
        ("2025-11-22 17:00:00 UTC", "auto", AT),
        ("2025-11-22T18:00:00+01:00", "auto", AT),
        ("2025-11-22T18:00:00.000+0100", "iso8601_compact_offset", AT),
        ("2025-11-22T17:00:00.000+0000", "auto", AT),
        ("2025-11-22T12:00:00-05", "auto", AT),
        ("2025-11-22T13:30:00-03:30", "auto", AT),
        ("2025-11-22T17:00:00.123456789Z", "iso8601", at(microsecond=123456)),
        ("2025-11-22T17:00:00,5Z", "iso8601", at(microsecond=500000)),
        ("2025-11-22T16:59:60Z", "iso8601", at(hour=16, minute=59, second=59)),
        (1763830800, "unix_s", AT),
        ("1763830800", "unix_s", AT),
        (1763830800123, "unix_ms", at(microsecond=123000)),
        ("1763830800123", "unix_ms", at(microsecond=123000)),
        (1763830800.25, "unix_float", at(microsecond=250000)),
        ("1763830800.25", "unix_float", at(microsecond=250000)),
        (1763830800, "auto", AT),
        ("1763830800123", "digits_auto", at(microsecond=123000)),
        (1763830800123456, "digits_auto", at(microsecond=123456)),
        (1763830800123456789, "digits_auto", at(microsecond=123457)),
        (1763830800.12, "auto", at(microsecond=120000)),
        ("/Date(1763830800000)/", "auto", AT),
        ("/Date(1763830800123+0100)/", "iso8601", at(microsecond=123000)),
        ("\\/Date(1763830800000)\\/", "auto", AT),
    ],
)
def test_a_time_is_read(value: Any, fmt: str, expected: datetime) -> None:
    assert parse_time(value, fmt) == expected


@pytest.mark.parametrize(
    ("value", "fmt"),
    [
        ("2025-11-22T17:00:00", "iso8601"),  # no zone, none guessed
        ("2025-11-22", "auto"),
        ("22.11.2025 17:00", "auto"),
        ("2025-13-01T00:00:00Z", "auto"),
        ("2025-02-30T00:00:00Z", "auto"),
        ("2025-11-22T25:00:00Z", "auto"),
        ("2025-11-22T17:00:00+99:99", "auto"),
        ("٢٠٢٥-11-22T17:00:00Z", "auto"),
        ("", "auto"),
        ("yesterday", "auto"),
        (1763830800, "iso8601"),
        ("2025-11-22T17:00:00Z", "unix_s"),
        (True, "auto"),
        (None, "auto"),
        ([1763830800], "auto"),
        ({}, "auto"),
        (float("nan"), "auto"),
        (float("inf"), "unix_float"),
        (10**30, "unix_s"),
        ("9" * 19, "unix_s"),
    ],
)
def test_anything_else_is_no_time(value: Any, fmt: str) -> None:
    assert parse_time(value, fmt) is None


@pytest.mark.parametrize("value", [0, 946684800, 1763830800123, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_an_event_before_x_s_first_day_or_far_ahead_has_no_time(value: Any) -> None:
    assert event_time(value, "unix_s" if isinstance(value, int) else "iso8601") is None


def test_a_time_without_a_zone_is_read_only_in_the_zone_the_definition_names() -> None:
    assert parse_time("2025-11-22T18:00:00", "auto", ZoneInfo("Europe/Berlin")) == AT
    assert parse_time("2025-07-22T19:00:00", "auto", ZoneInfo("Europe/Berlin")) == datetime(2025, 7, 22, 17, tzinfo=UTC)


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("value", ["\x00", "\ud800", "1" * 5000, -(2**63), 2**63, 1e308, "-1", "1e400"])
def test_no_value_in_any_format_raises(value: Any, fmt: str) -> None:
    assert parse_time(value, fmt) is None or isinstance(parse_time(value, fmt), datetime)
