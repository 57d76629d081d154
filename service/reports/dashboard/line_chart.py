"""A figure over time as one drawing: score, interval and n per period. Calculates nothing.

One axis. The last value is labelled; below each period stands n, or why there is no point: 0, or too few. Periods still
filling are joined by dashes, and a line with a flag marks where the question changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from service.humanize import many
from service.reports.dashboard.svg import WIDTH, Caption, Scale, clean, place, svg, tag, text
from service.reports.dashboard.words import MINUS, count, number

LEFT, RIGHT = 52, 322
TOP, BOTTOM = 16, 116
MOST_LABELS = 4
DIGITS_BESIDE = 4
ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class PeriodPoint:
    """One period. `shown` is its value as the page writes it; value None: a gap. `fills`: why it is incomplete."""

    label: str
    n: int | None
    value: float | None
    low: float | None
    high: float | None
    shown: str
    fills: str = ""
    note: str = ""


def over_time(moments: Sequence[PeriodPoint], caption: Caption, low: float, high: float) -> Markup:
    """Draw the line of a figure with its interval, the last value beside it."""
    y = Scale(low, high, BOTTOM, TOP)
    step = (RIGHT - LEFT) / max(1, len(moments))
    places = [LEFT + step * (index + 0.5) for index in range(len(moments))]
    pairs = list(zip(places, moments, strict=True))
    body = [
        *(_level(value, y) for value in (low, (low + high) / 2, high)),
        *(_note(x, moment) for x, moment in pairs if moment.note),
        *(_band(x, moment, y, step) for x, moment in pairs),
        *(_joined(one, two, y) for one, two in pairwise(pairs)),
        *(_dot(x, moment, y, last=moment is moments[-1]) for x, moment in pairs),
        *_below(pairs),
    ]
    return svg(caption, 158, body)


def _level(value: float, y: Scale) -> Markup:
    line = tag("line", x1=LEFT, x2=RIGHT, y1=y.at(value), y2=y.at(value), class_="c-axis")
    return tag("g", line, text(LEFT - 5, y.at(value) + 4, f"{value:g}".replace("-", MINUS), "c-small", "end"))


def _note(x: float, moment: PeriodPoint) -> Markup:
    line = tag("line", x1=x, x2=x, y1=TOP - 6, y2=BOTTOM, class_="c-event")
    flag = tag("path", d=f"M{place(x)},{TOP - 12} l8,3 l-8,3 z", class_="c-flag")
    return tag("g", tag("title", clean(f"{moment.label}: {moment.note}")), line, flag)


def _band(x: float, moment: PeriodPoint, y: Scale, step: float) -> Markup:
    """The interval of one period, half a period wide: beside its neighbours they read as one band."""
    if moment.low is None or moment.high is None:
        return Markup("")
    top, width = y.at(moment.high), min(step * 0.55, 16)
    return tag("rect", x=x - width / 2, y=top, width=width, height=y.at(moment.low) - top, rx=2, class_="c-band")


def _joined(one: tuple[float, PeriodPoint], two: tuple[float, PeriodPoint], y: Scale) -> Markup:
    """A line between neighbours that both have a value; across a gap it would invent the middle."""
    (x1, a), (x2, b) = one, two
    if a.value is None or b.value is None:
        return Markup("")
    kind = "c-line c-dashed" if b.fills else "c-line"
    return tag("line", x1=x1, y1=y.at(a.value), x2=x2, y2=y.at(b.value), class_=kind)


def _dot(x: float, moment: PeriodPoint, y: Scale, *, last: bool) -> Markup:
    if moment.value is None:
        return Markup("")
    says = f"{moment.label}: {moment.shown}{_bounds(moment)}{'' if moment.n is None else f', {many(moment.n, ANSWER)}'}"
    dot = tag("circle", cx=x, cy=y.at(moment.value), r=4 if last else 2.6, class_="c-dot")
    words = [text(x + 9, y.at(moment.value) + 4, moment.shown, "c-last")] if last else []
    return tag("g", tag("title", clean(says + (f", {moment.fills}" if moment.fills else ""))), dot, *words)


def _bounds(moment: PeriodPoint) -> str:
    if moment.low is None or moment.high is None:
        return ""
    return f" ({number(moment.low, 0)} to {number(moment.high, 0)})"


def _below(pairs: Sequence[tuple[float, PeriodPoint]]) -> list[Markup]:
    """Period and n below every k-th point, counted from the last, which one looks for first."""
    every = -(-len(pairs) // MOST_LABELS) or 1
    chosen = pairs[::-1][::every]
    found = [text(0, 136, "answers", "c-small")]
    for x, moment in chosen:
        found.append(text(x, 136, count(moment.n), "c-small", "middle"))
        found.append(text(x, 153, moment.label, "c-small", "middle"))
    return found


assert RIGHT + 9 + DIGITS_BESIDE * 7 <= WIDTH, "the last value has room"
