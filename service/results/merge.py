"""What stands when X's updates of one card are put together: in, every update we know; out, one score and one text.

Pure. The outcome depends on the set of updates only, never on their order, their channel or how often they came.

A value once seen is a fact: a newer update without it takes nothing back. Where updates contradict each other, the
value with the earliest own date stands, an undated one last; among equal dates the one X told of first (smallest
`updated_at`), then the smaller value, so that a fault of X never flatters us. Its date may be later than the update
that carries it: X's own samples have that, and nothing here compares the two clocks.
"""

import hashlib
import json
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.db import EPOCH, MICROSECOND
from service.x_api.facts import Feedback


@dataclass(frozen=True, slots=True)
class Update:
    """What one snapshot of a card says of the answer."""

    x_updated_at: datetime
    score: int | None = None
    score_at: datetime | None = None
    text: str | None = None
    text_at: datetime | None = None

    @property
    def answers(self) -> bool:
        """Whether it carries anything the customer gave."""
        return self.score is not None or self.text is not None


def update_of(feedback: Feedback) -> Update:
    """What a card as X shows it says of the answer. Without `updated_at` its newest other date stands for it."""
    others = (feedback.created_at, feedback.score_at, feedback.text_at)
    newest = max((each for each in others if each is not None), default=EPOCH)
    when = feedback.updated_at or newest
    return Update(when, feedback.score, feedback.score_at, feedback.text, feedback.text_at)


def digest(update: Update) -> str:
    """The same for the same content, whichever channel it came by and however it was spelt."""
    parts = [_number(update.x_updated_at), update.score, _number(update.score_at), update.text, _number(update.text_at)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def settle(updates: Sequence[Update], scores: Container[int]) -> Update:
    """Put at least one update together. A score outside `scores` (the card's scale) is kept but never stands."""
    score, score_at = _standing((u.score, u.score_at, u.x_updated_at) for u in updates if u.score in scores)
    text, text_at = _standing((u.text, u.text_at, u.x_updated_at) for u in updates if u.text is not None)
    return Update(max(u.x_updated_at for u in updates), score, score_at, text, text_at)


def contradicts(update: Update, settled: Update) -> bool:
    """Whether the update carries a score or text other than the one that stands."""
    other_score = update.score is not None and update.score != settled.score
    return other_score or (update.text is not None and update.text != settled.text)


def remainder(row: Update, updates: Iterable[Update]) -> Update:
    """What stands in the row although no kept update carries it any more: retention took the update, not the fact."""
    updates = tuple(updates)
    score = row.score not in {u.score for u in updates}
    text = row.text not in {u.text for u in updates}
    return Update(
        row.x_updated_at,
        row.score if score else None,
        row.score_at if score else None,
        row.text if text else None,
        row.text_at if text else None,
    )


def _standing(claims: Iterable[tuple[Any, datetime | None, datetime]]) -> tuple[Any, datetime | None]:
    """The value that stands, and its date; (None, None) without a claim."""
    ranked = [(at is None, at or EPOCH, told_at, value) for value, at, told_at in claims]
    if not ranked:
        return None, None
    undated, at, _, value = min(ranked)
    return value, None if undated else at


def _number(when: datetime | None) -> int | None:
    return None if when is None else (when - EPOCH) // MICROSECOND
