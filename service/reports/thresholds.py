"""Minimum group sizes from the settings: from how many answers on what may be told."""

from dataclasses import dataclass

from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Minimum numbers: answers for a score, for comments to be read, for a ranking and to carry no mark of few.

    `difference`: the smallest difference that matters, in points.
    """

    score: int = 5
    comments: int = 8
    ranking: int = 30
    difference: int = 5


DEFAULT = Thresholds()


def thresholds(settings: Settings) -> Thresholds:
    """The numbers this installation runs with."""
    given = settings.reports
    return Thresholds(given.min_score_n, given.min_comments_n, given.min_ranking_n, given.smallest_difference)
