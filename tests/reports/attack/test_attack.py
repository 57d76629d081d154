"""The attacker finds no small set by subtraction, and finds one as soon as any single safeguard is off."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from service.errors import Invalid
from service.reports.disclosure import closing, cohorts, divide, partitions, pools
from service.reports.disclosure import published as telling
from service.reports.disclosure.asked import PeriodQuestion, partition_of
from tests.reports.attack import attacker
from tests.reports.attack.algebra import Sums
from tests.reports.attack.attacker import accounts_of, attack, lived_through
from tests.reports.attack.collect import collect
from tests.reports.attack.html import collect as over_html
from tests.reports.attack.http import collect as over_http
from tests.reports.attack.judge import misread, tables
from tests.reports.attack.ledgers import BEGIN, Spoken
from tests.reports.attack.play import ZONED, Lived, database


@pytest.mark.parametrize(("seed", "read"), [(8, over_http), (0, over_html), (11, collect), (206, collect)])
def test_the_attacker_finds_nothing(seed: int, read: attacker.Reading) -> None:
    found = attack(seed, read, most=6, bounds=2)
    assert found.nothing, found
    assert found.figures > 100 or found.shape == "three_answers"
    assert found.bounded == 0


def leaks_of(ledger: int | list[Spoken], table: str, most: int = 60, zeros: str = "coverage") -> bool:
    """Whether the attacker finds a small set in one table of a ledger."""
    with lived_through(ledger, lambda _lived, _rnd: set()) as (lived, _found, _figures):
        those = (tables(account, zeros)[table] for account in accounts_of(lived).values())
        return any(each.told(5, most, random.Random(0)) for each in those)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What is read does not matter here, only what was released."""
    monkeypatch.setattr(attacker, "MOMENTS", ())
    return monkeypatch


def test_without_pools(unread: pytest.MonkeyPatch) -> None:
    divided = partitions.divided
    unread.setattr(partitions, "divided", lambda cells, label, _least, *a, **kw: divided(cells, label, 1, *a, **kw))
    assert leaks_of(2, "people")


def test_without_days_that_wait_for_enough(unread: pytest.MonkeyPatch) -> None:
    close_days = closing.close_days
    unread.setattr(closing, "close_days", lambda c, terms, *days: close_days(c, replace(terms, least=1), *days))
    assert leaks_of(4, "people")


def test_without_pools_that_take_a_sibling_along(unread: pytest.MonkeyPatch) -> None:
    """Two answers at nine, one at ten, all others at noon: the pool of the early ones would be a handful."""
    unread.setattr(pools.Pools, "_fill", lambda _self: None)
    assert leaks_of(spoken(lambda i: {"hour": 9 if i < 2 else 10 if i < 3 else 12}), "hour")


def test_without_weeks_that_nest_in_the_weeks_of_agents(unread: pytest.MonkeyPatch) -> None:
    """Four weeks from Thursday to Thursday: an agent's, minus the whole weeks of its team, are days at the edges."""
    span_of, three = closing.span_of, timedelta(days=3)

    def shifted(day: date, weeks: int) -> tuple[date, date]:
        first, end = span_of(day - three, weeks) if weeks == 4 else span_of(day, weeks)
        return (first + three, end + three) if weeks == 4 else (first, end)

    unread.setattr(closing, "span_of", shifted)
    days = {7, 8, 9, 14, 15, 16, 21, 22, 23, 28, 31, 32}  # the week of the last three is cut behind the first of them
    alone = spoken(lambda i: {"team": "red", "agent": "ann"} if i % 6 < 2 and i // 6 in days else {})
    assert leaks_of(alone, "people")


def spoken(change: Callable[[int], dict[str, Any]]) -> list[Spoken]:
    """Six answers a day for four weeks, all alike but for what `change` says of each."""
    day = timedelta(days=1)
    like = Spoken(BEGIN, BEGIN, 12, "blue", "bob", "care", "en", 5)
    each_day = [replace(like, ended=BEGIN + i // 6 * day, seen=BEGIN + i // 6 * day) for i in range(6 * 35)]
    return [replace(each, **change(i)) for i, each in enumerate(each_day)]


def test_without_the_search_for_cuts(unread: pytest.MonkeyPatch) -> None:
    """Pools differ from week to week, and agents belong to teams: the two together tell."""
    unread.setattr(divide, "small_cut", lambda *_: None)
    assert leaks_of(2, "people")


def test_without_mixing_days_and_teams_by_weeks(unread: pytest.MonkeyPatch) -> None:
    """Agents of a team, minus its two weeks with a leaf of its own, minus days of the others on which it was alone."""
    unread.setattr(partitions, "mixtures", lambda _cells, _span, rows: rows)
    assert leaks_of(38, "people", zeros="rota")


def test_without_holding_a_context_against_people_and_days_at_once(unread: pytest.MonkeyPatch) -> None:
    """All that is German: a whole day, a whole agent, and three more."""
    ann = {"team": "red", "agent": "ann", "language": "de"}
    more = {"language": "de"}
    german = spoken(lambda i: more if i < 6 or i in {48, 90, 132} else ann if i // 6 < 4 and i % 6 < 2 else {})
    assert not leaks_of(german, "language", zeros="rota")
    unread.setattr(divide, "small_split", lambda *_: None)
    assert leaks_of(german, "language", zeros="rota")


def test_without_holding_a_context_against_the_others(unread: pytest.MonkeyPatch) -> None:
    """All that is German: a whole agent, and three more."""
    ann = {"team": "red", "agent": "ann", "language": "de"}
    german = spoken(lambda i: {"language": "de"} if i in {48, 90, 132} else ann if i // 6 < 4 and i % 6 < 2 else {})
    assert not leaks_of(german, "language")
    alone = {**partitions.PARTITIONS, "language": replace(partitions.PARTITIONS["language"], against=(), finest=None)}
    unread.setattr(partitions, "PARTITIONS", alone)
    assert leaks_of(german, "language")


@pytest.mark.parametrize(("safeguard", "seed"), [("_may_end", 222), ("stays_safe", 72)])
def test_without_waiting_for_a_day_on_which_a_cohort_may_end(
    unread: pytest.MonkeyPatch, safeguard: str, seed: int
) -> None:
    place = cohorts if safeguard == "_may_end" else cohorts._Before
    unread.setattr(place, safeguard, lambda *_: True)
    assert leaks_of(seed, "cohorts")


def test_without_waiting_until_a_cohorts_answers_are_all_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One answer of a cohort waits for its day's release, and four of others come with it: all days less the cohort."""
    day, like = timedelta(days=1), spoken(lambda _: {})[0]
    cohort = [replace(like, seen=BEGIN + (0 if i < 5 else 2 if i < 10 else 4) * day) for i in range(11)]
    four = [replace(like, ended=BEGIN + 40 * day, seen=BEGIN + 40 * day)] * 4

    def four_are_told(folder: Path) -> bool:
        with database(folder) as engine:
            lived = Lived(engine, ZONED)
            for moment in (39, 60):
                lived.live([*cohort, *four], BEGIN + moment * day)
            return bool(tables(accounts_of(lived)["acme"], "coverage")["cohorts"].told(5, 60, random.Random(0)))

    assert not four_are_told(tmp_path)
    monkeypatch.setattr(cohorts, "_all_told", lambda *_: True)
    (tmp_path / "attacked.db").unlink()
    assert four_are_told(tmp_path)


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
        partition_of(PeriodQuestion(("acme",), "csat", by, {name: frozenset({"x"}) for name in wanted}))
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
