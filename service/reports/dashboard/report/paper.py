"""The report as a file: one self-contained HTML document, or a PDF of it.

WeasyPrint, an optional extra, makes the PDF: no browser is needed on a server, and nothing is fetched. It does not
apply the page's styles inside drawings, so each drawing carries its own, taken from the dashboard's style sheet. Fonts
are the system's.
"""

import importlib
import importlib.util
import logging
import re
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from service.errors import Invalid

STATIC = Path(__file__).parents[2] / "static"
PAPERS = ("A4", "Letter")
LIBRARY = "weasyprint"
MARKS = re.compile(r"^(?:\.chart|\.c-|circle\.c-)[^{\n]*\{[^}]*\}", re.MULTILINE)
ON_PAPER = re.compile(r"@media print \{\s*:root \{(.*?)\}", re.DOTALL)
FIRST_ROOT = re.compile(r"^:root \{(.*?)^\}", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"(--[\w-]+)\s*:\s*([^;]+);")
VALUE = re.compile(r"var\((--[\w-]+)\)")


def document(page: Markup, title: str, paper: str = "A4") -> str:
    """Return the page as a document of its own."""
    style = (STATIC / "report.css").read_text("utf-8")
    root = " ".join(f"{name}: {value};" for name, value in _names().items())
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>"
        f"<style>@page {{ size: {paper}; }} :root {{ {root} }} {style}</style>"
    )
    body = str(page).replace("</svg>", f"<style>{_marks()}</style></svg>")
    inside = f'<head>{head}</head><body class="on-paper"><main>{body}</main></body>'
    return f'<!doctype html>\n<html lang="en">{inside}</html>\n'


def can_make_pdf() -> bool:
    """Whether the extra is installed."""
    return importlib.util.find_spec(LIBRARY) is not None


def size_of(given: str) -> str:
    """Return a paper size; A4 by default. Raises Invalid."""
    if given and given not in PAPERS:
        raise Invalid("unknown_paper", f"Paper is {' or '.join(PAPERS)}.")
    return given or PAPERS[0]


def pdf(document: str) -> bytes:
    """Return a PDF of a document. Raises Invalid if the extra is not installed."""
    try:
        weasyprint = importlib.import_module(LIBRARY)
    except (ImportError, OSError) as error:  # OSError: Pango, which it draws text with, is not on the system
        raise Invalid(
            "format_not_installed",
            "A PDF needs the extra 'pdf' (pip install 'dm-feedback[pdf]', in a checkout '.[pdf]') and the system's "
            "Pango; or write a .html and print it from a browser.",
        ) from error
    logging.getLogger(LIBRARY).setLevel(logging.ERROR)  # it warns of every style that is for screens
    made: bytes = weasyprint.HTML(string=document, url_fetcher=nothing, base_url=None).write_pdf()
    return made


def nothing(url: str, *_args: Any, **_kwargs: Any) -> Any:
    """Raise ValueError: a report needs nothing from anywhere."""
    raise ValueError(f"a report fetches nothing, not even {url[:80]}")


@cache
def _marks() -> str:
    """The styles of drawings, with the colours they have on paper."""
    names = _names()
    rules = " ".join(MARKS.findall(_dashboard()))
    return VALUE.sub(lambda found: names[found[1]], rules).replace("\n", " ")


@cache
def _names() -> dict[str, str]:
    """The style sheet's variables for colours and fonts on paper."""
    found = _dashboard()
    first, paper = FIRST_ROOT.search(found), ON_PAPER.search(found)
    assert first is not None and paper is not None, "the style sheet names its colours, and those on paper"  # noqa: PT018
    return {name: " ".join(value.split()) for part in (first, paper) for name, value in NAMED.findall(part[1])}


@cache
def _dashboard() -> str:
    return (STATIC / "dashboard.css").read_text("utf-8")
