"""The wire format of reports: what clients may ask (unknown names are errors), and the fields answers are made of.

Names match the CSV and the dataclasses in `shapes`. Times are RFC 3339 in UTC with Z.
"""

import re
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from service.clock import rfc3339
from service.reports.counting.periods import PERIODS, SEVEN_DAYS
from service.reports.dimensions import BY, COVERED, FILTERED
from service.reports.figures.batch import FIGURES
from service.reports.filters import FigureFilterSchema, FilterSchema
from service.reports.query_values import (
    WRITE_SO,
    Moment,
    WholeNumber,
    Word,
    YesNo,
    known,
    one_of_these,
    which_is_needed,
)
from service.reports.rows.as_csv import SEPARATORS
from service.reports.rows.order import SORTS
from service.reports.rows.query import DEFAULT_LIMIT, MOST
from service.web.parameters import StrictSchema


class Time(fields.DateTime):
    """A moment as RFC 3339 in UTC with Z."""

    def _serialize(self, value: datetime | None, *_args: Any, **_kwargs: Any) -> str | None:
        return None if value is None else rfc3339(value)


def text(says: str, *, none: bool = False, **how: Any) -> fields.String:
    """A text; `none`: it may be null."""
    return fields.String(allow_none=none, metadata={"description": says}, **how)


def number(says: str) -> fields.Integer:
    """A whole number, strictly."""
    return fields.Integer(strict=True, metadata={"description": says})


def flag(says: str) -> fields.Boolean:
    """Yes or no."""
    return fields.Boolean(metadata={"description": says})


def time(says: str, *, none: bool = True) -> Time:
    """A moment that may be missing."""
    return Time(allow_none=none, metadata={"description": says})


# -- what is asked ---------------------------------------------------------------------------------------------------

LONGEST_WAIT_S = 30


def _limit(what: str, by_default: int = DEFAULT_LIMIT) -> WholeNumber:
    wrong = f"must be 1 to {MOST}"
    return WholeNumber(
        f"{what}, at most {MOST}", load_default=by_default, validate=validate.Range(min=1, max=MOST, error=wrong)
    )


def _cursor(says: str) -> fields.String:
    return text(f"{says} from an earlier response, unchanged", load_default="")


class PageSchema(FilterSchema):
    """A list's filters and its place."""

    limit = _limit("Rows per page")
    cursor = _cursor("A `next_cursor` or `resume_cursor`")
    sort = one_of_these(
        SORTS,
        "`updated_at` suits reading changes. `ended_at` never changes. Oldest first; prefix with a minus "
        "for newest first",
        load_default="updated_at",
    )


class Wait(fields.Field[int]):
    """How long to wait, in seconds: 30 or 30s."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> int:
        found = re.fullmatch(r"([0-9]{1,2})s?", str(value), re.ASCII)
        if found is None or int(found[1]) > LONGEST_WAIT_S:
            raise ValidationError(f"must be 0s to {LONGEST_WAIT_S}s")
        return int(found[1])


class ChangesSchema(StrictSchema):
    """Where to go on, and whether to wait."""

    cursor = text(
        "A `next_cursor` from an earlier response, unchanged. Without it the feed starts at the beginning",
        load_default="",
    )
    limit = _limit("Changes per response", MOST)
    wait = Wait(
        load_default=0,
        metadata={
            "type": "string",
            "pattern": "^([0-2]?[0-9]|30)s?$",
            "default": "0s",
            "description": f"How long to wait for a change, at most {LONGEST_WAIT_S}s. Two requests per process can "
            "wait at a time; others are answered immediately",
        },
    )


class ExportSchema(FilterSchema):
    """An export's filters and its form."""

    bom = YesNo("CSV: start the file with a byte order mark, for Excel", load_default=False)
    separator = text(
        "CSV: use semicolon where Excel's language has a decimal comma, such as German or French",
        load_default="comma",
        validate=validate.OneOf(tuple(SEPARATORS), error=f"must be {' or '.join(SEPARATORS)}"),
    )
    raw = YesNo(
        "CSV: write values unescaped, for programs. By default an apostrophe is inserted before "
        "anything that a spreadsheet would evaluate: =, @, or a sign that does not begin a number, at "
        "the start of a cell and after every separator or line break",
        load_default=False,
    )
    manifest = YesNo("Return the manifest of this export instead of its rows", load_default=False)


def _period() -> fields.String:
    """The pieces of a trend."""
    return text(
        "Length of each point. `seven_days` are weeks that end on the last day of the requested period",
        load_default="day",
        validate=validate.OneOf((*PERIODS, SEVEN_DAYS), error="must be day, week, month or seven_days"),
    )


class TrendSchema(FigureFilterSchema):
    """A trend's filters and its pieces."""

    period = _period()
    by = one_of_these(BY, "One series for each group of this dimension")
    zone = Word("IANA time zone of the days. Only supervisors and admins may choose one other than the service's")


class SeveralAskSchema(FigureFilterSchema):
    """Which figures, and how each is split."""

    figure = fields.List(
        fields.String(validate=known(FIGURES)),
        required=True,
        error_messages=which_is_needed(FIGURES),
        validate=validate.Length(1, len(FIGURES), error="must be 1 to {max} figures"),
        metadata={"description": "Which figures. May be repeated"},
    )
    by = fields.List(
        fields.String(validate=known(BY)),
        load_default=(),
        validate=validate.Length(max=len(BY), error="must be at most {max} dimensions"),
        metadata={"description": "Dimensions of the breakdowns. May be repeated"},
    )
    trend_by = one_of_these(BY, "Split the trend into one series for each group of this dimension")
    coverage_by = one_of_these(COVERED, "Dimension of coverage", load_default="agent")
    period = _period()
    zone = Word("As for the trend")


class BreakdownSchema(FigureFilterSchema):
    """A breakdown's filters and its dimension."""

    by = one_of_these(BY, "One row for each group of this dimension", required=True)


class CoverageAskSchema(FigureFilterSchema):
    """Coverage's filters and its dimension."""

    by = one_of_these(COVERED, "One row for each group of this dimension", load_default="agent")


class DifferencesSchema(BreakdownSchema):
    """Two periods of every group; without the other one, as many days just before."""

    and_by = one_of_these(BY, "Split groups by this second dimension as well. Only for keys that may list rows")
    other_since = Moment(f"Beginning of the earlier period. {WRITE_SO}")
    other_until = Moment("End of the earlier period (exclusive)")


class CompareSchema(FigureFilterSchema):
    """Two sides: another period, or two groups."""

    other_since = Moment(f"Beginning of the later period. {WRITE_SO}")
    other_until = Moment("End of the later period (exclusive)")
    by = one_of_these([each.name for each in FILTERED.values()], "Compare two groups, `a` and `b`, of this dimension")
    a = Word("With `by`: the first group to compare")
    b = Word("With `by`: the second group to compare")


class PlaceSchema(StrictSchema):
    """Where a list goes on."""

    limit = _limit("Lines per page")
    cursor = _cursor("A `next_cursor`")


class NewNoteSchema(StrictSchema):
    """A note to keep."""

    text = fields.String(
        required=True, metadata={"description": "1 to 4000 characters", "minLength": 1, "maxLength": 4000}
    )
