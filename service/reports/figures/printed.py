"""From counts to a published figure: formula, interval and marks, or the reason why there is none. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from service.reports.counting.counts import Answers, Counts
from service.reports.figures.shapes import Funnel, Rate, Reasoned, Score, WayAnswers
from service.reports.statistics import statistics
from service.reports.statistics.statistics import CSAT_SCALE, NPS_SCALE
from service.reports.thresholds import Thresholds

TOO_FEW = "too_few"


@dataclass(frozen=True, slots=True)
class Basis:
    """What a score covers: moments [since, until); answers that wait for a release; whether names were left out."""

    since: datetime | None = None
    until: datetime | None = None
    waiting: int = 0
    withheld: bool = False


def score_of(kind: str, answers: Answers, clock: str, thresholds: Thresholds, covered: Basis) -> Score:
    """NPS or CSAT. With fewer answers than a score needs there is none, but their number and distribution are."""
    few = 0 < answers.n < thresholds.score
    figure = statistics.nps(answers.scores) if kind == "nps" else statistics.csat(answers.scores)
    mean = statistics.mean(answers.scores, NPS_SCALE if kind == "nps" else CSAT_SCALE)
    variants = tuple(sorted(variant for variant, n in answers.variants.items() if n))
    ways = tuple(WayAnswers(way, n) for way, n in sorted(answers.ways.items()) if n)
    return Score(
        type=kind,
        n=figure.n,
        value=None if few else figure.value,
        low=None if few else figure.low,
        high=None if few else figure.high,
        confidence=figure.confidence,
        method=figure.method,
        mean=None if few else mean.value,
        mean_low=None if few else mean.low,
        mean_high=None if few else mean.high,
        distribution=figure.distribution,
        variants=variants,
        pooled=len(variants) > 1,
        ways=ways,
        ways_pooled=len(ways) > 1,
        low_base=0 < figure.n < thresholds.ranking,
        suppressed=TOO_FEW if few else None,
        date_field=clock,
        since=covered.since,
        until=covered.until,
        waiting=covered.waiting,
        withheld=covered.withheld,
    )


def rate_of(name: str, successes: int, n: int, clock: str, thresholds: Thresholds) -> Rate:
    """A share of conversations."""
    figure = statistics.rate(successes, n)
    return Rate(
        name=name,
        successes=successes,
        n=n,
        value=figure.value,
        low=figure.low,
        high=figure.high,
        confidence=figure.confidence,
        method=figure.method,
        low_base=0 < n < thresholds.ranking,
        suppressed=None,
        date_field=clock,
    )


def no_rate(name: str, clock: str, reason: str) -> Rate:
    """A share that is not told, and why."""
    figure = statistics.rate(0, 0)
    return Rate(name, None, None, None, None, None, figure.confidence, figure.method, False, reason, clock)


def response(counts: Counts, clock: str, thresholds: Thresholds) -> Rate:
    """Answered of delivered, of one cohort."""
    return rate_of("response_rate_of_delivered", counts.answered, counts.delivered, clock, thresholds)


def funnel_of(found: Counts, answers: Counts, since: datetime | None, until: datetime | None) -> Funnel:
    """From ended to answered; `answers` holds the numbers of answers."""
    return Funnel(
        since=since,
        until=until,
        ended=found.ended,
        pending=found.pending,
        skipped=reasons(found.skipped),
        failed=reasons(found.failed),
        unknown=found.unknown,
        delivered=found.delivered,
        answered=answers.answered,
        scored=answers.scored,
        commented=answers.commented,
        suppressed=None,
    )


def reasons(found: Mapping[str, int]) -> tuple[Reasoned, ...]:
    """Return reasons sorted by name, so that the order reveals nothing."""
    return tuple(Reasoned(reason, n) for reason, n in sorted(found.items()) if n)
