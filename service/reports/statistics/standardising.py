"""Two groups compared as if they had had the same cases: in, answers by stratum; out, both scores and the difference.

Direct standardisation: each stratum (a question, a language, a campaign) counts as much as both groups have answers in
it, whichever group it is of. Strata in which one group has none compare nothing and are left out, and how many answers
that left is told. Pure.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.reports.statistics.chance import WORTH, classes_of
from service.reports.statistics.statistics import Counts, Z


@dataclass(frozen=True, slots=True)
class Standardised:
    """From a to b, in points. `n_a` and `n_b` are the answers that have a counterpart, of `of_a` and `of_b`."""

    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    n_a: int
    n_b: int
    of_a: int
    of_b: int
    strata: int


@dataclass(frozen=True, slots=True)
class Stratum:
    """One group's answers of one kind of case: mean worth and squared error."""

    n: int
    mean: float
    error: float


def standardised(kind: str, a: Mapping[Any, Counts], b: Mapping[Any, Counts]) -> Standardised:
    """Compare two groups stratum by stratum."""
    one, two = _strata(kind, a), _strata(kind, b)
    both = [(one[key], two[key]) for key in one if key in two]
    of_a, of_b = (sum(each.n for each in side.values()) for side in (one, two))
    n_a, n_b = sum(x.n for x, _ in both), sum(y.n for _, y in both)
    if not both:
        return Standardised(None, None, None, None, None, 0, 0, of_a, of_b, 0)
    shares = [(x.n + y.n) / (n_a + n_b) for x, y in both]
    mean_a = sum(share * x.mean for share, (x, _) in zip(shares, both, strict=True))
    mean_b = sum(share * y.mean for share, (_, y) in zip(shares, both, strict=True))
    half = Z * math.sqrt(sum(share**2 * (x.error + y.error) for share, (x, y) in zip(shares, both, strict=True)))
    difference, widest = mean_b - mean_a, 100.0 - WORTH[kind][0]
    low, high = max(-widest, difference - half), min(widest, difference + half)
    return Standardised(mean_a, mean_b, difference, low, high, n_a, n_b, of_a, of_b, len(both))


def _strata(kind: str, cells: Mapping[Any, Counts]) -> dict[Any, Stratum]:
    classes = {key: classes_of(kind, counts) for key, counts in cells.items()}
    classes = {key: each for key, each in classes.items() if sum(each)}
    every = [sum(column) for column in zip(*classes.values(), strict=True)]
    return {key: _stratum(kind, each, every) for key, each in classes.items()}


def _stratum(kind: str, classes: tuple[int, ...], every: list[int]) -> Stratum:
    """Its spread leans on the group's own: four alike answers of one stratum are no proof that all are alike.

    As many answers are lent as there are classes, spread as in the whole group, plus one for each class there.
    """
    n, worth, lent = sum(classes), WORTH[kind], len(classes)
    mean = sum(value * count for value, count in zip(worth, classes, strict=True)) / n
    whole = sum(every) + lent
    shares = [(own + lent * (all_ + 1) / whole) / (n + lent) for own, all_ in zip(classes, every, strict=True)]
    centre = sum(value * share for value, share in zip(worth, shares, strict=True))
    variance = sum(share * (value - centre) ** 2 for value, share in zip(worth, shares, strict=True))
    return Stratum(n, mean, variance / n)
