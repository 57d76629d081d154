"""What a figure looks like when it leaves: frozen dataclasses that API, dashboard and export print and nothing more.

Everything is unrounded, in points or per cent. None means "there is none" (n = 0) or, with `suppressed`, "not shown".
"""

from dataclasses import dataclass
from datetime import datetime

from service.reports.statistics.statistics import Change, Place


@dataclass(frozen=True, slots=True)
class Score:
    """NPS or CSAT of one kind of card. `since`/`until`: what is covered, in whole days; until None: up to now.

    `pooled`: more than one question variant is in it, named in `variants`. `held`: the period asked for has answers
    that no whole release holds yet. `suppressed`: too_few or suppressed; then every figure is None.
    """

    type: str
    n: int | None
    value: float | None
    low: float | None
    high: float | None
    confidence: float
    method: str
    mean: float | None
    mean_low: float | None
    mean_high: float | None
    distribution: tuple[tuple[int, int], ...]
    variants: tuple[int, ...]
    pooled: bool
    low_base: bool
    suppressed: str | None
    held: bool
    date_field: str
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Rate:
    """A share in per cent with its Wilson interval. `successes` None: not shown."""

    name: str
    successes: int | None
    n: int
    value: float | None
    low: float | None
    high: float | None
    confidence: float
    method: str
    low_base: bool
    suppressed: str | None
    date_field: str


@dataclass(frozen=True, slots=True)
class AccountCompleteness:
    """Until when everything X has of one account has been read; None: not once yet."""

    account: str
    complete_until: datetime | None


@dataclass(frozen=True, slots=True)
class Completeness:
    """The earliest of the accounts shown. `visible_until`: the embargo's end; None: answers show at once."""

    complete_until: datetime | None
    visible_until: datetime | None
    accounts: tuple[AccountCompleteness, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """The tiles. Counts of conversations are never hidden. A kind of card the filter leaves out is None."""

    since: datetime | None
    until: datetime | None
    ended: int
    delivered: int
    csat: Score | None
    nps: Score | None
    response_rate_of_delivered: Rate
    response_rate_of_ended: Rate
    comment_rate: Rate
    completeness: Completeness


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One day, week or month.

    `immature`: answers of it may still be missing; `response_immature`: customers may still answer.
    """

    label: str
    since: datetime
    until: datetime
    score: Score
    delivered: int
    response_rate: Rate
    immature: bool
    response_immature: bool


@dataclass(frozen=True, slots=True)
class Trend:
    """One kind of card over time; `total` is the summary above it."""

    type: str
    period: str
    zone: str
    points: tuple[TrendPoint, ...]
    total: Score


@dataclass(frozen=True, slots=True)
class BreakdownRow:
    """One group. `key` None: conversations without one."""

    key: str | int | None
    ended: int
    delivered: int
    score: Score
    response_rate: Rate


@dataclass(frozen=True, slots=True)
class Breakdown:
    """One kind of card by group. `ranked`: in the order of the score; otherwise of the name, on purpose."""

    type: str
    by: str
    ranked: bool
    rows: tuple[BreakdownRow, ...]
    total: Score


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides of one kind of card and whether the difference is more than chance; None where a side is hidden."""

    type: str
    a: Score
    b: Score
    change: Change | None


@dataclass(frozen=True, slots=True)
class Comparisons:
    """All kinds of card, and the response rates of both sides."""

    comparisons: tuple[Comparison, ...]
    response_rate_a: Rate
    response_rate_b: Rate
    response_rate_change: Change | None


@dataclass(frozen=True, slots=True)
class Reasoned:
    """So many conversations for this reason."""

    reason: str
    n: int


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """How many of a group's ended conversations were offered the card. Nothing here is made of answers.

    `decided` = ended without those still on their way (`pending`). `share` of `decided`, in per cent; `limit_low` and
    `limit_high` are the control limits around the share of all.
    """

    key: str | None
    ended: int
    pending: int
    decided: int
    offered: int
    unknown: int
    skipped: tuple[Reasoned, ...]
    failed: tuple[Reasoned, ...]
    share: float | None
    limit_low: float | None
    limit_high: float | None
    place: Place | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """All groups, and all of them together."""

    by: str
    rows: tuple[CoverageRow, ...]
    total: CoverageRow


@dataclass(frozen=True, slots=True)
class Funnel:
    """From ended to answered, of the same conversations. Counts of answers are None where too few to show."""

    ended: int
    pending: int
    skipped: tuple[Reasoned, ...]
    failed: tuple[Reasoned, ...]
    unknown: int
    delivered: int
    answered: int | None
    scored: int | None
    commented: int | None
    suppressed: str | None
