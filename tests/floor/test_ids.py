"""Ids sort by time, people are recognised by a keyed hash, and draws cannot be predicted."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.ids import draw, new_id, person
from tests.support import START

KEYS = st.text(st.characters(codec="utf-8"), min_size=16, max_size=40)
PARTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x1f")), min_size=1, max_size=3)
MOMENTS = st.datetimes(datetime(2006, 3, 21), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - has a zone


@given(MOMENTS, st.integers(1, 10**12))
def test_ids_sort_by_the_time_they_were_made(now: datetime, later_ms: int) -> None:
    assert new_id("fr", now) < new_id("fr", now + timedelta(milliseconds=later_ms + 1))


@given(MOMENTS)
def test_an_id_is_short_plain_and_names_its_kind(now: datetime) -> None:
    made = new_id("fr", now)
    assert made.startswith("fr_")
    assert len(made) == len("fr_") + 12 + 16 <= 40
    assert made.isascii()
    assert made[3:].isalnum()


def test_ids_of_one_moment_differ() -> None:
    assert len({new_id("fr", START) for _ in range(10_000)}) == 10_000


@given(KEYS, st.from_regex(r"[0-9]{1,19}", fullmatch=True))
def test_a_person_is_recognised_by_a_hash_without_the_id(key: str, x_user_id: str) -> None:
    known = person(key, x_user_id)
    assert known == person(key, x_user_id)
    assert len(known) == 64
    assert int(known, 16) >= 0
    assert known != person(key + "x", x_user_id)
    assert known != person(key, x_user_id + "0")


@given(KEYS, PARTS)
def test_the_same_input_draws_the_same_number(key: str, parts: list[str]) -> None:
    lot = draw(key, "sample", *parts)
    assert lot == draw(key, "sample", *parts)
    assert 0 <= lot < 1


@given(KEYS, PARTS)
def test_key_purpose_and_every_part_change_the_draw(key: str, parts: list[str]) -> None:
    lots = {
        draw(key, "sample", *parts),
        draw(key, "quota", *parts),
        draw(key + "x", "sample", *parts),
        draw(key, "sample", *parts, ""),
        draw(key, "sample", parts[0] + "x", *parts[1:]),
    }
    assert len(lots) == 5


def test_parts_cannot_be_shifted_into_each_other() -> None:
    assert draw("k" * 16, "sample", "ab", "c") != draw("k" * 16, "sample", "a", "bc")
    assert draw("k" * 16, "person", "1") != int(person("k" * 16, "1"), 16) / 2**256


def test_draws_are_evenly_distributed() -> None:
    lots = [draw("k" * 32, "sample", f"c-{each}") for each in range(20_000)]
    tenths = [sum(int(lot * 10) == tenth for lot in lots) for tenth in range(10)]
    assert max(abs(each - 2000) for each in tenths) < 200  # over four standard deviations
