"""Small drawings inside a table row: a group's value and interval, what it was before, and the limits of chance.

All rows of a table share one scale and one line for the overall value. Chance is a wide pale band, an interval a thin
line with a dot, the previous value a ring. The cells beside it say the same in words, so the strip is hidden from
screen readers.
"""

from dataclasses import dataclass

from markupsafe import Markup

from service.reports.dashboard.svg import Scale, place, tag

WIDE, HIGH = 200, 24
MIDDLE = HIGH / 2


@dataclass(frozen=True, slots=True)
class Strip:
    """One row. None: not told. `outside`: beyond the limits of chance, and worth a look."""

    value: float | None
    low: float | None
    high: float | None
    then: float | None = None
    limit_low: float | None = None
    limit_high: float | None = None
    outside: bool = False


def strip(row: Strip, of_all: float | None, low: float, high: float) -> Markup:
    """Draw one row on the scale of its table."""
    x = Scale(low, high, 4, WIDE - 4)
    body = [*_band(row, x), *_line_of_all(of_all, x), *_then(row, x), *_now(row, x)]
    return tag(
        "svg",
        *body,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {place(WIDE)} {place(HIGH)}",
        class_="strip",
        aria_hidden="true",
        focusable="false",
    )


def _band(row: Strip, x: Scale) -> list[Markup]:
    if row.limit_low is None or row.limit_high is None:
        return []
    begin, end = x.at(row.limit_low), x.at(row.limit_high)
    return [tag("rect", x=begin, y=1, width=max(1, end - begin), height=HIGH - 2, class_="c-chance")]


def _line_of_all(of_all: float | None, x: Scale) -> list[Markup]:
    if of_all is None:
        return []
    return [tag("line", x1=x.at(of_all), x2=x.at(of_all), y1=0, y2=HIGH, class_="c-all")]


def _then(row: Strip, x: Scale) -> list[Markup]:
    return [] if row.then is None else [tag("circle", cx=x.at(row.then), cy=MIDDLE, r=4, class_="c-then")]


def _now(row: Strip, x: Scale) -> list[Markup]:
    if row.value is None or row.low is None or row.high is None:
        return []
    kind = " c-out" if row.outside else ""
    line = tag("line", x1=x.at(row.low), x2=x.at(row.high), y1=MIDDLE, y2=MIDDLE, class_=f"c-interval{kind}")
    return [line, tag("circle", cx=x.at(row.value), cy=MIDDLE, r=4.5, class_=f"c-dot{kind}")]
