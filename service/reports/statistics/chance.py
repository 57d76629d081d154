"""What chance alone does to a group's score: limits, and whether the group lies outside of them. Pure.

A funnel plot (Spiegelhalter, Statistics in Medicine 24 (2005) 1185-1202): limits around the overall score that narrow
with the number of answers. A group is called outside only if the exact probability of its own sum agrees, because near
the ends of a scale the normal curve accuses too soon.
"""

import math
from collections.abc import Sequence

from service.reports.statistics.statistics import THREE_SIGMA_TAIL, Counts, Limits, Place, at_most, classes_of, exactly

WORTH = {"csat": (0, 100), "nps": (-100, 0, 100)}
"""What an answer of each class adds to the score, in points."""
EXACT_UP_TO = 2_000
"""Answers in three classes up to which the chance of a sum is counted out; beyond, the normal curve is as good."""

FAR = 10
"""Standard errors beyond which nothing is left to count."""


def score_limits(kind: str, everybody: Counts, n: int) -> Limits | None:
    """Limits of three standard errors around the overall score for a group of n answers; None without answers."""
    centre, variance = _moments(kind, classes_of(kind, everybody))
    if centre is None or n == 0:
        return None
    half = 3 * math.sqrt(variance / n)
    lowest = WORTH[kind][0]
    return Limits(centre, max(lowest, centre - half), min(100.0, centre + half))


def score_place(kind: str, group: Counts, everybody: Counts) -> Place | None:
    """Say where a group's score lies against the limits around the overall score."""
    mine, all_ = classes_of(kind, group), classes_of(kind, everybody)
    limits, (score, _) = score_limits(kind, everybody, sum(mine)), _moments(kind, mine)
    if limits is None or score is None:
        return None
    if score < limits.low and _chance_of_at_most(mine, all_) <= THREE_SIGMA_TAIL:
        return "below"
    if score > limits.high and _chance_of_at_most(mine[::-1], all_[::-1]) <= THREE_SIGMA_TAIL:
        return "above"
    return "inside"


def _moments(kind: str, classes: Sequence[int]) -> tuple[float | None, float]:
    """Mean worth of an answer and its variance."""
    n = sum(classes)
    if n == 0:
        return None, 0.0
    worth = WORTH[kind]
    mean = sum(value * count for value, count in zip(worth, classes, strict=True)) / n
    return mean, sum(count * (value - mean) ** 2 for value, count in zip(worth, classes, strict=True)) / n


def _chance_of_at_most(classes: Sequence[int], everybody: Sequence[int]) -> float:
    """Probability that as many answers, drawn from everybody's, sum to no more than these; the worst class is 0.

    Of three classes: as many outside the middle as there may be, and of those no more of the best.
    """
    n, reached = sum(classes), sum(step * count for step, count in enumerate(classes))
    worst, *_, best = everybody
    if len(classes) == len(WORTH["csat"]):
        return at_most(reached, n, best / (worst + best))
    if n > EXACT_UP_TO:
        return 0.0  # the limits have spoken
    outside = (worst + best) / sum(everybody)
    around, far = n * outside, FAR * math.sqrt(n * outside * (1 - outside)) + FAR
    those = range(max(0, int(around - far)), min(n, int(around + far)) + 1)
    return sum(exactly(m, n, outside) * at_most((reached - n + m) // 2, m, best / (worst + best)) for m in those)
