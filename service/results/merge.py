"""What stands when all reports of one request's answer are put together: one score and one text.

Pure. The outcome depends only on the set of reports, never on their order, way, channel or number.

A value once reported is a fact: a later report without it takes nothing back. If reports contradict each other, the
value with the earliest date of its own stands, undated ones last; among equal dates the one we heard first (smallest
`told_at`), then the smaller value, so that X's mistakes never flatter us. A value's date may be later than the report
that carries it: X's own samples have that, and nothing here compares the two clocks.
"""

import hashlib
import json
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from service.db import EPOCH, MICROSECOND


@dataclass(frozen=True, slots=True)
class Update:
    """What one report says about the answer: X's snapshot of a card, a tap, a form of our page."""

    told_at: datetime
    """When it was said, by the clock of who says it: a card's `updated_at`, a message's own time."""
    score: int | None = None
    score_at: datetime | None = None
    text: str | None = None
    text_at: datetime | None = None

    @property
    def answers(self) -> bool:
        """Whether it carries anything the customer gave."""
        return self.score is not None or self.text is not None

    def wordless(self) -> "Update":
        """The same without what the customer wrote."""
        return replace(self, text=None, text_at=None)


@dataclass(frozen=True, slots=True)
class VisibleAnswer:
    """What readers see: a score and a text, each with its own date and the way it was given."""

    told_at: datetime
    score: int | None = None
    score_at: datetime | None = None
    score_way: str | None = None
    text: str | None = None
    text_at: datetime | None = None
    text_way: str | None = None

    @property
    def answers(self) -> bool:
        """Whether there is anything the customer gave."""
        return self.score is not None or self.text is not None

    @property
    def is_forgotten(self) -> bool:
        """Whether there was a text whose retention is over: then only its date is left."""
        return self.text is None and self.text_at is not None


@dataclass(frozen=True, slots=True)
class Claim:
    """One value, and everything by which it is compared with others."""

    value: Any
    at: datetime | None
    told_at: datetime
    way: str | None

    @property
    def rank(self) -> tuple[bool, datetime, datetime, Any, str]:
        """The smallest stands."""
        return self.at is None, self.at or EPOCH, self.told_at, self.value, self.way or ""


NOTHING = Claim(None, None, EPOCH, None)


@dataclass(frozen=True, slots=True)
class SettledAnswer:
    """What stands: a score and a text, each with its own claim, and when anything was last reported."""

    told_at: datetime
    score: Claim | None = None
    text: Claim | None = None

    def and_also(self, update: Update, way: str, scores: Container[int]) -> "SettledAnswer":
        """The same with one more report. A score outside `scores` (the scale) is kept elsewhere but never stands."""
        score = Claim(update.score, update.score_at, update.told_at, way) if update.score in scores else None
        text = None if update.text is None else Claim(update.text, update.text_at, update.told_at, way)
        told_at = max(self.told_at, update.told_at)
        return SettledAnswer(told_at, _first(self.score, score), _first(self.text, text))

    @property
    def shown(self) -> VisibleAnswer:
        """What readers see of it."""
        score, text = self.score or NOTHING, self.text or NOTHING
        return VisibleAnswer(self.told_at, score.value, score.at, score.way, text.value, text.at, text.way)

    def contradicts(self, update: Update) -> bool:
        """Whether the report has a score or a text other than the one that stands."""
        other_score = update.score is not None and (self.score is None or update.score != self.score.value)
        other_text = update.text is not None and (self.text is None or update.text != self.text.value)
        return other_score or other_text


def settle(
    told: Iterable[tuple[Update, str]], scores: Container[int], row: VisibleAnswer | None = None
) -> SettledAnswer:
    """Put reports together, each with its way. What `row` shows stands too, even if no report has it any more.

    Retention removes the report, not the fact.
    """
    told = tuple(told)
    settled = SettledAnswer(EPOCH) if row is None else _left(row, [update for update, _ in told])
    for update, way in told:
        settled = settled.and_also(update, way, scores)
    return settled


def digest(update: Update) -> str:
    """A digest that is the same for the same content, whatever its channel and spelling."""
    parts = [_number(update.told_at), update.score, _number(update.score_at), update.text, _number(update.text_at)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _left(row: VisibleAnswer, told: Sequence[Update]) -> SettledAnswer:
    score = row.score is not None and row.score not in {each.score for each in told}
    text = row.text is not None and row.text not in {each.text for each in told}
    return SettledAnswer(
        row.told_at,
        Claim(row.score, row.score_at, row.told_at, row.score_way) if score else None,
        Claim(row.text, row.text_at, row.told_at, row.text_way) if text else None,
    )


def _first(one: Claim | None, other: Claim | None) -> Claim | None:
    claims = [each for each in (one, other) if each is not None]
    return min(claims, key=lambda claim: claim.rank, default=None)


def _number(when: datetime | None) -> int | None:
    return None if when is None else (when - EPOCH) // MICROSECOND
