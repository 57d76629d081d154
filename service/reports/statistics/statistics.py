"""From counts of scores to figures with their uncertainty: NPS, CSAT, rates, means, changes, control limits.

Everything is in points or per cent and unrounded; rounding belongs to the surface that prints. n = 0 gives None, never
0. Reads no database and does not decide who may see a figure (`reports/disclosure` does). `definitions` has the
formulas and their sources in words.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

Cells: TypeAlias = tuple[tuple[int, int], ...]
Counts: TypeAlias = Mapping[int, int]
Verdict: TypeAlias = Literal["changed", "no_change_shown"]
Place: TypeAlias = Literal["below", "inside", "above"]

CONFIDENCE = 0.95
Z = 1.959963984540054  # two-sided 95 % quantile of the normal distribution
NPS_SCALE = range(11)
CSAT_SCALE = range(1, 6)
CLASSES: Mapping[str, tuple[range, ...]] = {
    "nps": (range(7), range(7, 9), range(9, 11)),  # detractors, passives, promoters
    "csat": (range(1, 4), range(4, 6)),  # unsatisfied, satisfied
}
THREE_SIGMA_TAIL = 0.0013498980316301  # chance of one side beyond three sigma
NOTHING = 1e-17  # of a sum: less than its last digit


@dataclass(frozen=True, slots=True)
class Figure:
    """One published number. `low` and `high` are bounds, not a plus-minus: the centre may differ from `value`."""

    method: str
    n: int
    value: float | None
    low: float | None
    high: float | None
    distribution: Cells = ()
    confidence: float = CONFIDENCE


@dataclass(frozen=True, slots=True)
class Change:
    """From a to b. `difference` is value b minus value a; `delta` is the adjusted centre of [low, high]."""

    method: Annotated[str, "The method used; see /v1/definitions"]
    n_a: Annotated[int, "Number of answers in a. For a rate: its denominator"]
    n_b: Annotated[int, "Number of answers in b. For a rate: its denominator"]
    difference: Annotated[float, "Value of b minus value of a, in points"]
    delta: Annotated[
        float,
        "The same difference between the adjusted figures: the centre of low and high, before these are cut",
    ]
    low: Annotated[float, "Lower bound of the difference"]
    high: Annotated[float, "Upper bound of the difference"]
    z: Annotated[float, "delta divided by its standard error"]
    p: Annotated[
        float,
        "p value: the probability of such a z if there is no difference. Not corrected for multiple comparisons",
    ]
    verdict: Annotated[
        Verdict,
        "changed (the interval excludes 0) or no_change_shown. Not corrected for multiple comparisons; `judgement` is",
    ]
    confidence: Annotated[float, "Confidence level of the interval"] = CONFIDENCE


@dataclass(frozen=True, slots=True)
class Limits:
    """The band in which a group of this size moves by chance alone."""

    centre: float
    low: float
    high: float


def nps(counts: Counts) -> Figure:
    """Promoters (9-10) minus detractors (0-6), -100 to 100, with the adjusted Wald interval (n + 3)."""
    cells = _cells(counts, NPS_SCALE)
    detractors, passives, promoters = classes_of("nps", counts)
    n = detractors + passives + promoters
    if n == 0:
        return Figure("adjusted_wald", 0, None, None, None, cells)
    centre, variance = _adjusted_nps(counts)
    half = Z * math.sqrt(variance)
    value = 100 * (promoters - detractors) / n
    return Figure("adjusted_wald", n, value, _clamp(centre - half, -100), _clamp(centre + half, -100), cells)


def csat(counts: Counts) -> Figure:
    """Share of 4 and 5 among all scores 1 to 5, in per cent, with the Wilson interval."""
    cells = _cells(counts, CSAT_SCALE)
    unsatisfied, satisfied = classes_of("csat", counts)
    share = rate(satisfied, unsatisfied + satisfied)
    return Figure(share.method, share.n, share.value, share.low, share.high, cells)


def rate(successes: int, n: int) -> Figure:
    """Successes out of n in per cent, with the Wilson interval."""
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is not a share")
    if n == 0:
        return Figure("wilson", 0, None, None, None)
    low, high = _wilson(successes / n, n)
    return Figure("wilson", n, 100 * successes / n, 100 * low, 100 * high)


def mean(counts: Counts, scale: range) -> Figure:
    """Average score with an interval that is never too narrow.

    No variance on a bounded scale exceeds (mean - lowest)(highest - mean) (Bhatia and Davis 2000), which is the
    variance of a share; so the Wilson interval of the rescaled mean holds for every distribution. It is often
    wider than needed, but unlike the usual one it does not shrink to "5.0 to 5.0" on five equal answers.
    """
    cells = _cells(counts, scale)
    n = sum(count for _, count in cells)
    if n == 0:
        return Figure("wilson_bounded", 0, None, None, None, cells)
    value = sum(score * count for score, count in cells) / n
    lowest, width = scale[0], scale[-1] - scale[0]
    low, high = _wilson((value - lowest) / width, n)
    return Figure("wilson_bounded", n, value, lowest + width * low, lowest + width * high, cells)


def compare(kind: str, counts_a: Counts, counts_b: Counts) -> Change | None:
    """Whether the score of a kind of card changed from a to b; None if either has no answers."""
    return compare_nps(counts_a, counts_b) if kind == "nps" else compare_csat(counts_a, counts_b)


def compare_nps(counts_a: Counts, counts_b: Counts) -> Change | None:
    """Whether the NPS changed from a to b: both adjusted (n + 3), then the two-sided z test (MeasuringU)."""
    a, b = nps(counts_a), nps(counts_b)
    if a.value is None or b.value is None:
        return None
    (centre_a, variance_a), (centre_b, variance_b) = _adjusted_nps(counts_a), _adjusted_nps(counts_b)
    error = math.sqrt(variance_a + variance_b)
    return _change("adjusted_wald", a.n, b.n, b.value - a.value, centre_b - centre_a, error, floor=-200)


def compare_csat(counts_a: Counts, counts_b: Counts) -> Change | None:
    """Tell whether the share of 4 and 5 changed from a to b."""
    _cells(counts_a, CSAT_SCALE)
    _cells(counts_b, CSAT_SCALE)
    (no_a, yes_a), (no_b, yes_b) = classes_of("csat", counts_a), classes_of("csat", counts_b)
    return compare_rate(yes_a, no_a + yes_a, yes_b, no_b + yes_b)


def compare_rate(successes_a: int, n_a: int, successes_b: int, n_b: int) -> Change | None:
    """Whether a share changed from a to b: one success and one failure added to each (Agresti-Caffo).

    Agresti and Caffo, The American Statistician 54 (2000) 280-288. The z test uses the same adjusted shares and
    the same error as the interval, so the verdict and "the interval leaves out 0" can never disagree.
    """
    a, b = rate(successes_a, n_a), rate(successes_b, n_b)
    if a.value is None or b.value is None:
        return None
    share_a, share_b = (successes_a + 1) / (n_a + 2), (successes_b + 1) / (n_b + 2)
    error = math.sqrt(share_a * (1 - share_a) / (n_a + 2) + share_b * (1 - share_b) / (n_b + 2))
    delta = 100 * (share_b - share_a)
    return _change("agresti_caffo", n_a, n_b, b.value - a.value, delta, 100 * error, floor=-100)


def control_limits(p: float, n: int) -> Limits | None:
    """Three-sigma limits (p-chart) around the overall share p, in per cent, for one group of size n."""
    if not 0 <= p <= 100:  # noqa: PLR2004 - a share ends at 100 %
        raise ValueError(f"{p} is not a share in per cent")
    if n == 0:
        return None
    half = 3 * math.sqrt(p * (100 - p) / n)
    return Limits(p, _clamp(p - half, 0), _clamp(p + half, 0))


def place(successes: int, n: int, p: float) -> Place | None:
    """Say where one group's share lies against the limits around p.

    The three-sigma limits assume a normal distribution, which fails near 100 %: with p = 99, one miss among three
    conversations would already accuse an agent, though it happens to three in a hundred. So a group is called
    outside only if the exact binomial probability agrees.
    """
    limits, share = control_limits(p, n), rate(successes, n).value
    if limits is None or share is None:
        return None
    if share < limits.low and at_most(successes, n, p / 100) <= THREE_SIGMA_TAIL:
        return "below"
    if share > limits.high and at_most(n - successes, n, 1 - p / 100) <= THREE_SIGMA_TAIL:
        return "above"
    return "inside"


def at_most(k: int, n: int, p: float) -> float:
    """Exact binomial chance of k or fewer successes in n.

    Added up from k downwards, where the terms only fall: of millions few add anything.
    """
    if k < 0 or k >= n or p in {0.0, 1.0}:
        return float(k >= n * p and k >= 0)
    if k > n * p:
        return 1.0 - at_most(n - k - 1, n, 1 - p)
    total = 0.0
    for term in (exactly(i, n, p) for i in range(k, -1, -1)):
        total += term
        if term <= total * NOTHING:
            break
    return min(1.0, total)


def exactly(k: int, n: int, p: float) -> float:
    """Exact binomial chance of k successes in n."""
    if p in {0.0, 1.0}:
        return float(k == n * p)
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))


def classes_of(kind: str, counts: Counts) -> tuple[int, ...]:
    """Give the answers in each outcome class of a kind of card, the worst first."""
    return tuple(sum(counts.get(score, 0) for score in scores) for scores in CLASSES[kind])


def _cells(counts: Counts, scale: range) -> Cells:
    """Every score of the scale with its count. Refuses a foreign score: it means two kinds of card were mixed."""
    if any(score not in scale or count < 0 for score, count in counts.items()):
        raise ValueError(f"counts {dict(counts)} do not fit the scale {scale[0]} to {scale[-1]}")
    return tuple((score, counts.get(score, 0)) for score in scale)


def _adjusted_nps(counts: Counts) -> tuple[float, float]:
    """Centre (points) and squared error after adding 3/4 promoter, 1 1/2 passive, 3/4 detractor (Rocks 2016)."""
    detractors, passives, promoters = classes_of("nps", counts)
    n = detractors + passives + promoters + 3
    up, down = (promoters + 0.75) / n, (detractors + 0.75) / n
    return 100 * (up - down), 100**2 * (up + down - (up - down) ** 2) / n


def _wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's score interval; the share itself always lies inside, rounding noise or not."""
    stretch = 1 + Z**2 / n
    centre = (share + Z**2 / (2 * n)) / stretch
    half = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2)) / stretch
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def _change(method: str, n_a: int, n_b: int, difference: float, delta: float, error: float, *, floor: float) -> Change:
    z, half = delta / error, Z * error
    verdict: Verdict = "changed" if abs(delta) > half else "no_change_shown"
    low, high = max(floor, delta - half), min(-floor, delta + half)
    p = math.erfc(abs(z) / math.sqrt(2))
    return Change(method, n_a, n_b, difference, delta, low, high, z, p, verdict)


def _clamp(value: float, lowest: float) -> float:
    return max(lowest, min(100.0, value))
