"""The question page as one HTML document, and the content security policy that goes with it.

The document is all a browser needs: its style is inside, allowed by digest; nothing else may run or load except the
business's logo. Knows no web framework, so a preview draws exactly what a customer sees.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup

from service.results.page.branding import NOBODY, Sender
from service.results.page.question import Question
from service.results.page.token_lookup import AnsweredParts
from service.ways.catalogue import Language

TEMPLATES = Path(__file__).parent / "templates"
LOGOS = "/f/logo/"


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """A document in UTF-8 text, its language, and its Content-Security-Policy."""

    html: str
    language: str
    policy: str


@dataclass(frozen=True, slots=True)
class PageState:
    """What else is on the page. `notice`: good news; `mistake`: what to correct; `draft`: typed so far."""

    said: AnsweredParts
    privacy_url: str
    notice: str = ""
    mistake: str = ""
    draft: str = ""


def question_page(whose: Sender, question: Question, shown: PageState, language: Language) -> RenderedPage:
    """Draw the question, or what was answered and what may still be added."""
    return _drawn("page_question.html", whose, language, {"question": question, "shown": shown})


def plain_page(title: str, sentence: str, language: Language) -> RenderedPage:
    """Draw a page that asks nothing and is nobody's in particular."""
    return _drawn("page_plain.html", NOBODY, language, {"title": title, "sentence": sentence})


def _drawn(template: str, whose: Sender, language: Language, values: Mapping[str, object]) -> RenderedPage:
    style = _style().replace("ON_LIGHT", whose.on_light).replace("ON_DARK", whose.on_dark)
    html = (
        _templates()
        .get_template(template)
        .render(language=language, style=Markup(style), sender=whose, logos=LOGOS, **values)  # noqa: S704 - our own file, colours we computed
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return RenderedPage(html, language.code, policy)


@cache
def _style() -> str:
    return (TEMPLATES / "page.css").read_text("utf-8").strip()


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
