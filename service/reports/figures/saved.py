"""Answers a saved question as CSV: one figure, by the rules of readers of no rows.

Read as if it had just been asked: `last_days` ends now, and begins with a whole day as releases do; an account that has
left is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema
from sqlalchemy.engine import Engine

from service.auth.keys import Reader
from service.db import reading
from service.reports.counting.periods import PERIODS
from service.reports.dimensions import BY
from service.reports.figures.batch import WhichFigures, several
from service.reports.figures.csv_table import HEADS, as_csv
from service.reports.filters import FigureFilterSchema, Filter, from_values
from service.reports.query_values import WholeNumber, one_of_these
from service.reports.report_query import ReportQuery
from service.settings import Settings
from service.web.parameters import made
from service.web.validation_errors import refused

SPLIT = ("trend", "breakdown", "coverage")
LONGEST = validate.Range(min=1, max=3660, error="must be 1 to 3660")


class SavedSchema(FigureFilterSchema):
    """One figure, how it is split and filtered, as analysts may ask."""

    figure = one_of_these(tuple(HEADS), "Which figure", required=True)
    by = one_of_these(BY, "Dimension of a breakdown, a trend or coverage")
    period = fields.String(
        validate=validate.OneOf(PERIODS, error="must be day, week or month"),
        metadata={"description": "Length of each point of a trend. Default: week"},
    )
    last_days = WholeNumber("Cover this many whole days and today, instead of `since` and `until`", validate=LONGEST)

    @validates_schema
    def _fits(self, given: Mapping[str, Any], **_kwargs: Any) -> None:
        """Refuse what would be without effect."""
        figure = given.get("figure")
        if figure == "breakdown" and "by" not in given:
            raise ValidationError("is needed for a breakdown", "by")
        if "by" in given and figure not in SPLIT:
            raise ValidationError(f"is for {', '.join(SPLIT)}", "by")
        if "period" in given and figure != "trend":
            raise ValidationError("is for a trend", "period")
        if "last_days" in given and given.keys() & {"since", "until"}:
            raise ValidationError("or 'since' and 'until', not both", "last_days")


def demand(
    engine: Engine, settings: Settings, accounts: Sequence[str], question: Mapping[str, Any], now: datetime
) -> None:
    """Refuse what cannot be asked before anything is saved: a figure may take long, and no write may wait for it.

    Raises Invalid or NotAllowed.
    """
    whoever = Reader("feed", "whoever has the address", "analyst", tuple(accounts))
    with reading(engine) as connection:
        answer(ReportQuery(connection, settings, whoever, Filter(), now), question)


def answer(query: ReportQuery, question: Mapping[str, Any]) -> bytes:
    """Return a reader's answer as CSV. Raises Invalid or NotAllowed for what cannot be asked, or no longer."""
    try:
        asked: Mapping[str, Any] = made(SavedSchema).load(question)
    except ValidationError as error:
        raise refused(error.normalized_messages()) from error  # type: ignore[no-untyped-call]  # marshmallow's
    name: str = asked["figure"]
    wanted, which = query.filtered(_filter(asked, query)), _which(name, asked)
    found = several(wanted, which)
    if found.trend is not None and not found.trend.items:  # no group yet: what all together wait for
        found = several(wanted, replace(which, trend_by=None))
    return as_csv(name, found)


def _filter(asked: Mapping[str, Any], query: ReportQuery) -> Filter:
    begin: dict[str, Any] = {}
    if "last_days" in asked:
        begin["since"] = query.now.astimezone(query.zone).date() - timedelta(days=asked["last_days"])
    return from_values({**asked, **begin}, query.reader, query.settings)


def _which(name: str, asked: Mapping[str, Any]) -> WhichFigures:
    by: str | None = asked.get("by")
    return WhichFigures(
        names=(name,),
        by=(by,) if by is not None else (),
        trend_by=by,
        coverage_by=by or "agent",
        period=asked.get("period", "week"),
    )
