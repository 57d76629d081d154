"""Nothing by subtraction: the attacker finds no small set, and finds one as soon as any one safeguard is off."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest

from service.errors import Invalid
from service.reports.disclosure import closing, cohorts, divide, partitions, pools
from service.reports.disclosure import published as telling
from service.reports.disclosure.asked import Asked, partition_of
from tests.reports.attack import attacker
from tests.reports.attack.algebra import Sums
from tests.reports.attack.attacker import accounts_of, attack, lived_through
from tests.reports.attack.judge import misread, tables


@pytest.mark.parametrize("seed", [2, 8, 11])
def test_the_attacker_comes_back_with_empty_hands(seed: int) -> None:
    found = attack(seed, most=6, bounds=2)
    assert found.nothing, found
    assert found.figures > 100 or found.shape == "three_answers"


def leaks_of(seed: int, table: str, zeros: str = "coverage", most: int = 60) -> bool:
    """Whether the attacker finds a small set in one table of a ledger."""
    with lived_through(seed) as (lived, _found, _figures):
        those = (tables(account, zeros)[table] for account in accounts_of(lived).values())
        return any(each.told(5, most, random.Random(seed)) for each in those)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What is read does not matter here, only what was released."""
    monkeypatch.setattr(attacker, "collect", lambda *_: set())
    return monkeypatch


def test_without_pools(unread: pytest.MonkeyPatch) -> None:
    divided = partitions.divided
    unread.setattr(partitions, "divided", lambda cells, label, _least, against: divided(cells, label, 1, against))
    assert leaks_of(2, "people")


def test_without_days_that_wait_for_enough(unread: pytest.MonkeyPatch) -> None:
    close_days = closing.close_days
    unread.setattr(closing, "close_days", lambda c, ground, *days: close_days(c, replace(ground, least=1), *days))
    assert leaks_of(4, "people")


def test_without_the_search_for_cuts(unread: pytest.MonkeyPatch) -> None:
    """Pools differ from week to week, and agents belong to teams: the two together tell."""
    unread.setattr(divide, "small_cut", lambda *_: None)
    assert leaks_of(2, "people")


def test_without_holding_a_context_against_the_others(unread: pytest.MonkeyPatch) -> None:
    alone = {**partitions.PARTITIONS, "campaign": replace(partitions.PARTITIONS["campaign"], against=())}
    unread.setattr(partitions, "PARTITIONS", alone)
    assert leaks_of(13, "campaign")


@pytest.mark.parametrize(("safeguard", "seed"), [("_may_end", 4), ("stays_safe", 0)])
def test_without_waiting_for_a_day_on_which_a_cohort_may_end(
    unread: pytest.MonkeyPatch, safeguard: str, seed: int
) -> None:
    place = cohorts if safeguard == "_may_end" else cohorts._Before
    unread.setattr(place, safeguard, lambda *_: True)
    assert leaks_of(seed, "cohorts")


def test_a_figure_that_is_no_sum_of_whole_releases_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As before releases: a period cut where it was asked to be cut, here a day short."""
    monkeypatch.setattr(attacker, "MOMENTS", ())
    inside = telling._inside

    def cut(release: object, first: date | None, end: date | None) -> bool:
        return inside(release, first, end and end - timedelta(days=1))

    monkeypatch.setattr(telling, "_inside", cut)
    with lived_through(8) as (lived, _found, figures):
        assert misread(lived, figures, accounts_of(lived))


@pytest.mark.parametrize(
    ("by", "wanted"),
    [("campaign", ["team"]), ("agent", ["source"]), (None, ["language", "hour"]), ("variant", ["campaign"])],
)
def test_contexts_come_one_at_a_time_and_never_with_people(by: str | None, wanted: Sequence[str]) -> None:
    with pytest.raises(Invalid) as refused:
        partition_of(Asked(("acme",), "csat", by, {name: frozenset({"x"}) for name in wanted}))
    assert refused.value.code == "one_at_a_time"


def _known(sums: Sequence[Sequence[str]], n: Callable[[str], int] = lambda _cell: 3) -> Sums:
    cells = sorted({cell for each in sums for cell in each})
    return Sums({cell: n(cell) for cell in cells}, [frozenset(each) for each in sums])


def test_the_attacker_can_subtract() -> None:
    told = _known([["a", "b", "c"], ["a", "b"], ["b", "c", "d"]]).told(5, 9, random.Random(0))
    assert told == (frozenset({"c"}), 3)


def test_the_attacker_finds_no_more_than_there_is() -> None:
    """Rows and columns of a square without holes: nothing but whole rows and columns follows."""
    assert _known([["a", "b"], ["c", "d"], ["a", "c"], ["b", "d"]]).told(5, 9, random.Random(0)) is None
    assert pools.Pools({("red",): 9, ("blue",): 2}, 5).leaves == {((), True): 11}
