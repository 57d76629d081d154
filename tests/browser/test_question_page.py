"""The question page in a real browser: keyboard only, without scripts, at 320 and 1280 px, in both directions."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page
from sqlalchemy.engine import Engine

from service.app import create_app
from service.db import open_engine, reading, writing
from service.models import feedback_request, result
from service.ways.links import Links, hash_of
from tests.browser.conftest import Artefacts, Scheme, Watch, seen_at
from tests.browser.test_looks import beyond_its_screen, violations
from tests.serving import served
from tests.support import Clock, request_row, settings_of

ASKED = {
    "state": "card_sent",
    "way": "page",
    "campaign": "care",
    "question_variant_id": 0,
    "privacy_url": "https://p.example",
}

SCREENS: tuple[tuple[int, Scheme], ...] = ((320, "light"), (1280, "light"), (320, "dark"))


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


@contextmanager
def watched(browser: Browser, asking: Asking, **options: Any) -> Iterator[Page]:
    watch = Watch(urlsplit(asking.url).hostname or "")
    with browser.new_context(**options) as context:
        page = context.new_page()
        watch.over(page)
        yield page
    assert watch.told() == []


@pytest.fixture(scope="module")
def page(browser: Browser, asking: Asking) -> Iterator[Page]:
    with watched(browser, asking) as page:
        yield page


@pytest.fixture
def page_without_scripts(browser: Browser, asking: Asking) -> Iterator[Page]:
    with watched(browser, asking, java_script_enabled=False) as page:
        yield page


def test_it_is_answered_by_keyboard_alone_and_without_any_script(asking: Asking, page_without_scripts: Page) -> None:
    page = page_without_scripts
    page.goto(asking.link("nps"))
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


def test_back_and_forth_and_reloading_answer_nothing_twice(asking: Asking, page: Page) -> None:
    page.goto(asking.link())
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


def test_a_browser_older_than_has_chooses_what_is_touched_and_reaches_the_button(asking: Asking, page: Page) -> None:
    page.goto(asking.link())
    older = re.sub(r"[^}]*:has\([^}]*}", "", page.content())
    page.goto("about:blank")  # the page's policy allows its own style only
    page.set_content(older)
    assert page.locator("legend").evaluate("each => getComputedStyle(each).padding") == "0px", "the style holds"
    assert page.evaluate(ON_TOP, "label") == "1"
    assert page.evaluate(ON_TOP, "button") == "BUTTON"


@pytest.mark.parametrize("language", ["en", "ar", "ja"])
def test_it_fits_every_screen_and_axe_finds_nothing(
    asking: Asking, page: Page, axe: str, artefacts: Artefacts, language: str
) -> None:
    found = {}

    def look(name: str) -> None:
        for width, scheme in SCREENS:
            seen_at(page, width, scheme)
            screen = f"{name}-{language}-{width}-{scheme}"
            artefacts.picture(page, f"page-{screen}")
            found[screen] = violations(page, axe)
            assert beyond_its_screen(page) == 0, screen
            choices = page.locator("label:has(input)")
            boxes = choices.evaluate_all("all => all.map(e => e.getBoundingClientRect().toJSON())")
            assert all(box["width"] >= 44 and box["height"] >= 44 for box in boxes)
            for each in (*choices.all()[:1], page.locator("button")):
                each.click(trial=True)

    for kind in ("csat", "nps"):
        page.goto(asking.link(kind, language))
        look(kind)
        page.locator("label:has(input)").first.click()
        page.locator("button").click()
        page.locator("textarea").wait_for()
        look(f"{kind}-answered")
    assert {screen: each for screen, each in found.items() if each} == {}
