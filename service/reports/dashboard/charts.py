"""Figures in, drawings out: SVG as text, for a page that allows no inline style and no script.

Every chart is one picture with a title and a description for those who do not see it, text beside the marks, and a
pattern or shape wherever colour means something. Colours come from the stylesheet by class: `c-pos` `c-mid` `c-neg`
(fills: blue, grey, orange), `c-band` `c-n` `c-dot` `c-hole` (fill: the paper) `c-shade` (fills), `c-line` `c-axis`
`c-ink` (strokes; `c-ink` draws the patterns). Text is `c-text`, `c-small` where secondary. The stylesheet must give
no fill to `c-hatch`: that is the pattern. Drawn 360 wide, so that text is readable on a phone; the page scales it up.
Nothing here decides what may be shown: a figure that is None is a gap, and says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from service.reports.dashboard.svg import WIDTH, Caption, Scale, clean, place, svg, tag, text
from service.reports.statistics.statistics import CSAT_SCALE, NPS_SCALE

LEFT, RIGHT = 34, 352
LABELS_ON_AXIS = 6
LONGEST_NAME = 24
KIND_OF_SCORE = {
    "nps": {score: "c-neg" if score <= 6 else "c-mid" if score <= 8 else "c-pos" for score in NPS_SCALE},  # noqa: PLR2004 - the card's own classes
    "csat": {score: "c-neg" if score <= 3 else "c-pos" for score in CSAT_SCALE},  # noqa: PLR2004 - the card's own classes
}


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """One period. value None: suppressed or no answers, a gap. n None: not to be told."""

    label: str
    n: int | None
    value: float | None
    low: float | None
    high: float | None
    immature: bool = False


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One team or agent. value None: too few answers to show."""

    label: str
    n: int | None
    value: float | None
    low: float | None
    high: float | None
    low_base: bool = False


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """One step of the way from ended to answered."""

    label: str
    n: int


def trend(points: Sequence[ChartPoint], caption: Caption, low: float = -100, high: float = 100) -> Markup:
    """Line with its interval band, n as bars below; unfinished periods shaded, hidden ones left as gaps."""
    y = Scale(low, high, 150, 12)
    step = (RIGHT - LEFT) / max(1, len(points))
    places = [LEFT + step * (index + 0.5) for index in range(len(points))]
    marks = [_trend_mark(point, x, y) for point, x in zip(points, places, strict=True)]
    body = [
        *(_shade(x, step, caption) for point, x in zip(points, places, strict=True) if point.immature),
        *(_level(value, y) for value in (low, (low + high) / 2, high)),
        *(_stretch(run, y) for run in _runs(points, places)),
        *marks,
        text(LEFT - 4, 196, "n", "c-small", "end"),
        *_n_bars(points, places, step),
        *_axis_labels(points, places),
    ]
    legend = "shaded: still filling" if any(point.immature for point in points) else ""
    return svg(caption, 232, [*body, text(LEFT, 228, legend, "c-small")] if legend else body)


def stacked_nps(detractors: int, passives: int, promoters: int, caption: Caption) -> Markup:
    """One bar of three parts, each named below with its count and share."""
    parts = [
        ("Detractors (0-6)", detractors, "c-neg"),
        ("Passives (7-8)", passives, "c-mid"),
        ("Promoters (9-10)", promoters, "c-pos"),
    ]
    total = detractors + passives + promoters
    if not total:
        return svg(caption, 40, [text(4, 24, "No answers")])
    body, x = [], 4.0
    for index, (label, count, kind) in enumerate(parts):
        width = (WIDTH - 8) * count / total
        body.append(_block(x, 8, width, 26, kind, caption))
        body.append(_block(4, 44 + 20 * index, 14, 14, kind, caption))
        body.append(text(24, 56 + 20 * index, f"{label}: {count:,} ({100 * count / total:.1f} %)"))
        x += width
    return svg(caption, 106, body)


def distribution_bars(counts: Mapping[int, int], type: Literal["nps", "csat"], caption: Caption) -> Markup:
    """One bar per score of the scale, its count above and its score below."""
    kinds = KIND_OF_SCORE[type]
    tallest = max(1, *(counts.get(score, 0) for score in kinds))
    height = Scale(0, tallest, 0, 100)
    step = (WIDTH - 8) / len(kinds)
    body = []
    for index, (score, kind) in enumerate(kinds.items()):
        count = counts.get(score, 0)
        x, tall = 4 + step * index, height.at(count)
        body.append(_block(x + 2, 120 - tall, step - 4, tall, kind, caption))
        body.append(text(x + step / 2, 115 - tall, f"{count:,}", "c-small", "middle"))
        body.append(text(x + step / 2, 136, str(score), "c-text", "middle"))
    return svg(caption, 142, body)


def interval_rows(rows: Sequence[IntervalRow], caption: Caption, low: float = -100, high: float = 100) -> Markup:
    """Dot and interval of each group on one scale, so that overlap is seen. A hollow dot is a low base."""
    x = Scale(low, high, 6, RIGHT)
    bottom = 38 * len(rows) + 6
    body = [_upright(value, x, bottom) for value in (low, (low + high) / 2, high)]
    for index, row in enumerate(rows):
        body.append(_interval_row(row, 38 * index, x))
    return svg(caption, bottom + 16, body)


def funnel(steps: Sequence[FunnelStep], caption: Caption) -> Markup:
    """A bar per step, as long as its share of the first, with its share of the step before."""
    first = max(1, *(step.n for step in steps)) if steps else 1
    length = Scale(0, first, 0, WIDTH - 8)
    body = []
    for index, step in enumerate(steps):
        before = steps[index - 1].n if index else 0
        share = f" ({100 * step.n / before:.1f} % of the step before)" if before else ""
        body.append(_label(4, 38 * index + 14, step.label, f"{step.n:,}{share}"))
        body.append(tag("rect", x=4, y=38 * index + 20, width=length.at(step.n), height=12, class_="c-n"))
    return svg(caption, 38 * max(1, len(steps)), body)


def _trend_mark(point: ChartPoint, x: float, y: Scale) -> Markup:
    if point.value is None:
        says = f"{point.label}: {'no answers' if point.n == 0 else 'too few answers to show'}"
        return tag("g", tag("title", clean(says)), text(x, 156, "\u00d7", "c-small", "middle"))
    says = f"{point.label}: {_number(point.value)}{_bounds(point.low, point.high)}{_of(point.n)}"
    dot = tag("circle", cx=x, cy=y.at(point.value), r=3, class_="c-dot")
    return tag("g", tag("title", clean(says + (", still filling" if point.immature else ""))), dot)


def _runs(points: Sequence[ChartPoint], places: Sequence[float]) -> list[list[tuple[float, ChartPoint]]]:
    """Neighbouring points that are shown: a line across a gap would invent the middle."""
    runs: list[list[tuple[float, ChartPoint]]] = [[]]
    for x, point in zip(places, points, strict=True):
        if point.value is None:
            runs.append([])
        else:
            runs[-1].append((x, point))
    return [run for run in runs if run]


def _stretch(run: Sequence[tuple[float, ChartPoint]], y: Scale) -> Markup:
    """Band and line of one run; a single point has a bar for a band."""
    upper = [(x, y.at(point.high)) for x, point in run if point.high is not None]
    lower = [(x, y.at(point.low)) for x, point in run if point.low is not None]
    line = [(x, y.at(point.value)) for x, point in run if point.value is not None]
    if len(run) == 1 and upper and lower:
        (x, top), (_, bottom) = upper[0], lower[0]
        return tag("rect", x=x - 3, y=top, width=6, height=bottom - top, class_="c-band")
    band = tag("polygon", points=_path(upper + lower[::-1]), class_="c-band")
    return tag("g", band, tag("polyline", points=_path(line), fill="none", class_="c-line"))


def _path(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{place(x)},{place(y)}" for x, y in places)


def _n_bars(points: Sequence[ChartPoint], places: Sequence[float], step: float) -> list[Markup]:
    height = Scale(0, max([1, *(point.n or 0 for point in points)]), 0, 30)
    return [
        tag("rect", x=x - step * 0.35, y=196 - height.at(n), width=step * 0.7, height=height.at(n), class_="c-n")
        for x, n in ((x, point.n or 0) for point, x in zip(points, places, strict=True))
    ]


def _axis_labels(points: Sequence[ChartPoint], places: Sequence[float]) -> list[Markup]:
    """Period and n under every k-th point, as many as there is room for."""
    every = -(-len(points) // LABELS_ON_AXIS) or 1
    chosen = list(zip(points, places, strict=True))[::every]
    below = [text(x, 214, _short(point.label, 9), "c-small", "middle") for point, x in chosen]
    return below + [text(x, 204, f"{point.n:,}", "c-small", "middle") for point, x in chosen if point.n is not None]


def _shade(x: float, step: float, caption: Caption) -> Markup:
    place = {"x": x - step / 2, "y": 12, "width": step, "height": 138}
    hatch = tag("rect", **place, fill=f"url(#{caption.ident}-open)", class_="c-hatch")
    return tag("g", tag("rect", **place, class_="c-shade"), hatch)


def _level(value: float, y: Scale) -> Markup:
    line = tag("line", x1=LEFT, x2=RIGHT, y1=y.at(value), y2=y.at(value), class_="c-axis")
    return tag("g", line, text(LEFT - 4, y.at(value) + 4, f"{value:g}", "c-small", "end"))


def _upright(value: float, x: Scale, bottom: float) -> Markup:
    line = tag("line", x1=x.at(value), x2=x.at(value), y1=0, y2=bottom, class_="c-axis")
    anchor = "start" if value == x.low else "end" if value == x.high else "middle"
    return tag("g", line, text(x.at(value), bottom + 12, f"{value:g}", "c-small", anchor))


def _interval_row(row: IntervalRow, top: float, x: Scale) -> Markup:
    if row.value is None or row.low is None or row.high is None:
        why = "no answers" if row.n == 0 else "too few answers to show"
        return tag("g", _label(10, top + 14, row.label, why))
    says = f"{_number(row.value)}{_bounds(row.low, row.high)}{_of(row.n)}{', low base' if row.low_base else ''}"
    middle = top + 26
    line = tag("line", x1=x.at(row.low), x2=x.at(row.high), y1=middle, y2=middle, class_="c-line")
    ends = [
        tag("line", x1=x.at(end), x2=x.at(end), y1=middle - 4, y2=middle + 4, class_="c-line")
        for end in (row.low, row.high)
    ]
    dot = tag("circle", cx=x.at(row.value), cy=middle, r=4.5, class_="c-dot c-hollow" if row.low_base else "c-dot")
    inner = [tag("circle", cx=x.at(row.value), cy=middle, r=2, class_="c-hole")] if row.low_base else []
    return tag("g", _label(10, top + 14, row.label, says), line, *ends, dot, *inner)


def _label(x: float, y: float, name: str, says: str) -> Markup:
    """A name on the left, shortened to fit, what is said about it on the right, and both in full on hover."""
    words = (text(x, y, _short(name, LONGEST_NAME)), text(RIGHT, y, says, "c-small", "end"))
    return tag("g", tag("title", clean(f"{name}: {says}")), *words)


def _number(value: float) -> str:
    return f"{value:.1f}"


def _bounds(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({_number(low)} to {_number(high)})"


def _of(n: int | None) -> str:
    return "" if n is None else f", n {n:,}"


def _short(words: str, room: int) -> str:
    return words if len(words) <= room else words[: room - 1] + "\u2026"


def _block(x: float, y: float, width: float, height: float, kind: str, caption: Caption) -> Markup:
    """A filled rectangle with its pattern over it, so that it is told apart without colour."""
    place = {"x": x, "y": y, "width": width, "height": height}
    pattern = f"url(#{caption.ident}-{kind.removeprefix('c-')})"
    return tag("g", tag("rect", **place, class_=kind), tag("rect", **place, fill=pattern, class_="c-hatch"))
