"""Adds lines up: what became of conversations, and how often each score was given. Pure."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from service.reports.counting.facts import OPEN
from service.reports.counting.lines import Line
from service.states import State

Group = TypeVar("Group", bound=Hashable)


@dataclass(slots=True)
class Counts:
    """What became of some conversations. Answers count only on delivered cards."""

    ended: int = 0
    pending: int = 0
    delivered: int = 0
    unknown: int = 0
    answered: int = 0
    scored: int = 0
    commented: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    def add(self, line: Line) -> None:
        """Take in the conversations of a line."""
        self.ended += line.n
        if line.state == State.CARD_SENT:
            self.delivered += line.n
            self.answered += line.answered
            self.scored += sum(line.scores)
            self.commented += line.commented
        elif line.state == State.UNKNOWN:
            self.unknown += line.n
        elif line.state == OPEN:
            self.pending += line.n
        else:
            (self.skipped if line.state == State.SKIPPED else self.failed)[line.reason or "unsaid"] += line.n


@dataclass(slots=True)
class Answers:
    """How many gave which score, to which question variants, and asked in which ways."""

    scores: Counter[int] = field(default_factory=Counter)
    variants: Counter[int] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)

    @property
    def n(self) -> int:
        """Answers with a score."""
        return self.scores.total()

    def add(self, line: Line) -> None:
        """Take in the answers of a line."""
        for score, n in enumerate(line.scores):
            if n:
                self.scores[score] += n
                if line.variant is not None:
                    self.variants[line.variant] += n
                if line.way is not None:
                    self.ways[line.way] += n


def counts(lines: Iterable[Line]) -> Counts:
    """All of these together."""
    return counts_by(lines, lambda _: None).get(None, Counts())


def counts_by(lines: Iterable[Line], group: Callable[[Line], Group]) -> dict[Group, Counts]:
    """What became of the conversations of each group."""
    found: dict[Group, Counts] = {}
    for line in lines:
        found.setdefault(group(line), Counts()).add(line)
    return {key: each for key, each in found.items() if each.ended}


def answers_by(lines: Iterable[Line], group: Callable[[Line], Group]) -> dict[Group, Answers]:
    """The answers of each group."""
    found: dict[Group, Answers] = {}
    for line in lines:
        found.setdefault(group(line), Answers()).add(line)
    return {key: each for key, each in found.items() if each.n}
