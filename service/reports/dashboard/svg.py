"""SVG elements as escaped text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH = 360
UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Caption:
    """`ident` is unique on the page and made by us (letters, digits, hyphens); the words may be anybody's."""

    ident: str
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from figures to places in the drawing."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Place of a figure; outside figures stay at the edge."""
        inside = max(self.low, min(self.high, value))
        return self.begin + (self.end - self.begin) * (inside - self.low) / (self.high - self.low)


def _patterns(caption: Caption) -> Markup:
    """Negative: diagonals. Middle: dots. Positive: nothing over the colour."""
    slash = tag("path", d="M0,6 L6,0", fill="none", class_="c-ink")
    dot = tag("circle", cx=3, cy=3, r=1, class_="c-ink")
    tiles = {"neg": [slash], "mid": [dot], "pos": []}
    return tag(
        "defs",
        *(
            tag("pattern", *marks, id=f"{caption.ident}-{kind}", width=6, height=6, patternUnits="userSpaceOnUse")
            for kind, marks in tiles.items()
        ),
    )


def svg(caption: Caption, height: float, body: Sequence[Markup]) -> Markup:
    """One picture, with a title and a description for those who cannot see it."""
    title, desc = f"{caption.ident}-title", f"{caption.ident}-desc"
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", caption.ident):
        raise ValueError("a chart's id is ours to choose: letters, digits and hyphens")
    return tag(
        "svg",
        tag("title", clean(caption.title), id=title),
        tag("desc", clean(caption.description), id=desc),
        _patterns(caption),
        *body,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {place(height)}",
        role="img",
        class_="chart",
        aria_labelledby=f"{title} {desc}",
    )


def text(x: float, y: float, words: str, kind: str = "c-text", anchor: str = "start") -> Markup:
    """Words beside a mark; `c-small` is secondary."""
    size = 13 if kind == "c-text" else 11.5  # on paper; screens have sizes of their own
    return tag("text", clean(words), x=x, y=y, class_=kind, text_anchor=anchor, font_size=size)


def clean(words: str) -> str:
    """Remove characters XML does not allow: one would make the whole drawing vanish."""
    return UNPRINTABLE.sub("\ufffd", words)


def tag(name: str, *children: str, **attributes: str | float) -> Markup:
    """One element, with a name of ours. Children that are plain text, and all attributes, are escaped."""
    named = ((key.rstrip("_").replace("_", "-"), escape(place(value))) for key, value in attributes.items())
    written = "".join(f' {key}="{value}"' for key, value in named)
    # not put together by Markup, which would look at each of a page's thousand parts again
    return Markup(f"<{name}{written}>{''.join(map(escape, children))}</{name}>")  # noqa: S704 - escaped above


def place(value: str | float) -> str:
    """A number as short as it can be."""
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
