"""Many groups at once as a funnel plot: each group's answers and score against the limits of chance.

Few answers scatter widely, many hardly, so the limits narrow to the right. Groups outside are named and drawn apart;
the others are dots, because chance explains the differences between them. The table below has every number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from service.reports.dashboard.svg import WIDTH, Caption, Scale, clean, place, svg, tag, text
from service.reports.dashboard.words import MINUS

LEFT, RIGHT, TOP, BOTTOM = 34, 352, 12, 150
MOST_NAMES = 6


@dataclass(frozen=True, slots=True)
class Spot:
    """One group."""

    name: str
    n: int
    value: float
    shown: str
    limit_low: float
    limit_high: float
    outside: bool


def funnel_plot(spots: Sequence[Spot], of_all: float, caption: Caption, low: float, high: float) -> Markup:
    """Draw them over their number of answers."""
    x, y = Scale(0, max(spot.n for spot in spots) * 1.05, LEFT, RIGHT), Scale(low, high, BOTTOM, TOP)
    ordered = sorted(spots, key=lambda spot: spot.n)
    upper = [(x.at(spot.n), y.at(spot.limit_high)) for spot in ordered]
    lower = [(x.at(spot.n), y.at(spot.limit_low)) for spot in ordered]
    body = [
        tag("polygon", points=_path([*upper, *lower[::-1]]), class_="c-chance"),
        tag("line", x1=LEFT, x2=RIGHT, y1=y.at(of_all), y2=y.at(of_all), class_="c-all"),
        *(_level(value, y) for value in (low, (low + high) / 2, high)),
        *(_spot(spot, x, y) for spot in ordered),
        *(_name(spot, x, y) for spot in [each for each in spots if each.outside][:MOST_NAMES]),
        text(RIGHT, 166, f"answers: up to {ordered[-1].n:,}", "c-small", "end"),
    ]
    return svg(caption, 172, body)


def _spot(spot: Spot, x: Scale, y: Scale) -> Markup:
    says = tag("title", clean(f"{spot.name}: {spot.shown} of {spot.n:,}"))
    kind = "c-dot c-out" if spot.outside else "c-dot"
    return tag("g", says, tag("circle", cx=x.at(spot.n), cy=y.at(spot.value), r=5 if spot.outside else 3, class_=kind))


def _name(spot: Spot, x: Scale, y: Scale) -> Markup:
    end = x.at(spot.n) > WIDTH / 2
    beside = x.at(spot.n) + (-9 if end else 9)
    return text(beside, y.at(spot.value) + 4, spot.name, "c-small", "end" if end else "start")


def _level(value: float, y: Scale) -> Markup:
    return text(LEFT - 5, y.at(value) + 4, f"{value:g}".replace("-", MINUS), "c-small", "end")


def _path(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{place(x)},{place(y)}" for x, y in places)
