"""Dividing answers into leaves that reveal nothing together with earlier ones: who goes where, and what is pooled."""

from collections.abc import Hashable
from datetime import timedelta

import pytest

from service.reports.disclosure.divide import AlreadyTold, divided, leaves_of, mixtures
from service.reports.disclosure.frozen import Cell
from service.reports.disclosure.partitions import ELSEWHERE, REST, Undivided, _in_one_team, leaves
from service.reports.disclosure.pools import Label, Leaf
from service.reports.disclosure.store import Leaf as Told
from service.reports.disclosure.store import Release
from tests.reports.disclosure.ledger import MONDAY, terms

DAY = timedelta(days=1)
ANN, BOB, OTHERS = (("red", "ann"), False), (("red", "bob"), False), (("red",), True)


def cell(day: int, team: str, agent: str = "ann", n: int = 1) -> Cell:
    return Cell(day, team, agent, (), 5, n)


def person(one: Cell) -> Label:
    return one.team, one.agent


def team(one: Cell) -> Label:
    return (one.team,)


def day(one: Cell) -> Hashable:
    return one.day


def told(number: int, first: int, end: int, *those: Leaf) -> Release:
    return Release(MONDAY + first * DAY, MONDAY + end * DAY, tuple(Told(*each, {}) for each in those), number)


DAYS = [told(10, 0, 1), told(11, 6, 7), told(12, 7, 8)]
TEAMS = [told(1, 0, 7, (("red",), False), ((), True)), told(2, 7, 14, (("red",), False))]


@pytest.mark.parametrize(
    ("at", "place"),
    [
        (cell(10, "red"), (1, (("red",), False))),
        (cell(11, "red"), (1, (("red",), False))),
        (cell(12, "red"), (2, (("red",), False))),
        (cell(10, "blue"), (1, ((), True))),
        (cell(12, "blue"), None),
        (cell(99, "red"), None),
    ],
)
def test_an_answer_is_in_the_leaf_of_its_team_in_the_week_of_its_day(at: Cell, place: object) -> None:
    assert AlreadyTold(TEAMS, DAYS, team).rows()(at) == place


@pytest.mark.parametrize(
    ("team_of", "agent", "leaf"),
    [("red", "ann", ANN), ("red", "bob", OTHERS), ("red", "new", OTHERS), ("blue", "ann", ((), True))],
)
def test_a_group_without_a_leaf_is_in_the_nearest_pool(team_of: str, agent: str, leaf: Leaf) -> None:
    row = AlreadyTold([told(1, 0, 28, ANN, OTHERS, ((), True))], DAYS, person).rows()
    assert row(cell(10, team_of, agent)) == (1, leaf)


def test_some_weeks_by_days_and_some_by_teams_in_every_way() -> None:
    row = AlreadyTold(TEAMS, DAYS, team).rows()
    one, other = cell(10, "red"), cell(12, "red")
    ways = mixtures([one, cell(10, "blue"), other, cell(99, "red")], row, (day, team))
    assert len(ways) == 4
    assert {(way(one), way(other)) for way in ways} == {(a, b) for a in (10, ("red",)) for b in (12, ("red",))}
    assert {way(cell(99, "red")) for way in ways} == {None}, "of what is in no week nothing is known"


def of(cells: list[Cell], *against, **how) -> dict[Leaf, int]:
    return dict(divided(cells, person, 5, against, **how).leaves)


CUT = [cell(1, "red", "ann", 2), cell(1, "red", "bob", 6), cell(2, "red", "ann", 5)]
"""All of the first day, less bob, are ann's two."""


def test_agents_a_day_would_reveal_are_pooled() -> None:
    assert of(CUT) == {ANN: 7, BOB: 6}
    assert of(CUT, day) == {OTHERS: 13}
    assert of(CUT, day, joinable=lambda _one, _other: False) == {ANN: 7, BOB: 6}


def test_nobody_else_is_pooled() -> None:
    more = [cell(4, "blue", "dan", 9), cell(5, "blue", "dan", 9), cell(4, "blue", "eve", 9), cell(5, "blue", "eve", 9)]
    assert of([*CUT, *more], day) == {OTHERS: 13, (("blue", "dan"), False): 18, (("blue", "eve"), False): 18}


def test_agents_are_pooled_within_their_team() -> None:
    there = [cell(3, "blue", "dan", 3), cell(3, "blue", "eve", 7), cell(4, "blue", "dan", 6)]
    found = of([*CUT, *there, cell(5, "green", "fay", 9)], day)
    assert found == {OTHERS: 13, (("blue",), True): 16, (("green", "fay"), False): 9}


def test_answers_in_no_release_cannot_be_subtracted() -> None:
    """The third day's release is damaged, and so is not told."""
    cells = [cell(1, "red", "ann", 5), cell(3, "red", "ann", 2), cell(3, "red", "bob", 5)]
    assert of(cells, day) == {OTHERS: 12}
    assert of(cells, lambda one: None if one.day == 3 else one.day) == {ANN: 7, BOB: 5}


def test_leaves_are_told_by_class_under_their_names() -> None:
    cells = [cell(1, "red", "bob", 5), Cell(1, "red", "bob", (), 1, 2), cell(1, "red", "ann", 6)]
    assert leaves_of("csat", cells, person, divided(cells, person, 5, ())) == (
        Told(("red", "ann"), False, {"c0": 0, "c1": 6}), Told(("red", "bob"), False, {"c0": 2, "c1": 5}),
    )  # fmt: skip


def rest(*cells: Cell, agents: tuple[Leaf, ...] = (ANN, OTHERS)) -> dict[Label, int]:
    """What twelve weeks tell, whose four weeks told these leaves of agents."""
    span = (told(20, 0, 84),)
    others = {
        "team": AlreadyTold([told(1, 0, 84, (("red",), False), (("blue",), False))], span, team),
        "agent": AlreadyTold([told(2, 0, 84, *agents)], span, person),
    }
    found = leaves(terms(), REST, Undivided(cells, others))
    return {each.label: sum(each.counts.values()) for each in found}


def test_twelve_weeks_name_those_of_a_team_s_pool_who_are_enough_by_now() -> None:
    people = [cell(20, "red", "ann", 9), cell(20, "red", "bob", 6), cell(20, "red", "cat", 7)]
    assert rest(*people) == {("red", "bob"): 6, ("red", "cat"): 7}
    assert rest(*people, agents=(ANN, ((), True))) == {}, "who is among the others of all stays there"


def test_twelve_weeks_tell_nothing_where_a_team_s_pool_is_too_small_by_now() -> None:
    """It was closed under a lower threshold than today's; what else could be named waits with it."""
    people = [cell(20, "red", "ann", 9), cell(20, "red", "bob", 3)]
    blue = [cell(20, "blue", "dan", 6), cell(20, "blue", "eve", 7)]
    both = (ANN, OTHERS, (("blue",), True))
    assert rest(*people, *blue, agents=both) == {}
    assert rest(*people, cell(20, "red", "new", 2), *blue, agents=both) == {
        ("red",): 5, ("blue", "dan"): 6, ("blue", "eve"): 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        (ANN, BOB, True),
        (ANN, OTHERS, True),
        (OTHERS, ANN, True),
        (ANN, ANN, True),
        (OTHERS, OTHERS, False),
        (ANN, (("blue", "dan"), False), False),
        (((f"{ELSEWHERE}1", "ann"), False), ((f"{ELSEWHERE}1", "bob"), False), False),
        (((), True), ((), True), False),
    ],
)
def test_in_twelve_weeks_only_who_would_be_named_is_pooled_again_and_in_the_team(
    one: Leaf, other: Leaf, may: bool
) -> None:
    assert _in_one_team(one, other) is may
