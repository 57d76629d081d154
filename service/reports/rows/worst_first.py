"""Answers with the worst first, and the newest first among equals.

No index holds how bad an answer is for both kinds of card at once, and sorting by a computed rank would read every
answer of the period. So the ranks are gone through one by one, each score along its index of scores and moments, until
there are enough.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import result
from service.reports.filters import Filter
from service.reports.rows.mood import RANKS, WITHOUT_SCORE, mood_of, of_kind, rank_and_moment
from service.reports.rows.position import Position

res = result.c
PLACE = (res.updated_at, res.request_id)


@dataclass(frozen=True, slots=True)
class ScoreWalk:
    """Answers with one score, of the kinds of card for which it has this rank. None: answers without a score."""

    rank: int
    score: int | None
    kinds: tuple[str, ...] = ()

    def may_hold(self, filter: Filter) -> bool:
        """Whether any of these answers can match the filter: a walk that finds nothing reads everything."""
        kinds = self.kinds or (None,)
        return (
            (not filter.scores or self.score in filter.scores)
            and (not filter.moods or any(mood_of(kind, self.score) in filter.moods for kind in kinds))
            and (not (filter.types and self.kinds) or bool({*filter.types} & {*self.kinds}))
            and _is_between(self.score, filter.score_from, filter.score_to)
        )

    @property
    def condition(self) -> sa.ColumnElement[bool]:
        """As SQL: these answers; the score is `of_score`."""
        if self.score is None:
            return res.score.is_(None)
        return sa.and_(res.score == sa.bindparam("of_score"), of_kind(self.kinds))


def _is_between(score: int | None, least: int | None, most: int | None) -> bool:
    if score is None:
        return least is None and most is None
    return (least is None or score >= least) and (most is None or score <= most)


def _walks() -> Iterator[ScoreWalk]:
    yield ScoreWalk(WITHOUT_SCORE, None)
    places = {(rank, score) for ranks in RANKS.values() for score, rank in ranks.items()}
    for rank, score in places:
        yield ScoreWalk(rank, score, tuple(kind for kind, ranks in RANKS.items() if ranks.get(score) == rank))


WALKS = tuple(_walks())
BEST = max(walk.rank for walk in WALKS)


def worst_first(
    connection: Connection,
    query: sa.Select[Any],
    filter: Filter,
    after: Position | None,
    limit: int,
    *,
    backwards: bool = False,
) -> Sequence[sa.Row[Any]]:
    """Return up to `limit` rows of a filtered query after `after`; backwards: best first, and oldest among equals."""
    walks = [walk for walk in WALKS if walk.may_hold(filter)]
    query = query.order_by(*(each if backwards else each.desc() for each in PLACE))
    query = query.limit(sa.bindparam("most", type_=sa.Integer()))
    asks = {walk.kinds: query.where(walk.condition) for walk in {walk.kinds: walk for walk in walks}.values()}
    found: list[sa.Row[Any]] = []
    for rank in _ranks(after, backwards=backwards):
        here = [walk for walk in walks if walk.rank == rank]
        if here and len(found) < limit:
            found += _of_rank(connection, asks, here, after, limit - len(found), backwards=backwards)
    return found


def _ranks(after: Position | None, *, backwards: bool) -> Sequence[int]:
    """The ranks that are left, in order."""
    first, last, step = (BEST, -1, -1) if backwards else (0, BEST + 1, 1)
    return range(first if after is None else rank_and_moment(after.at)[0], last, step)


def _of_rank(
    connection: Connection,
    asks: Mapping[tuple[str, ...], sa.Select[Any]],
    walks: Sequence[ScoreWalk],
    after: Position | None,
    limit: int,
    *,
    backwards: bool,
) -> list[sa.Row[Any]]:
    if after is not None and walks[0].rank == rank_and_moment(after.at)[0]:
        here = sa.tuple_(*PLACE)
        there = sa.tuple_(sa.bindparam("moment", rank_and_moment(after.at)[1], type_=res.updated_at.type), after.id)
        beyond = here > there if backwards else here < there
        asks = {walk.kinds: asks[walk.kinds].where(beyond) for walk in walks}
    rows: list[sa.Row[Any]] = []
    for walk in walks:
        rows += connection.execute(asks[walk.kinds], {"of_score": walk.score, "most": limit})
    rows.sort(key=lambda row: (row.updated_at, row.id), reverse=not backwards)
    return rows[:limit]
