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
from dataclasses import dataclass, field, replace
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
class Claim:
    """A score or a text, its own date and the way it was given. When it was told only decides between two."""

    value: Any = None
    at: datetime | None = None
    way: str | None = None
    told_at: datetime = field(default=EPOCH, compare=False)

    @property
    def rank(self) -> tuple[bool, datetime, datetime, Any, str]:
        """The smallest stands."""
        return self.at is None, self.at or EPOCH, self.told_at, self.value, self.way or ""


NOTHING = Claim()


@dataclass(frozen=True, slots=True)
class SettledAnswer:
    """What stands, as readers see it: a score and a text, and when anything was last reported."""

    told_at: datetime
    score: Claim = NOTHING
    text: Claim = NOTHING

    @property
    def answers(self) -> bool:
        """Whether there is anything the customer gave."""
        return self.score.value is not None or self.text.value is not None

    @property
    def is_forgotten(self) -> bool:
        """Whether there was a text whose retention is over: then only its date is left."""
        return self.text.value is None and self.text.at is not None

    def and_also(self, update: Update, way: str, scores: Container[int]) -> "SettledAnswer":
        """The same with one more report. A score outside `scores` (the scale) is kept elsewhere but never stands."""
        score = Claim(update.score if update.score in scores else None, update.score_at, way, update.told_at)
        text = Claim(update.text, update.text_at, way, update.told_at)
        told_at = max(self.told_at, update.told_at)
        return SettledAnswer(told_at, _first(self.score, score), _first(self.text, text))

    def contradicts(self, update: Update) -> bool:
        """Whether the report has a score or a text other than the one that stands."""
        both = ((update.score, self.score), (update.text, self.text))
        return any(told is not None and told != stands.value for told, stands in both)


def settle(
    told: Iterable[tuple[Update, str]], scores: Container[int], row: SettledAnswer | None = None
) -> SettledAnswer:
    """Put reports together, each with its way. What `row` shows stands too, even if no report has it any more.

    Retention removes the report, not the fact.
    """
    told = tuple(told)
    settled = SettledAnswer(EPOCH)
    if row is not None:
        score = _left(row.score, [each.score for each, _ in told])
        settled = SettledAnswer(row.told_at, score, _left(row.text, [each.text for each, _ in told]))
    for update, way in told:
        settled = settled.and_also(update, way, scores)
    return settled


def digest(update: Update) -> str:
    """A digest that is the same for the same content, whatever its channel and spelling."""
    parts = [_number(update.told_at), update.score, _number(update.score_at), update.text, _number(update.text_at)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _left(shown: Claim, told: Sequence[Any]) -> Claim:
    """What is shown, unless a report has it, which is weighed by itself."""
    return NOTHING if shown.value is None or shown.value in told else shown


def _first(one: Claim, other: Claim) -> Claim:
    claims = [each for each in (one, other) if each.value is not None]
    return min(claims, key=lambda claim: claim.rank, default=NOTHING)


def _number(when: datetime | None) -> int | None:
    return None if when is None else (when - EPOCH) // MICROSECOND
