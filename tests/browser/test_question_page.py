"""The question page in a real browser: keyboard only, without scripts, at 320 and 1280 px, in both directions."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page
from sqlalchemy.engine import Engine

from service.app import create_app
from service.db import open_engine, reading, writing
from service.models import feedback_request, result
from service.ways.links import Links, hash_of
from tests.browser.conftest import PATIENCE_MS, Artefacts
from tests.browser.test_looks import violations
from tests.serving import served
from tests.support import Clock, request_row, settings_of

ASKED = {
    "state": "card_sent",
    "way": "page",
    "campaign": "care",
    "question_variant_id": 0,
    "privacy_url": "https://p.example",
}


@dataclass
class Asking:
    """The service on a socket, with question pages."""

    engine: Engine
    url: str
    clock: Clock
    key: str

    def link(self, kind: str = "csat", language: str | None = None) -> str:
        row = request_row(self.clock.now, conversation_id=f"c-{kind}-{language}", **ASKED)
        row |= {
            "type": kind,
            "language": language,
            "card_sent_at": self.clock.now,
            "page_hash": hash_of(self.key, row["id"]),
        }
        with writing(self.engine) as connection:
            connection.execute(sa.delete(result))
            connection.execute(sa.delete(feedback_request))
            connection.execute(sa.insert(feedback_request).values(row))
        return Links(self.key, self.url).to(row["id"])

    def answered(self) -> Any:
        with reading(self.engine) as connection:
            return connection.execute(sa.select(result.c.score, result.c.text)).one_or_none()


@pytest.fixture(scope="module")
def asking(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    path = tmp_path_factory.mktemp("page") / "page.db"
    shutil.copy(sqlite_template, path)
    engine, clock = open_engine(f"sqlite:///{path}"), Clock()
    settings = settings_of(accounts__acme__page_name="Acme Café")
    with served(create_app(settings, engine, clock)) as url:
        yield Asking(engine, url, clock, settings.service.secret_key)
    engine.dispose()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Any]:
    contexts = []

    def one(link: str, *, width: int = 1280, scheme: str = "light", scripts: bool = True) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=scripts
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on(
            "request", lambda request: elsewhere.append(request.url) if not request.url.startswith(link[:20]) else None
        )
        page.goto(link)
        return page

    elsewhere: list[str] = []
    yield one
    for context in contexts:
        context.close()
    assert elsewhere == []


def test_it_is_answered_by_keyboard_alone_and_without_any_script(asking: Asking, opened: Any) -> None:
    page = opened(asking.link("nps"), scripts=False)
    page.keyboard.press("Tab")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("Thank you, your answer is saved.").wait_for()
    assert asking.answered().score == 8
    page.get_by_label("Would you like to say why?").fill("It was quick.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("Thank you, your comment is saved.").wait_for()
    assert tuple(asking.answered()) == (8, "It was quick.")


def test_back_and_forth_and_reloading_answer_nothing_twice(asking: Asking, opened: Any) -> None:
    page = opened(asking.link())
    page.get_by_role("radio", name="4 Satisfied").check()
    page.get_by_role("button", name="Send").click()
    page.get_by_text("Thank you, your answer is saved.").wait_for()
    page.reload()
    page.go_back()
    page.go_forward()
    assert page.get_by_text("Thank you, your answer is saved.").is_visible()
    assert asking.answered().score == 4


ON_TOP = """selector => {
  const place = document.querySelector(selector).getBoundingClientRect();
  const found = document.elementFromPoint(place.x + place.width / 2, place.y + place.height / 2);
  return found.value || found.tagName;
}"""


def test_a_browser_older_than_has_chooses_what_is_touched_and_reaches_the_button(asking: Asking, opened: Any) -> None:
    page = opened(asking.link())
    older = re.sub(r"[^}]*:has\([^}]*}", "", page.content())
    page.goto("about:blank")  # the page's policy allows its own style only
    page.set_content(older)
    assert page.locator("legend").evaluate("each => getComputedStyle(each).padding") == "0px", "the style holds"
    assert page.evaluate(ON_TOP, "label") == "1"
    assert page.evaluate(ON_TOP, "button") == "BUTTON"


@pytest.mark.parametrize("language", ["en", "ar", "ja"])
@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1280, "light"), (320, "dark")])
def test_it_fits_every_screen_and_axe_finds_nothing(
    asking: Asking, opened: Any, axe: str, artefacts: Artefacts, language: str, width: int, scheme: str
) -> None:
    found = {}
    for kind in ("csat", "nps"):
        page = opened(asking.link(kind, language), width=width, scheme=scheme)
        artefacts.picture(page, f"page-{kind}-{language}-{width}-{scheme}")
        found[kind] = violations(page, axe)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        boxes = page.locator("label:has(input)").evaluate_all("all => all.map(e => e.getBoundingClientRect().toJSON())")
        assert all(box["width"] >= 44 and box["height"] >= 44 for box in boxes)
        page.locator("label:has(input)").first.click()
        page.locator("button").click()
        page.locator("textarea").wait_for()
        artefacts.picture(page, f"page-{kind}-{language}-{width}-{scheme}-answered")
        found[f"{kind} answered"] = violations(page, axe)
    assert {name: each for name, each in found.items() if each} == {}
