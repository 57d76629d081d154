"""What then and now look like when they leave: one declaration per field, as in `shapes`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from service.reports.dimensions import Value
from service.reports.figures.shapes import CALLED, DIMENSION, JUDGED, KIND, RATE_JUDGED, Rate, Score
from service.reports.statistics.judging import Judgement
from service.reports.statistics.statistics import Change, Place


@dataclass(frozen=True, slots=True)
class ThenNow:
    """One group, then and now."""

    key: Annotated[Value, "The group. null: conversations without one, or see `rest`"]
    and_key: Annotated[
        Value, "The group of the second dimension. null: only one dimension was requested, or conversations without one"
    ]
    rest: Annotated[str | None, "As in a breakdown"]
    of: Annotated[str | None, "As in a breakdown"]
    then: Score
    now: Score
    change: Annotated[Change | None, "Change from the earlier period to the later one. null if either has no value"]
    judgement: Annotated[Judgement, JUDGED]
    limit_low: Annotated[float | None, "Lower limit: by chance alone, a group with this many answers stays above it"]
    limit_high: Annotated[float | None, "Upper limit: by chance alone, a group with this many answers stays below it"]
    place: Annotated[Place | None, "Whether the later value is below, inside or above these limits"]
    response_then: Rate
    response_now: Rate
    response_change: Annotated[
        Change | None, "Change from the earlier period to the later one. null if either has no value"
    ]
    response_judgement: Annotated[Judgement, RATE_JUDGED]
    name: Annotated[str | None, CALLED] = None
    and_name: Annotated[str | None, "Name of the group of the second dimension"] = None


@dataclass(frozen=True, slots=True)
class Differences:
    """One kind of card by group, two periods side by side.

    Outside the limits first, then by score; by name where a group has too few answers for a ranking.
    """

    type: Annotated[str, KIND]
    by: Annotated[str, DIMENSION]
    and_by: Annotated[str | None, "The second dimension"]
    earlier_since: Annotated[datetime, "Beginning of the earlier period"]
    earlier_until: Annotated[datetime, "End of the earlier period (exclusive)"]
    since: Annotated[datetime, "Beginning of the later period"]
    until: Annotated[datetime, "End of the later period (exclusive)"]
    smallest: Annotated[float, "The smallest difference that matters, in points"]
    rows: tuple[ThenNow, ...]
    total: ThenNow


@dataclass(frozen=True, slots=True)
class DifferenceTables:
    """One table a kind of card."""

    items: tuple[Differences, ...]
