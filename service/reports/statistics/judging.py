"""What a difference means: its interval and the smallest difference that matters become one of six words. Pure.

The interval decides, never the point alone:

    better, possibly better     it excludes a worsening that matters, not an improvement that matters
    about the same              it excludes both
    too few to judge            it excludes neither

and *better* without *possibly* if it also excludes 0 after Holm's correction for everything shown beside it: among
twenty groups in which nothing happened, one would otherwise look like news.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from service.reports.statistics.statistics import CONFIDENCE, Change

Judgement: TypeAlias = Literal[
    "better", "possibly_better", "about_the_same", "possibly_worse", "worse", "too_few_to_judge"
]
Rising: TypeAlias = Literal["a", "b"]
TOO_FEW: Judgement = "too_few_to_judge"
CHANCE = 1 - CONFIDENCE
UNSURE: Mapping[Rising, Mapping[Judgement, Judgement]] = {
    "a": {"better": "possibly_better"},
    "b": {"worse": "possibly_worse"},
}
"""What is not sure of a change from a to b while one of them may still rise, and what is said instead."""


def judged(changes: Sequence[Change | None], smallest: float) -> tuple[Judgement, ...]:
    """Judge differences that are shown together. None: a side has no figure."""
    ps = holm([None if each is None else each.p for each in changes])
    return tuple(judge(each, smallest, p) for each, p in zip(changes, ps, strict=True))


def judge(change: Change | None, smallest: float, p: float | None) -> Judgement:
    """Judge one difference; `p` is its corrected p-value. `smallest` in points, more than 0."""
    if change is None or p is None:
        return TOO_FEW
    may_be_worse, may_be_better = change.low < -smallest, change.high > smallest
    if may_be_worse and may_be_better:
        return TOO_FEW
    if may_be_better:
        return "better" if change.low > 0 and p < CHANCE else "possibly_better"
    if may_be_worse:
        return "worse" if change.high < 0 and p < CHANCE else "possibly_worse"
    return "about_the_same"


def rising(a_until: datetime, b_until: datetime, ripe: datetime) -> Rising | None:
    """Return which of two response rates may still rise more: the one asked last, and since `ripe`."""
    if max(a_until, b_until) <= ripe or a_until == b_until:
        return None
    return "b" if b_until > a_until else "a"


def while_rising(word: Judgement, which: Rising | None) -> Judgement:
    """Call a change certain only if more answers could not undo it."""
    return word if which is None else UNSURE[which].get(word, word)


def holm(ps: Sequence[float | None]) -> tuple[float | None, ...]:
    """Adjust p-values for their number (Holm 1979): the k-th smallest of m by m - k + 1, never below one before it."""
    known = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    highest = 0.0
    for rank, (p, place) in enumerate(known):
        highest = max(highest, min(1.0, p * (len(known) - rank)))
        adjusted[place] = highest
    return tuple(adjusted)
