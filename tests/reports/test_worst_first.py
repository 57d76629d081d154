"""Worst first: the same order as a sort in memory, page by page, both ways, whatever the scores and moments."""

import random
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.db import EPOCH, reading, writing
from service.models import result
from service.reports.filters import Filter
from service.reports.report_query import ReportQuery
from service.reports.rows import query
from service.reports.rows.mood import RANKS, place_of, rank_and_moment, rank_of
from service.reports.rows.order import WORST, Order
from service.reports.rows.position import Position
from service.x_api.questions import SCORE_RANGE
from tests.filled_ledgers import poured
from tests.reports.world import ADMIN, NOW, World


def told(world: World, limit: int, filter: Filter = Filter(), **order: bool) -> list[str]:  # noqa: B008 - frozen
    """The ids of a list that is read to its end, page by page."""
    found: list[str] = []
    after: Position | None = None
    while True:
        with reading(world.engine) as connection:
            page = query.rows(
                ReportQuery(connection, world.settings, ADMIN, filter, NOW),
                Order(WORST, **order),
                after=after,
                limit=limit,
            )
        found += [row.request_id for row in page.rows]
        if (after := page.next) is None:
            return found


@pytest.fixture
def mixed(world: World) -> list[tuple[int, int, str]]:
    """Ids behind rank and moment before 1970; many answers share a moment."""
    return poured(world.engine, "many answers of a moment", lambda: many_of_a_moment(world))


def many_of_a_moment(world: World) -> list[tuple[int, int, str]]:
    choose = random.Random(7)
    found = []
    for kind, score in ((kind, score) for kind, scores in SCORE_RANGE.items() for score in (*scores, None)):
        for one in world.add(3, kind=kind, score=score, text="so it was"):
            at = NOW - timedelta(days=1 + choose.randrange(4))
            found.append((rank_of(kind, score), -int(at.timestamp()), one))
    with writing(world.engine) as connection:  # at last: who gets a name by an answer changes with it
        for _, before, one in found:
            at = EPOCH - timedelta(seconds=before)
            connection.execute(sa.update(result).where(result.c.request_id == one).values(updated_at=at))
    return found


@pytest.mark.parametrize("limit", [1, 7, 250])
def test_pages_follow_each_other_as_if_all_had_been_sorted(
    world: World, mixed: list[tuple[int, int, str]], limit: int
) -> None:
    found = told(world, limit)
    assert sorted(found) == sorted(one for *_, one in mixed)
    place = {one: (rank, at) for rank, at, one in mixed}
    assert [place[one] for one in found] == sorted(place.values())
    assert told(world, limit, newest_first=True) == found[::-1]


@pytest.mark.parametrize(
    "some",
    [
        Filter(moods=("unhappy",)),
        Filter(moods=("neutral", "happy")),
        Filter(types=("csat",)),
        Filter(types=("nps",), moods=("happy",)),
        Filter(scores=(1, 9)),
        Filter(score_from=3, score_to=8),
        Filter(score_to=2, types=("csat",)),
        Filter(has_text=True),
    ],
)
def test_a_filter_leaves_out_what_another_order_leaves_out(
    world: World, mixed: list[tuple[int, int, str]], some: Filter
) -> None:
    found = told(world, 4, some)
    with reading(world.engine) as connection:
        page = query.rows(ReportQuery(connection, world.settings, ADMIN, some, NOW), Order("updated_at"), limit=250)
    assert sorted(found) == sorted(row.request_id for row in page.rows)
    assert found == [one for one in told(world, 250) if one in set(found)]
    assert 0 < len(found) <= len(mixed)


def test_a_mood_finds_answers_of_nobody_knows_which_card(world: World) -> None:
    """They are shown with it, and counted as NPS."""
    [low], [high] = (world.add(1, kind=None, score=score) for score in (6, 9))
    assert told(world, 4, Filter(moods=("unhappy",))) == [low]
    assert told(world, 4, Filter(moods=("neutral", "happy"))) == [high]


def test_each_page_enters_the_answers_by_score_and_moment(world: World, mixed: list[tuple[int, int, str]]) -> None:
    """To sort them it would read every answer of a period: ten million conversations took more than ten seconds."""
    found: list[str] = []

    def explain(_connection, cursor, statement, parameters, _context, _many):
        if "ORDER BY" in statement:
            how = "EXPLAIN" if world.engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
            cursor.execute(f"{how} {statement}", parameters)
            found.append(" ".join(str(row[-1]) for row in cursor.fetchall()))

    with writing(world.engine) as connection:
        connection.exec_driver_sql("ANALYZE")
    sa.event.listen(world.engine, "before_cursor_execute", explain)
    told(world, 250, Filter(has_text=True))
    assert len(found) == len(mixed and {(rank, s) for ranks in RANKS.values() for s, rank in ranks.items()}) + 1
    index = next(each.name for each in result.indexes if next(iter(each.columns)).name == "score")
    if world.engine.dialect.name == "sqlite":
        assert all(str(index) in plan and "B-TREE" not in plan for plan in found)


def test_every_score_a_card_can_have_has_a_rank() -> None:
    assert {kind: set(ranks) for kind, ranks in RANKS.items()} == {
        kind: set(each) for kind, each in SCORE_RANGE.items()
    }


def test_a_position_round_trips() -> None:
    assert rank_and_moment(place_of("nps", 9, NOW)) == (9, NOW)
    assert place_of("nps", 9, NOW) < place_of("nps", 9, NOW - timedelta(days=1)) < place_of("nps", 10, NOW)
