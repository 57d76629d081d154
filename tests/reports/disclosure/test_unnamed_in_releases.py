"""Releases put nobody in a group of people whom rows do not name.

Readers of rows can read releases too, for example by a feed of their own: from a whole team they could subtract
everybody they know, and be left with the new colleague.
"""

import csv
import io
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest

from service.auth.keys import Reader
from service.db import reading
from service.reports.disclosure.store import Leaf
from service.reports.figures.saved import answer
from service.reports.filters import Filter
from service.reports.report_query import ReportQuery
from tests.reports.disclosure.ledger import TWELVE, closed, on
from tests.reports.world import World

DAY = timedelta(days=1)
KNOWN = (("red", "ann"), ("red", "bob"), ("blue", "cat"), (None, "fay"))
NEW = (("red", "new"), ("blue", "fresh"), ("green", None))
NEW_ON = {3, 30, 31, 70}
NAMED_ON = TWELVE + 30 * DAY
"""When "soon" has the fifth answer."""


def live(world: World, day: date) -> None:
    """The morning of a day, as the worker has it: names first, then what is due."""
    world.clock.now = datetime.combine(day, time(3), world.settings.service.time_zone)
    world.tell()
    world.released()


@pytest.fixture
def quarter(quick: World) -> World:
    """Twelve weeks in which three come who never get to five answers, and "soon" who does."""
    draw = random.Random(5)
    for team, agent in KNOWN:
        on(quick, TWELVE - DAY, 5, score=5, team_id=team, agent_id=agent)
    live(quick, TWELVE)
    for day in range(84):
        came = [(n, who) for who in KNOWN if (n := draw.choice((0, 1, 2)))]
        came += [(1, who) for who in NEW if day in NEW_ON]
        came += [(1, ("blue", "soon"))] if day % 7 == 2 else []
        for n, (team, agent) in came:
            on(quick, TWELVE + day * DAY, n, score=draw.choice((1, 5)), team_id=team, agent_id=agent)
        live(quick, TWELVE + (day + 1) * DAY)
    live(quick, TWELVE + 90 * DAY)
    return quick


def every(world: World) -> Iterator[dict[str, Any]]:
    """All answers, as a supervisor lists them."""
    client, cursor = world.client(), ""
    while True:
        page = client.json("/v1/results", limit=250, sort="ended_at", cursor=cursor)
        yield from page["items"]
        if not (cursor := page["next_cursor"]):
            return


def said_by(world: World) -> list[tuple[date, tuple[Any, Any], int]]:
    """Day, team and agent, and score of those that said whose they are when their day was closed."""
    rows = [(date.fromisoformat(row["score_at"][:10]), (row["team_id"], row["agent_id"]), row["score"])
            for row in every(world) if row["team_id"] or row["agent_id"]]  # fmt: skip
    return [row for row in rows if row[1][1] != "soon" or row[0] >= NAMED_ON]


def is_in(leaf: Leaf, whose: tuple[Any, Any], own: Iterable[tuple[Any, ...]]) -> bool:
    label = whose[: len(leaf.label)]
    return label == leaf.label and (not leaf.pooled or whose not in own)


def test_subtracting_named_rows_from_a_group_leaves_nobody(quarter: World) -> None:
    rows, told = said_by(quarter), Counter[str]()
    for partition in ("team", "agent"):
        for each in closed(quarter, partition):
            own = {leaf.label for leaf in each.leaves if not leaf.pooled}
            for leaf in (leaf for leaf in each.leaves if leaf.label):
                mine = [s for day, who, s in rows if each.first <= day < each.end and is_in(leaf, who, own)]
                assert leaf.counts == {"c0": mine.count(1), "c1": mine.count(5)}, (partition, each.first, leaf.label)
                told[f"{partition} {leaf.label[0]}"] += 1
    assert told["team red"] > 6, told
    assert told["agent red"] > 3, told


def test_a_supervisors_feed_names_nobody_whom_rows_hide(quarter: World) -> None:
    for by, soon in (("agent", 0), ("team", 3)):
        lines = fed(quarter, figure="coverage", by=by)
        assert not {line["key"] for line in lines} & {"new", "fresh", "green"}
        [few] = [int(line["ended"]) for line in lines if line["rest"] == "not_named"]
        assert few == len(NEW) * len(NEW_ON) + soon, "and of soon those whose weeks were told before"
        whole = quarter.client("analyst").json("/v1/coverage", by=by)["total"]["ended"]
        assert sum(int(line["ended"]) for line in lines) == whole
        for question in ({"figure": "breakdown"}, {"figure": "trend", "period": "month"}):
            told = {line["key"] for line in fed(quarter, **question, by=by)}
            assert told & {"ann", "red"}
            assert not told & {"new", "fresh", "green"}


def fed(world: World, **question: Any) -> list[dict[str, str]]:
    """What a feed says, whoever made it."""
    whoever = Reader("feed-1", "whoever has the address", "analyst", ())
    with reading(world.engine) as connection:
        body = answer(ReportQuery(connection, world.settings, whoever, Filter(), world.clock.now), question)
    return list(csv.DictReader(io.StringIO(body.decode())))
