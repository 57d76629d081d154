"""How happy an answer is, for both kinds of card: a mood, and its rank.

Moods are classes of scores: unhappy is 1 and 2 of 5 or a detractor, happy is 4 and 5 of 5 or a promoter. A comment
without a score is in the middle. Only sorts what people read; kinds of card are never added up.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa

from service.db import from_micros, to_micros
from service.models import feedback_request
from service.reports.filters import MOODS
from service.reports.visible import View

fr = feedback_request.c
RANKS: Mapping[str, Mapping[int, int]] = {
    "csat": {1: 0, 2: 3, 3: 6, 4: 8, 5: 10},
    "nps": {0: 0, 1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6, 8: 7, 9: 9, 10: 10},
}
"""0 is the worst, 10 the best; each score either card can have."""

UNKNOWN_AS = "nps"  # a score of nobody knows which card: so results takes it in, too
WITHOUT_SCORE = 6
BEGINS = {"unhappy": 0, "neutral": 6, "happy": 8}
SPAN = 5_000_000_000_000_000
"""More microseconds than lie between 1970 and any date we take."""


def rank_of(kind: str | None, score: int | None) -> int:
    """0 is the worst, 10 the best."""
    return WITHOUT_SCORE if score is None else RANKS.get(kind or UNKNOWN_AS, {}).get(score, WITHOUT_SCORE)


def mood_of(kind: str | None, score: int | None) -> str:
    """Return the mood of an answer."""
    rank = rank_of(kind, score)
    return next(mood for mood in reversed(MOODS) if rank >= BEGINS[mood])


def place_of(kind: str | None, score: int | None, at: datetime) -> datetime:
    """Rank and moment as one number that sorts by rank, then newest first; typed for cursors."""
    return from_micros(rank_of(kind, score) * SPAN + SPAN - to_micros(at))


def rank_and_moment(place: datetime) -> tuple[int, datetime]:
    """What `place_of` put together."""
    rank, before = divmod(to_micros(place), SPAN)
    return rank, from_micros(SPAN - before)


def of_kind(kinds: Collection[str]) -> sa.ColumnElement[bool]:
    """As SQL: answers to these kinds of card, as ranks take them."""
    known = fr.type.in_(kinds)
    return sa.or_(known, fr.type.is_(None)) if UNKNOWN_AS in kinds else known


def is_one_of(view: View, moods: tuple[str, ...]) -> sa.ColumnElement[bool]:
    """As SQL: answers of these moods."""
    kinds = {kind: [s for s in ranks if mood_of(kind, s) in moods] for kind, ranks in RANKS.items()}
    said = [sa.and_(of_kind([kind]), view.score.in_(scores)) for kind, scores in kinds.items()]
    return sa.or_(*said, *([view.score.is_(None)] if mood_of(None, None) in moods else []))
