"""Compares two sides: the difference, raw and standardised to the same cases."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from service.reports.figures.inquiry import Inquiry
from service.reports.figures.shapes import Score
from service.reports.statistics import statistics
from service.reports.statistics.standardising import Standardised, standardised

Counted = Mapping[str, Mapping[int, int]]
CASE = ("variant", "language", "campaign")
"""What makes one conversation comparable to another."""


def change_of(a: Score, b: Score, counts: Sequence[Counted] | None) -> statistics.Change | None:
    """The difference, if both sides have a value. `counts`: for scores without a distribution."""
    if a.value is None or b.value is None:
        return None
    one, two = (dict(a.distribution), dict(b.distribution)) if counts is None else (each[a.type] for each in counts)
    return statistics.compare(a.type, one, two)


def ways_differ(a: Score, b: Score) -> bool:
    """Whether one side has answers by a way of asking that the other lacks."""
    return {each.way for each in a.ways} != {each.way for each in b.ways}


def by_case(a: Inquiry, b: Inquiry) -> Mapping[str, Standardised]:
    """Both sides as if they had had the same cases; None when comparing two periods of the same."""
    if a.filter.chosen == b.filter.chosen:
        return {}
    one, two, least = _cases(a), _cases(b), a.view.thresholds.score
    return {kind: _told(standardised(kind, one[kind], two[kind]), least) for kind in a.kinds}


def _told(found: Standardised, least: int) -> Standardised:
    """No score from fewer answers than a score needs, here either."""
    if min(found.n_a, found.n_b) >= least:
        return found
    return replace(found, a=None, b=None, difference=None, low=None, high=None)


def _cases(ask: Inquiry) -> Mapping[str, Mapping[tuple[object, ...], Counter[int]]]:
    found: defaultdict[str, defaultdict[tuple[object, ...], Counter[int]]]
    found = defaultdict(lambda: defaultdict(Counter))
    for line in ask.scored(*CASE):
        cell = found[line.type or ""][line.values[: len(CASE)]]
        cell.update({score: n for score, n in enumerate(line.scores) if n})
    return found
