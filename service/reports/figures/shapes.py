"""What a figure looks like when it leaves: one declaration per field, from which schema and description derive.

All values are unrounded, in points or per cent. None means "there is none" (n = 0) or, with `suppressed`, "not told".
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from service.reports.completeness import Completeness
from service.reports.dimensions import Value
from service.reports.statistics.judging import Judgement
from service.reports.statistics.standardising import Standardised
from service.reports.statistics.statistics import Change, Place
from service.ways import HANDED_OVER, WAYS

WHY = (
    "Why there is no value. `too_few`: fewer answers than a score needs. For analysts also `waits` (no "
    "release yet), `releases_being_made`, `pooled` (too small to be shown separately) or "
    "`by_account_only`. null: there is no such reason"
)

CALLED = (
    "The group's name at the end of the period: for agents and teams the name that was set, for questions "
    "X's wording. null: no name was set, or this is not a group"
)

KIND = "csat or nps"
WAY = f"{', '.join(WAYS)} or {HANDED_OVER}"
DIMENSION = "The requested dimension"
CONFIDENT = "Confidence level of the interval: 0.95"

JUDGED = (
    "better, worse, possibly_better, possibly_worse, about_the_same or too_few_to_judge. Found by "
    "comparing the interval with the smallest difference that matters. Without `possibly` the p value is below "
    "0.05 even when corrected for what is judged beside it (Holm); see /v1/definitions"
)


RATE_JUDGED = f"{JUDGED}. While customers of the later period may still answer, the worst verdict is possibly_worse"


@dataclass(frozen=True, slots=True)
class WayAnswers:
    """How many scored answers came from customers asked in this way."""

    way: Annotated[str, WAY]
    n: Annotated[int, "Answers with a score"]


@dataclass(frozen=True, slots=True)
class Score:
    """NPS or CSAT of one kind of card."""

    type: Annotated[str, KIND]
    n: Annotated[int | None, "Answers with a score"]
    value: Annotated[float | None, "NPS -100 to 100; CSAT in per cent"]
    low: Annotated[float | None, "Lower bound of the interval"]
    high: Annotated[float | None, "Upper bound of the interval"]
    confidence: Annotated[float, CONFIDENT]
    method: Annotated[str, "adjusted_wald or wilson; see /v1/definitions"]
    mean: Annotated[float | None, "Mean of the raw scores, as a second figure"]
    mean_low: Annotated[float | None, "Lower bound of the mean"]
    mean_high: Annotated[float | None, "Upper bound of the mean"]
    distribution: Annotated[tuple[tuple[int, int], ...], "Every score of the scale with its count. Empty if not shown"]
    variants: Annotated[tuple[int, ...], "Question variants that the answers belong to"]
    pooled: Annotated[bool, "Whether answers to several question variants were combined"]
    ways: Annotated[
        tuple[WayAnswers, ...], "Ways of asking that the answers belong to, each with its n. Not shown for releases"
    ]
    ways_pooled: Annotated[
        bool, "Whether several ways of asking were combined. Compare by `way` to see whether it matters"
    ]
    low_base: Annotated[bool, "Whether there are few answers: read with caution"]
    suppressed: Annotated[str | None, WHY]
    date_field: Annotated[str, "Which timestamp the period applies to. `seen_at`: the day we first saw the answer"]
    since: Annotated[datetime | None, "Beginning of the period covered. null: from the beginning"]
    until: Annotated[datetime | None, "End of the period covered. null: up to now"]
    waiting: Annotated[int, "Answers in the account's releases, not yet in the group's. 0 for keys that may list rows"]
    withheld: Annotated[
        bool, "Whether answers were left out because the filter names people whose groups are too small to be named"
    ]


@dataclass(frozen=True, slots=True)
class Rate:
    """A share in per cent with its Wilson interval."""

    name: Annotated[str, "response_rate_of_delivered, response_rate_of_ended or comment_rate; see /v1/definitions"]
    successes: Annotated[int | None, "The numerator"]
    n: Annotated[int | None, "The denominator"]
    value: Annotated[float | None, "100 * successes / n, in per cent. null if n is 0 or not shown"]
    low: Annotated[float | None, "Lower bound of the interval"]
    high: Annotated[float | None, "Upper bound of the interval"]
    confidence: Annotated[float, CONFIDENT]
    method: Annotated[str, "wilson; see /v1/definitions"]
    low_base: Annotated[bool, "Whether n is small: read with caution"]
    suppressed: Annotated[str | None, WHY]
    date_field: Annotated[str, "Which timestamp the period applies to. `heard_at`: the day we heard of the end"]


@dataclass(frozen=True, slots=True)
class Summary:
    """The tiles. A kind of card the filter leaves out is null."""

    since: Annotated[datetime | None, "As requested"]
    until: Annotated[datetime | None, "As requested"]
    ended: Annotated[
        int | None,
        "Conversations that ended in the period. null for analysts whose filter is narrower than whole accounts",
    ]
    delivered: Annotated[int | None, "Customers asked in the period: X accepted the message, or a link was handed over"]
    csat: Annotated[Score | None, "null: excluded by the filter"]
    nps: Annotated[Score | None, "null: excluded by the filter"]
    response_rate_of_delivered: Rate
    response_rate_of_ended: Rate
    comment_rate: Rate
    completeness: Completeness


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One day, week or month."""

    label: Annotated[str, "First day of the point"]
    since: Annotated[datetime, "Beginning of the part that is covered"]
    until: Annotated[datetime, "End of the part that is covered (exclusive)"]
    partial: Annotated[bool, "Whether the day, week or month is only partly covered, or is not over yet"]
    score: Score
    delivered: Annotated[int | None, "Customers asked"]
    response_rate: Rate
    immature: Annotated[
        bool,
        "Whether answers may still be missing: the point is not over, or ends after `complete_until`, or, with "
        "`sent_at` or `ended_at`, its customers may still answer",
    ]
    response_immature: Annotated[bool, "Whether its customers may still answer"]


@dataclass(frozen=True, slots=True)
class Trend:
    """One kind of card over time, overall or for one group; `total` is the summary above it."""

    type: Annotated[str, KIND]
    by: Annotated[str | None, "The dimension. null: the series covers everything"]
    key: Annotated[Value, "The group. null: conversations without one, or see `rest`"]
    rest: Annotated[str | None, "As in a breakdown: which groups are combined here"]
    of: Annotated[str | None, "The team that `others` belong to. null: no team"]
    period: Annotated[str, "day, week, month or seven_days"]
    zone: Annotated[str, "IANA time zone of the days"]
    points: tuple[TrendPoint, ...]
    total: Score
    name: Annotated[str | None, CALLED] = None


@dataclass(frozen=True, slots=True)
class Trends:
    """One line per kind of card, and per group if a dimension was asked for."""

    items: tuple[Trend, ...]


@dataclass(frozen=True, slots=True)
class BreakdownRow:
    """One group, or those that are not told apart."""

    key: Annotated[Value, "The group. null: conversations without one, or see `rest`"]
    rest: Annotated[
        str | None,
        "`not_named`: people with too few answers to be named, combined. For analysts also `others` "
        "(agents of the team in `of`) and `other_groups`: groups too small to be shown separately, "
        "combined. null: this is a single group",
    ]
    of: Annotated[str | None, "The team that `others` belong to. null: no team"]
    ended: Annotated[int | None, "Conversations that ended"]
    delivered: Annotated[int | None, "Customers asked"]
    score: Score
    response_rate: Rate
    name: Annotated[str | None, CALLED] = None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """One kind of card by group."""

    type: Annotated[str, KIND]
    by: Annotated[str, DIMENSION]
    ranked: Annotated[bool, "Whether rows are ordered by score. If not, they are deliberately ordered by key"]
    rows: tuple[BreakdownRow, ...]
    total: Score


@dataclass(frozen=True, slots=True)
class Breakdowns:
    """One table a kind of card."""

    items: tuple[Breakdown, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One kind of card and whether the difference is more than chance; null where a side has no value."""

    type: Annotated[str, KIND]
    a: Score
    b: Score
    change: Annotated[Change | None, "Change from a to b. null if either has no value"]
    ways_differ: Annotated[
        bool,
        "Whether one side has answers to a way of asking that the other side lacks, which may cause the difference",
    ]
    judgement: Annotated[Judgement, JUDGED]
    standardised: Annotated[
        Standardised | None,
        "With two groups: the comparison as if both had the same questions, languages and campaigns. Otherwise, and "
        "for analysts, null",
    ]


@dataclass(frozen=True, slots=True)
class Compared:
    """Both sides of every kind of card, and whether they really differ."""

    comparisons: tuple[Comparison, ...]
    response_rate_a: Rate
    response_rate_b: Rate
    response_rate_change: Annotated[Change | None, "Change from a to b. null if either has no value"]
    response_rate_judgement: Annotated[Judgement, RATE_JUDGED]


@dataclass(frozen=True, slots=True)
class Reasoned:
    """So many conversations for this reason."""

    reason: Annotated[str, "One of the values of the parameter `reason`"]
    n: Annotated[int, "Number of conversations"]


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """How many of a group's ended conversations were offered the card. Nothing here is made of answers."""

    key: Annotated[str | None, "The group. null: conversations without one, or see `rest`"]
    ended: Annotated[int, "Conversations that ended"]
    pending: Annotated[int, "Conversations without an outcome yet"]
    decided: Annotated[int, "ended - pending"]
    offered: Annotated[int, "Customers asked: X accepted the message, or a link was handed over"]
    unknown: Annotated[int, "Conversations whose message may or may not have arrived"]
    skipped: tuple[Reasoned, ...]
    failed: tuple[Reasoned, ...]
    share: Annotated[float | None, "offered as a share of decided, in per cent"]
    limit_low: Annotated[float | None, "Control limit: three sigma below the overall share"]
    limit_high: Annotated[float | None, "Control limit: three sigma above the overall share"]
    place: Annotated[Place | None, "Whether the share is below, inside or above the limits"]
    name: Annotated[str | None, CALLED] = None
    rest: Annotated[
        str | None, "`not_named`: people with too few answers to be named, combined. null: this is a single group"
    ] = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Whom the rules left out, by agent or team, and all of them together."""

    by: Annotated[str, DIMENSION]
    since: Annotated[datetime | None, "Beginning of the period covered. null: from the beginning"]
    until: Annotated[datetime | None, "End of the period covered. null: up to now"]
    rows: tuple[CoverageRow, ...]
    total: CoverageRow


@dataclass(frozen=True, slots=True)
class Funnel:
    """From ended to answered, for the same conversations; all null if `suppressed` says why."""

    since: Annotated[datetime | None, "Beginning of the period covered. null: from the beginning"]
    until: Annotated[datetime | None, "End of the period covered. null: up to now"]
    ended: Annotated[int | None, "Conversations that ended"]
    pending: Annotated[int | None, "Conversations without an outcome yet"]
    skipped: tuple[Reasoned, ...]
    failed: tuple[Reasoned, ...]
    unknown: Annotated[int | None, "Customers who may or may not have been asked"]
    delivered: Annotated[int | None, "Customers asked: X accepted the message, or a link was handed over"]
    answered: Annotated[int | None, "Customers who gave a score or a comment"]
    scored: Annotated[int | None, "Customers who gave a score"]
    commented: Annotated[int | None, "Customers who wrote a comment"]
    suppressed: Annotated[str | None, WHY]


@dataclass(frozen=True, slots=True)
class Several:
    """The figures asked for, from one state of the database; null: not asked for."""

    summary: Annotated[Summary | None, "null: not requested"]
    funnel: Annotated[Funnel | None, "null: not requested"]
    trend: Annotated[Trends | None, "null: not requested"]
    breakdown: Annotated[Breakdowns | None, "null: not requested"]
    coverage: Annotated[Coverage | None, "null: not requested"]
    completeness: Annotated[Completeness | None, "null: not requested"]
