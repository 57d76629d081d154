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

WHY = (
    "Why there is no value. too_few: fewer answers than a score takes. For analysts waits (no release yet), "
    "releases_being_made, pooled (too small to be told apart) or by_account_only; null otherwise"
)

CALLED = (
    "What people call the group at the end of the period: agents and teams by the names that were given, questions in "
    "X's words; null: nobody has named it, or it is no group"
)

KIND = "csat or nps"
DIMENSION = "The dimension asked for"
CONFIDENT = "Of the interval: 0.95"

JUDGED = (
    "better, worse, possibly_better, possibly_worse, about_the_same or too_few_to_judge: from the interval against the "
    "smallest difference that matters, chances corrected for the rows of the table (Holm)"
)


RATE_JUDGED = f"{JUDGED}. While customers of the later period may still answer it is possibly worse at most"


@dataclass(frozen=True, slots=True)
class WayAnswers:
    """How many scored answers came from customers asked in this way."""

    way: Annotated[str, "card, quick_reply, page or handed_over"]
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
    mean: Annotated[float | None, "Mean of the raw scores, a second figure"]
    mean_low: Annotated[float | None, "Lower bound of the mean"]
    mean_high: Annotated[float | None, "Upper bound of the mean"]
    distribution: Annotated[
        tuple[tuple[int, int], ...], "Every score of the scale with its count; empty where not told"
    ]
    variants: Annotated[tuple[int, ...], "Question variants whose answers are in it"]
    pooled: Annotated[bool, "More than one question variant was added up"]
    ways: Annotated[
        tuple[WayAnswers, ...], "Ways of asking whose answers are in it, each with its n; not told of releases"
    ]
    ways_pooled: Annotated[bool, "More than one way of asking was added up: compare by way says whether it matters"]
    low_base: Annotated[bool, "Few answers: read with caution"]
    suppressed: Annotated[str | None, WHY]
    date_field: Annotated[str, "The clock the period is read on; seen_at: the day we first saw the answer"]
    since: Annotated[datetime | None, "What is covered; null: from the beginning"]
    until: Annotated[datetime | None, "What is covered; null: up to now"]
    waiting: Annotated[int, "Answers of the period that wait for a later release; 0 for who may list rows"]
    withheld: Annotated[bool, "Answers of people who may not be named were left out, because the filter names people"]


@dataclass(frozen=True, slots=True)
class Rate:
    """A share in per cent with its Wilson interval."""

    name: Annotated[str, "response_rate_of_delivered, response_rate_of_ended or comment_rate; see /v1/definitions"]
    successes: Annotated[int | None, "How many of n did"]
    n: Annotated[int | None, "Out of how many"]
    value: Annotated[float | None, "100 * successes / n: per cent; null where n is 0 or not told"]
    low: Annotated[float | None, "Lower bound of the interval"]
    high: Annotated[float | None, "Upper bound of the interval"]
    confidence: Annotated[float, CONFIDENT]
    method: Annotated[str, "wilson; see /v1/definitions"]
    low_base: Annotated[bool, "Few: read with caution"]
    suppressed: Annotated[str | None, WHY]
    date_field: Annotated[str, "The clock of the cohort"]


@dataclass(frozen=True, slots=True)
class Summary:
    """The tiles. A kind of card the filter leaves out is null."""

    since: Annotated[datetime | None, "As asked"]
    until: Annotated[datetime | None, "As asked"]
    ended: Annotated[
        int | None, "Conversations that ended in the period; null for analysts who ask for less than accounts"
    ]
    delivered: Annotated[int | None, "Asked in the period: accepted by X, or a link handed over"]
    csat: Annotated[Score | None, "null: left out by the filter"]
    nps: Annotated[Score | None, "null: left out by the filter"]
    response_rate_of_delivered: Rate
    response_rate_of_ended: Rate
    comment_rate: Rate
    completeness: Completeness


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One day, week or month."""

    label: Annotated[str, "Its first day"]
    since: Annotated[datetime, "What is covered of it"]
    until: Annotated[datetime, "End of what is covered of it, not part of it"]
    partial: Annotated[bool, "Only a part of the day, week or month is covered, or it is not over yet"]
    score: Score
    delivered: Annotated[int | None, "Customers asked"]
    response_rate: Rate
    immature: Annotated[bool, "Answers of it may still be missing"]
    response_immature: Annotated[bool, "Its customers may still answer"]


@dataclass(frozen=True, slots=True)
class Trend:
    """One kind of card over time, overall or for one group; `total` is the summary above it."""

    type: Annotated[str, KIND]
    by: Annotated[str | None, "The dimension; null: of all"]
    key: Annotated[Value, "The group; null: conversations without one, or see rest"]
    rest: Annotated[str | None, "As in a breakdown: those who are not told apart"]
    of: Annotated[str | None, "The team that others are of. null: of none"]
    period: Annotated[str, "day, week, month or seven_days"]
    zone: Annotated[str, "The IANA zone whose days these are"]
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

    key: Annotated[Value, "null: conversations without one, or see rest"]
    rest: Annotated[
        str | None,
        "not_named: people with too few answers to be named, all together. For analysts others (of the team in `of`) "
        "and other_groups: what is too small to be told apart. null: a group",
    ]
    of: Annotated[str | None, "The team that others are of. null: of none"]
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
    ranked: Annotated[bool, "Ordered by score; otherwise by key, on purpose"]
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
    change: Annotated[Change | None, "From a to b; null where a side has no value"]
    ways_differ: Annotated[
        bool, "One side has answers of a way of asking that the other has not: the difference may come from that"
    ]
    judgement: Annotated[Judgement, JUDGED]
    standardised: Annotated[
        Standardised | None, "Two groups, as if they had had the same questions, languages and campaigns; else null"
    ]


@dataclass(frozen=True, slots=True)
class Compared:
    """Both sides of every kind of card, and whether they really differ."""

    comparisons: tuple[Comparison, ...]
    response_rate_a: Rate
    response_rate_b: Rate
    response_rate_change: Annotated[Change | None, "From a to b; null where a side has no value"]
    response_rate_judgement: Annotated[Judgement, RATE_JUDGED]


@dataclass(frozen=True, slots=True)
class Reasoned:
    """So many conversations for this reason."""

    reason: Annotated[str, "A reason, as the parameter reason lists them"]
    n: Annotated[int, "Conversations"]


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """How many of a group's ended conversations were offered the card. Nothing here is made of answers."""

    key: Annotated[str | None, "The group; null: conversations without one, or see rest"]
    ended: Annotated[int, "Conversations that ended"]
    pending: Annotated[int, "Still on their way"]
    decided: Annotated[int, "ended - pending"]
    offered: Annotated[int, "Asked: accepted by X, or a link handed over"]
    unknown: Annotated[int, "May or may not have arrived"]
    skipped: tuple[Reasoned, ...]
    failed: tuple[Reasoned, ...]
    share: Annotated[float | None, "offered of decided, per cent"]
    limit_low: Annotated[float | None, "Three sigma below the share of all"]
    limit_high: Annotated[float | None, "Three sigma above the share of all"]
    place: Annotated[Place | None, "below, inside or above the limits"]
    name: Annotated[str | None, CALLED] = None
    rest: Annotated[str | None, "not_named: people with too few answers to be named, all together; null: a group"] = (
        None
    )


@dataclass(frozen=True, slots=True)
class Coverage:
    """Whom the rules left out, by agent or team, and all of them together."""

    by: Annotated[str, DIMENSION]
    since: Annotated[datetime | None, "What is covered; null: from the beginning"]
    until: Annotated[datetime | None, "What is covered; null: up to now"]
    rows: tuple[CoverageRow, ...]
    total: CoverageRow


@dataclass(frozen=True, slots=True)
class Funnel:
    """From ended to answered, for the same conversations; all null if `suppressed` says why."""

    since: Annotated[datetime | None, "What is covered; null: from the beginning"]
    until: Annotated[datetime | None, "What is covered; null: up to now"]
    ended: Annotated[int | None, "Conversations that ended"]
    pending: Annotated[int | None, "Still on their way to an outcome"]
    skipped: tuple[Reasoned, ...]
    failed: tuple[Reasoned, ...]
    unknown: Annotated[int | None, "May or may not have been asked"]
    delivered: Annotated[int | None, "Asked: accepted by X, or a link handed over"]
    answered: Annotated[int | None, "Gave a score or a comment"]
    scored: Annotated[int | None, "Gave a score"]
    commented: Annotated[int | None, "Wrote a comment"]
    suppressed: Annotated[str | None, WHY]


@dataclass(frozen=True, slots=True)
class Several:
    """The figures asked for, from one state of the database; null: not asked for."""

    summary: Annotated[Summary | None, "null: not asked for"]
    funnel: Annotated[Funnel | None, "null: not asked for"]
    trend: Annotated[Trends | None, "null: not asked for"]
    breakdown: Annotated[Breakdowns | None, "null: not asked for"]
    coverage: Annotated[Coverage | None, "null: not asked for"]
    completeness: Annotated[Completeness | None, "null: not asked for"]
