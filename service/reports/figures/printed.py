"""A protected part in, the published figure out: formula, interval and marks, or the reason why there is none."""

from collections import Counter
from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo

from service.reports.counting.counts import Counts
from service.reports.counting.zones import midnight
from service.reports.disclosure.protection import Part
from service.reports.disclosure.suppression import Group, Reason, Thresholds, protect
from service.reports.figures.asking import Asking
from service.reports.figures.shapes import Rate, Score
from service.reports.statistics import statistics
from service.reports.statistics.statistics import CSAT_SCALE, NPS_SCALE


def score_of(kind: str, part: Part, clock: str, thresholds: Thresholds, zone: ZoneInfo) -> Score:
    """NPS or CSAT of a part; all None where it may not be shown."""
    counts = Counter[int]()
    for cell in part.cells:
        counts[cell.score] += cell.n
    variants = tuple(sorted({cell.variant for cell in part.cells if cell.variant is not None}))
    figure = statistics.nps(counts) if kind == "nps" else statistics.csat(counts)
    mean = statistics.mean(counts, NPS_SCALE if kind == "nps" else CSAT_SCALE)
    hidden = part.reason is not None
    cover = part.cover
    known_start = cover is not None and cover.first.year > 1
    return Score(
        type=kind,
        n=None if hidden else figure.n,
        value=figure.value,
        low=figure.low,
        high=figure.high,
        confidence=figure.confidence,
        method=figure.method,
        mean=mean.value,
        mean_low=mean.low,
        mean_high=mean.high,
        distribution=() if hidden else figure.distribution,
        variants=variants,
        pooled=len(variants) > 1,
        low_base=not hidden and 0 < figure.n < thresholds.low_base,
        suppressed=None if part.reason is None else part.reason.value,
        held=cover is not None and cover.held,
        date_field=clock,
        since=midnight(cover.first, zone) if cover is not None and known_start else None,
        until=midnight(cover.end, zone) if cover is not None and cover.end is not None else None,
    )


def rate_of(name: str, successes: int, n: int, clock: str, thresholds: Thresholds, reason: Reason | None) -> Rate:
    """Share of conversations that were answered; a handful of answers is not told."""
    if reason is None and 0 < successes < thresholds.score:
        reason = Reason.TOO_FEW
    figure = statistics.rate(successes, n)
    hidden = reason is not None
    return Rate(
        name=name,
        successes=None if hidden else successes,
        n=n,
        value=None if hidden else figure.value,
        low=None if hidden else figure.low,
        high=None if hidden else figure.high,
        confidence=figure.confidence,
        method=figure.method,
        low_base=not hidden and 0 < n < thresholds.low_base,
        suppressed=None if reason is None else reason.value,
        date_field=clock,
    )


def score(ask: Asking, kind: str, part: Part) -> Score:
    """NPS or CSAT of a part of this question."""
    return score_of(kind, part, ask.score_clock, ask.view.thresholds, ask.zone)


def response(ask: Asking, counts: Counts, reason: Reason | None) -> Rate:
    """Answered of delivered, of one cohort."""
    name = "response_rate_of_delivered"
    return rate_of(name, counts.answered, counts.delivered, ask.rate_clock, ask.view.thresholds, reason)


def reason_for_rates(scores: Iterable[Score | None]) -> Reason | None:
    """Rates are made of answers too: where every score there is is hidden, they are."""
    there = [each for each in scores if each is not None and each.n != 0]
    if there and all(each.suppressed for each in there):
        return Reason(there[0].suppressed or Reason.SUPPRESSED)
    return None


def hidden_rates(groups: Mapping[str, Counts], thresholds: Thresholds) -> set[str]:
    """Groups with a handful of answers, and those that total minus shown would give away."""
    answers = [Group(key, (counts.answered,)) for key, counts in groups.items()]
    return {one.key for one in protect(answers, thresholds) if not one.shown}
