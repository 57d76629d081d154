"""Random ledgers of many shapes, by seed: answers with the day on which each is seen, and who was at work.

The shapes are those in which small groups hide: an agent alone in a team, agents of one day, two small teams, one big
and many small, one class only, empty days, a change of clocks, an account of three answers, campaigns of one team.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

BEGIN = date(2026, 8, 3)  # a Monday with which twelve weeks begin; the clocks change at the end of October
DAY = timedelta(days=1)
Teams = Mapping[str, Mapping[str, float]]
"""Teams of agents and how much each has to do."""


@dataclass(frozen=True)
class Spoken:
    """One conversation: the day it ended, the day its answer was seen (None: never), and what is known of it."""

    ended: date
    seen: date | None
    hour: int
    team: str
    agent: str
    campaign: str
    language: str
    score: int
    account: str = "acme"


@dataclass(frozen=True)
class Shape:
    """How a ledger is drawn."""

    name: str
    teams: Teams
    days: int = 63
    a_day: float = 5
    one_class: bool = False
    works: Callable[[str, int], bool] = lambda _agent, _day: True
    campaign: Callable[[random.Random, str, int], str] = lambda rnd, _team, _day: rnd.choice(("care", "sales", "care"))


def _even(teams: int, agents: int) -> Teams:
    return {f"t{t}": {f"t{t}a{a}": 1.0 for a in range(agents)} for t in range(teams)}


def _unequal(teams: int, agents: int) -> Teams:
    return {f"t{t}": {f"t{t}a{a}": 2.0**-a for a in range(agents)} for t in range(teams)}


SHAPES = (
    Shape("even", _even(3, 3)),
    Shape("unequal", _unequal(3, 4)),
    Shape("alone", {"red": {"ann": 3.0}, "blue": {"bob": 2.0, "cat": 0.4, "dan": 0.3}, "green": {"eve": 0.3}}),
    Shape("one_day", _even(2, 4), works=lambda agent, day: not agent.endswith("3") or day % 14 == 4),
    Shape("two_small", {"red": {"ann": 4.0, "bob": 4.0}, "blue": {"cat": 0.3}, "green": {"dan": 0.3, "eve": 0.2}}),
    Shape("one_big", {"big": {f"b{i}": 3.0 for i in range(3)}, **{f"s{i}": {f"s{i}a": 0.35} for i in range(5)}}),
    Shape("one_class", _unequal(2, 3), one_class=True),
    Shape("empty_days", _unequal(2, 3), works=lambda _agent, day: day % 7 < 3, a_day=7),
    Shape("weekend", _even(2, 3), works=lambda agent, day: (day % 7 > 4) == agent.startswith("t1")),
    Shape("rota", _even(3, 3), works=lambda agent, day: (day // 2 + int(agent[1]) + int(agent[3])) % 3 > 0),
    Shape("leaves_and_comes", _even(2, 3), works=lambda agent, day: day < 31 if agent.endswith("0") else day > 9),
    Shape("three_answers", _even(1, 2), a_day=0.06),
    Shape("few", _unequal(2, 3), a_day=1.2, days=91),
    Shape("of_one_team", _even(3, 2), campaign=lambda _rnd, team, day: f"{team}-{'old' if day < 40 else 'new'}"),
    Shape("twelve_weeks", _unequal(2, 4), a_day=4, days=91),
)


def ledger(seed: int) -> tuple[str, list[Spoken]]:
    """Draw the ledger of a seed: every shape comes in turn, with another amount of answers."""
    shape, rnd = SHAPES[seed % len(SHAPES)], random.Random(seed)
    return shape.name, list(_spoken(shape, rnd, rnd.choice((0.6, 1.0, 1.6))))


def _spoken(shape: Shape, rnd: random.Random, factor: float) -> Iterator[Spoken]:
    people = [(team, agent, load) for team, agents in shape.teams.items() for agent, load in agents.items()]
    total = sum(load for *_, load in people)
    for day in range(shape.days):
        for team, agent, load in people:
            if shape.works(agent, day):
                for _ in range(_poisson(rnd, 2 * shape.a_day * factor * load / total)):
                    yield _one(shape, rnd, team, agent, day)


def _one(shape: Shape, rnd: random.Random, team: str, agent: str, day: int) -> Spoken:
    late = rnd.choice((0, 0, 0, 0, 1, 2, 9, 35))
    seen = day + late if rnd.random() < 0.5 else None
    return Spoken(
        ended=BEGIN + day * DAY,
        seen=None if seen is None else BEGIN + seen * DAY,
        hour=rnd.randrange(9, 18),
        team=team,
        agent=agent,
        campaign=shape.campaign(rnd, team, day),
        language=rnd.choice(("en", "en", "en", "de")),
        score=5 if shape.one_class else rnd.choice((1, 2, 3, 4, 5, 5, 5, 5)),
        account="acme" if rnd.random() < 0.85 else "other",
    )


def _poisson(rnd: random.Random, mean: float) -> int:
    n, left = 0, rnd.expovariate(1)
    while left < mean:
        n, left = n + 1, left + rnd.expovariate(1)
    return n
