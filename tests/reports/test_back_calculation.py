"""An attacker with every published figure, linear algebra and patience learns no small group's answers."""

import random
from collections import Counter
from datetime import timedelta
from fractions import Fraction
from itertools import chain, combinations

import pytest
import sqlalchemy as sa

from service.db import reading, writing
from service.models import feedback_request, result, transition
from service.reports.figures import figures
from service.reports.filters import Filter
from tests.reports.world import ADMIN, NOW, World

TEAMS = {"red": ("ann", "bob", "cat"), "blue": ("dan", "eve")}
AGENTS = tuple(chain(*TEAMS.values()))
SOURCES = ("crm", "desk")
SCORES = (2, 5)
CELLS = [(team, agent, source) for team, agents in TEAMS.items() for agent in agents for source in SOURCES]
SMALL = 5


def subsets(names, most=2):
    return [(), *chain.from_iterable(combinations(names, size) for size in range(1, min(most, len(names) - 1) + 1))]


def vector(teams, agents, sources):
    """Which cells a filter sums."""
    return [
        int((not teams or t in teams) and (not agents or a in agents) and (not sources or s in sources))
        for t, a, s in CELLS
    ]


def fill(world, rnd, cells):
    with writing(world.engine) as connection:
        for table in (result, transition, feedback_request):
            connection.execute(sa.delete(table))
    for team, agent, source in CELLS:
        for score in SCORES:
            n = rnd.choice((0, 0, 1, 2, 3, 6, 12))
            cells[team, agent, source, score] = n
            if n:
                world.add(n, score=score, team_id=team, agent_id=agent, source=source)


def published(world):
    """Every figure there is, as (which cells it sums, n)."""
    with reading(world.engine) as connection:
        who = (connection, world.settings, ADMIN)
        for teams in subsets(TEAMS):
            for sources in subsets(SOURCES):
                wanted = Filter(teams=teams, sources=sources, types=("csat",))
                for by in ("agent", "team", "source"):
                    [table] = figures.breakdown(*who, wanted, NOW, by)
                    yield vector(teams, (), sources), table.total
                    for row in table.rows:
                        named = {"agent": (teams, (row.key,), sources), "team": ((row.key,), (), sources)}
                        yield vector(*named.get(by, (teams, (), (row.key,)))), row.score
                for agents in subsets(AGENTS):
                    if not agents or not teams or any(a in TEAMS[t] for t in teams for a in agents):
                        found = figures.summary(*who, Filter(agents=agents, **_set(wanted)), NOW)
                        yield vector(teams, agents, sources), found.csat


def _set(wanted):
    return {"teams": wanted.teams, "sources": wanted.sources, "types": wanted.types}


class Known:
    """The span of what is known: a sum lies in it exactly when somebody can calculate it."""

    def __init__(self):
        self.basis = []

    def learn(self, row):
        left = self.reduce(row)
        place = next((i for i, value in enumerate(left) if value), None)
        if place is not None:
            self.basis.append((place, left))

    def reduce(self, row):
        left = [Fraction(value) for value in row]
        for place, known in self.basis:
            if left[place]:
                factor = left[place] / known[place]
                left = [a - factor * b for a, b in zip(left, known, strict=True)]
        return left

    def tells(self, row):
        return not any(self.reduce(row))


@pytest.mark.parametrize("seed", range(4))
def test_no_set_of_figures_determines_a_small_group(sqlite_engine, seed):
    world, cells, known = World(sqlite_engine), Counter(), Known()
    fill(world, random.Random(seed), cells)

    def truth(row):
        return sum(cells[(*cell, score)] for cell, on in zip(CELLS, row, strict=True) if on for score in SCORES)

    shown = 0
    for row, score in published(world):
        if score.n is not None:
            assert score.held or score.n == truth(row)
            assert score.n == 0 or score.n >= SMALL
            shown += score.n > 0
            if not score.held:
                known.learn(row)
    small = {
        (teams, agents, sources): row
        for teams in subsets(TEAMS)
        for agents in subsets(AGENTS)
        for sources in subsets(SOURCES)
        if 0 < truth(row := vector(teams, agents, sources)) < SMALL
    }
    assert small
    assert shown > 20  # it is no art to hide everything
    assert [names for names, row in small.items() if known.tells(row)] == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("wanted", [Filter(), Filter(teams=("red",)), Filter(agents=("ann",))])
def test_no_two_periods_of_a_figure_differ_by_a_handful(sqlite_engine, seed, wanted):
    world, rnd = World(sqlite_engine), random.Random(seed)
    for _ in range(160):
        team = rnd.choice(tuple(TEAMS))
        agent = rnd.choice(TEAMS[team])
        world.add(1, score=rnd.choice(SCORES), days_ago=rnd.uniform(0.5, 60), team_id=team, agent_id=agent)
    told = set()
    with reading(world.engine) as connection:
        for since in range(60, 0, -3):
            for until in (None, 20, 10, 5):
                period = {
                    "since": NOW - timedelta(days=since),
                    "until": None if until is None or until >= since else NOW - timedelta(days=until),
                }
                asked = Filter(teams=wanted.teams, agents=wanted.agents, types=("csat",), **period)
                told.add(figures.summary(connection, world.settings, ADMIN, asked, NOW).csat.n)
    sizes = sorted(n for n in told if n)
    assert len(sizes) > 1
    assert all(n >= SMALL for n in sizes)
    spans = _nested(world, wanted)
    assert all(a == b or abs(a - b) >= SMALL for a, b in spans)


def _nested(world, wanted):
    """The n of periods that lie within each other, end with the same moment, and begin a day apart."""
    found = []
    with reading(world.engine) as connection:
        for since in range(60, 1, -1):
            asked = Filter(teams=wanted.teams, agents=wanted.agents, types=("csat",), since=NOW - timedelta(days=since))
            n = figures.summary(connection, world.settings, ADMIN, asked, NOW).csat.n
            if n:
                found.append(n)
    return list(combinations(found, 2))


def test_total_minus_shown_is_no_agent_even_when_only_one_is_small(sqlite_engine):
    world = World(sqlite_engine)
    world.add(20, score=5)
    world.add(20, score=2, agent_id="bob")
    world.add(1, score=1, agent_id="cat")
    with reading(world.engine) as connection:
        [csat] = figures.breakdown(connection, world.settings, ADMIN, Filter(types=("csat",)), NOW, "agent")
        without = [
            figures.summary(connection, world.settings, ADMIN, Filter(agents=names, types=("csat",)), NOW).csat
            for names in (("ann", "bob"), ("ann",), ("bob",), ("cat",))
        ]
    left = csat.total.n - sum(row.score.n or 0 for row in csat.rows)
    assert left == 0 or left >= SMALL
    assert without[0].n is None
    assert without[3].n is None


def test_rows_never_tell_more_than_the_breakdown(sqlite_engine):
    """The attributed rows of an agent are exactly those of agents whom the breakdown of everything shows."""
    world, rnd = World(sqlite_engine), random.Random(1)
    for number in range(12):
        world.add(rnd.choice((1, 3, 6, 9)), score=rnd.choice(SCORES), agent_id=f"a{number}", team_id=f"t{number % 3}")
    from service.reports.rows import query

    with reading(world.engine) as connection:
        page = query.rows(connection, world.settings, ADMIN, Filter(), NOW, limit=250)
        [csat] = figures.breakdown(connection, world.settings, ADMIN, Filter(types=("csat",)), NOW, "agent")
    named = Counter(row.agent_id for row in page.rows if row.agent_id)
    shown = {row.key: row.score.n for row in csat.rows if row.score.n}
    assert named
    assert named.items() <= shown.items()
    assert Counter(row.score for row in page.rows) == {score: n for score, n in csat.total.distribution if n}
