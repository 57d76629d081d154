"""What those who see no rows may ask, and what they are told, as frozen dataclasses; and what cannot be asked at all.

`PeriodQuestion` names accounts, one kind of card, at most one dimension to split by and values to keep, and days. One
context (campaign, source, …) at a time, and never a context together with people: those tables are not published.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from service.errors import Invalid
from service.reports.dimensions import NAMED, PEOPLE, Value
from service.reports.disclosure.days import CONTEXTS, HOUR

ONE_AT_A_TIME = (*CONTEXTS, HOUR)
REPRESENTATIVE = {"csat": (1, 5), "nps": (0, 7, 9)}
"""A score of each outcome class: what a figure that depends on the classes alone may be calculated with."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """Not a group but all those too small for a leaf of their own, in one team or (None) in all."""

    of: str | None = None
    of_all: bool = False


@dataclass(frozen=True, slots=True)
class PeriodQuestion:
    """A question about whole days [first, end); None: from the beginning, up to now."""

    accounts: tuple[str, ...]
    type: str
    by: str | None = None
    wanted: Mapping[str, frozenset[Value]] = field(default_factory=dict)
    first: date | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Whole leaves added up. `scores` is empty if only outcome classes are told: for all groups of an account.

    `classes`: (unsatisfied, satisfied) or (detractors, passives, promoters).
    """

    label: Value | Pooled
    classes: tuple[int, ...]
    scores: Mapping[int, int] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Answers with a score."""
        return sum(self.classes)

    def counts(self, type: str) -> Mapping[int, int]:
        """Return scores, or one score per class: good enough for NPS and CSAT, not for a mean or a distribution."""
        return self.scores or dict(zip(REPRESENTATIVE[type], self.classes, strict=True))


@dataclass(frozen=True, slots=True)
class PublishedFigures:
    """What is told. `first`, `end`: the days really counted, whole releases within those asked about.

    `total` is the account's own figure for these days, or for the groups asked for. `waiting`: answers told for the
    account in the days asked about that wait for a release of this kind. Those in no release yet are not counted: their
    number would tell of each as it comes. `reason`: why there is less than was asked for (`releases_being_made`,
    `waits`, `pooled`); None if there is everything.
    """

    groups: tuple[Group, ...] = ()
    total: Group | None = None
    first: date | None = None
    end: date | None = None
    waiting: int = 0
    reason: str | None = None


def partition_of(asked: PeriodQuestion) -> str:
    """Return the partition that can answer. Raises Invalid, with the reason, if none can."""
    named = {*asked.wanted, *([asked.by] if asked.by else [])} - {"account"}
    contexts = [each for each in ONE_AT_A_TIME if each in named]
    people = [each for each in PEOPLE if each in named]
    if len(contexts) > 1 or (contexts and people):
        raise Invalid(
            "one_at_a_time",
            f"Figures for analysts are released by team and agent, or by one of {_labels(ONE_AT_A_TIME, ', ')}; "
            f"{_labels([*people, *contexts], ' and ')} can only be combined by readers who may list the rows.",
        )
    if contexts:
        return contexts[0]
    return people[-1] if people else "day"


def _labels(names: Iterable[str], between: str) -> str:
    return between.join(NAMED[name].label.lower() for name in names)
