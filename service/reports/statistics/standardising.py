"""Compares two groups as if they had had the same cases: both scores and the difference. Pure.

Direct standardisation: each stratum (a question, a language, a campaign) counts by the answers both groups have in it
together. Strata in which one group has none compare nothing and are left out; how many answers remain is told.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from service.reports.statistics.chance import WORTH
from service.reports.statistics.statistics import Counts, Z, classes_of


@dataclass(frozen=True, slots=True)
class Standardised:
    """From a to b, in points. `n_a` and `n_b` of the `of_a` and `of_b` answers have a counterpart."""

    a: Annotated[float | None, "Score of the first group, over the same mix of cases"]
    b: Annotated[float | None, "Score of the second group, over the same mix of cases"]
    difference: Annotated[float | None, "b minus a, in points"]
    low: Annotated[float | None, "Lower bound of the difference"]
    high: Annotated[float | None, "Upper bound of the difference"]
    n_a: Annotated[int, "Answers of a with a counterpart in b"]
    n_b: Annotated[int, "Answers of b with a counterpart in a"]
    of_a: Annotated[int, "All answers of a"]
    of_b: Annotated[int, "All answers of b"]
    strata: Annotated[int, "Number of cases that both groups had: combinations of question, language and campaign"]


@dataclass(frozen=True, slots=True)
class Stratum:
    """One group's answers in one stratum: mean value and squared error."""

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
    """Smoothed by the whole group: four equal answers in a stratum do not prove that all are equal.

    Adds as many answers as there are classes, distributed as in the whole group plus one per class.
    """
    n, worth, lent = sum(classes), WORTH[kind], len(classes)
    mean = sum(value * count for value, count in zip(worth, classes, strict=True)) / n
    whole = sum(every) + lent
    shares = [(own + lent * (all_ + 1) / whole) / (n + lent) for own, all_ in zip(classes, every, strict=True)]
    centre = sum(value * share for value, share in zip(worth, shares, strict=True))
    variance = sum(share * (value - centre) ** 2 for value, share in zip(worth, shares, strict=True))
    return Stratum(n, mean, variance / n)
