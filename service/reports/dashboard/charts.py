"""Draws figures as SVG text, for pages that allow no inline style and no script.

Every chart is one picture with a title and a description for those who cannot see it, text beside the marks, and a
pattern or shape wherever colour has a meaning. Colours come from the style sheet by class: `c-pos` `c-mid` `c-neg`
(fills: blue, grey, orange), `c-band` `c-n` `c-dot` (fills), `c-line` `c-axis` `c-ink` (strokes; `c-ink` draws the
patterns). Text is `c-text`, `c-small` where secondary. The style sheet must not fill `c-hatch`: that is the pattern.
Drawn 360 wide, so that text is readable on a phone; the page scales it up. Decides nothing about what may be shown: a
figure that is None is a gap and says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from service.reports.dashboard.svg import WIDTH, Caption, Scale, svg, tag, text
from service.reports.dashboard.words import figure
from service.reports.statistics.statistics import CLASSES

RIGHT = 352
NPS_LABELS = {"Detractors (0 to 6)": "c-neg", "Passives (7 and 8)": "c-mid", "Promoters (9 and 10)": "c-pos"}
FILLS = {"nps": tuple(NPS_LABELS.values()), "csat": ("c-neg", "c-pos")}
"""Of each class of scores."""


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """One step of the way from ended to answered."""

    label: str
    n: int


def stacked_nps(counts: Sequence[int], caption: Caption) -> Markup:
    """One bar of detractors, passives and promoters, each named below with its count and share."""
    body, x, total = [], 4.0, sum(counts)
    for index, ((label, kind), count) in enumerate(zip(NPS_LABELS.items(), counts, strict=True)):
        width = (WIDTH - 8) * count / total
        body.append(_block(x, 8, width, 26, kind, caption))
        body.append(_block(4, 44 + 20 * index, 14, 14, kind, caption))
        body.append(text(24, 56 + 20 * index, f"{label}: {count:,} ({figure(100 * count / total, total)} %)"))
        x += width
    return svg(caption, 106, body)


def distribution_bars(counts: Mapping[int, int], type: str, caption: Caption) -> Markup:
    """One bar per score of the scale, its count above and its score below."""
    kinds = {score: fill for scores, fill in zip(CLASSES[type], FILLS[type], strict=True) for score in scores}
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


def funnel(steps: Sequence[FunnelStep], caption: Caption) -> Markup:
    """A bar per step, as long as its share of the first, with its share of the step before."""
    first = max(1, *(step.n for step in steps)) if steps else 1
    length = Scale(0, first, 0, WIDTH - 8)
    body = []
    for index, step in enumerate(steps):
        before = steps[index - 1].n if index else 0
        share = f" ({figure(100 * step.n / before, before)} % of the step before)" if before else ""
        body.append(text(4, 38 * index + 14, step.label))
        body.append(text(RIGHT, 38 * index + 14, f"{step.n:,}{share}", "c-small", "end"))
        body.append(tag("rect", x=4, y=38 * index + 20, width=length.at(step.n), height=12, class_="c-n"))
    return svg(caption, 38 * max(1, len(steps)), body)


def _block(x: float, y: float, width: float, height: float, kind: str, caption: Caption) -> Markup:
    """A filled rectangle with a pattern over it, to be distinguishable without colour."""
    place = {"x": x, "y": y, "width": width, "height": height}
    pattern = f"url(#{caption.ident}-{kind.removeprefix('c-')})"
    return tag("g", tag("rect", **place, class_=kind), tag("rect", **place, fill=pattern, class_="c-hatch"))
