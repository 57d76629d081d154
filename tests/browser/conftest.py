"""A real server and a real browser. A console error or a request to another host fails the test."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect, sync_playwright

from service.app import create_app
from service.db import open_engine, writing
from service.models import feedback_request
from service.settings import from_tree
from tests.browser import chromium
from tests.conftest import NOW
from tests.reports.dashboard.population import Population, named_long_ago, populate, settings_tree
from tests.serving import served as on_a_port

HERE = Path(__file__).parent
Scheme = Literal["light", "dark"]
PATIENCE_MS = 90_000  # costs nothing where a page comes; a machine with much else to do is no fault of a page
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium.path_of(os.environ)
    if path is None:
        (pytest.fail if chromium.must_be_there(os.environ) else pytest.skip)(chromium.HOW_TO_GET_ONE)
    with sync_playwright() as playwright:
        # T19: playwright has no browser of its own here; T20: its pytest plug-in does not fit this pytest
        launched = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        yield launched
        launched.close()


@dataclass
class Served:
    """The service on a socket, and what is in it."""

    url: str
    population: Population

    def at(self, path: str) -> str:
        return f"{self.url}/dashboard{path}"


@pytest.fixture(scope="session")
def served(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(sqlite_template, tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture(scope="session")
def crowded(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Sixty agents, each with some answers."""
    with serving(sqlite_template, tmp_path_factory.mktemp("crowded"), agents=60, size=3000) as found:
        yield found


@contextmanager
def serving(template: Path, folder: Path, *, agents: int = 0, size: int = 1300) -> Iterator[Served]:
    path = folder / "served.db"
    shutil.copy(template, path)
    engine = open_engine(f"sqlite:///{path}")
    population = populate(engine, NOW, size)
    if agents:
        number = sa.cast(sa.func.substr(feedback_request.c.conversation_id, -5), sa.Integer) % agents
        with writing(engine) as connection:
            connection.execute(sa.update(feedback_request).values(agent_id="Agent No. " + sa.cast(number, sa.String)))
    named_long_ago(engine, from_tree(settings_tree(f"sqlite:///{path}"), {}), NOW)
    app = create_app(from_tree(settings_tree(f"sqlite:///{path}"), {}), engine, lambda: NOW)
    with on_a_port(app) as url:
        yield Served(url, population)
    engine.dispose()


@dataclass
class Watch:
    """Records what no page of ours may do."""

    host: str
    offences: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("pageerror", lambda error: self.offences.append(f"script error: {error}"))
        page.on("request", lambda request: self._request(request.url))

    def told(self) -> list[str]:
        """What was recorded since it was asked last."""
        told, self.offences = self.offences, []
        return told

    def _console(self, kind: str, text: str) -> None:
        # the browser itself reports an answer of 4xx as an error; tests that provoke one look at the page
        if kind in {"error", "warning"} and "the server responded with a status of 4" not in text:
            self.offences.append(f"console {kind}: {text}")

    def _request(self, url: str) -> None:
        if urlsplit(url).hostname != self.host and urlsplit(url).scheme not in {"data", "blob"}:
            self.offences.append(f"request to another host: {url}")


@pytest.fixture(scope="session")
def watch(served: Served) -> Watch:
    return Watch(urlsplit(served.url).hostname or "")


@pytest.fixture(scope="session")
def kept_page(browser: Browser, served: Served, watch: Watch) -> Iterator[Callable[[str | None], Page]]:
    """The page of somebody who has signed in, one for each role: a new one takes longer than most of what it shows."""
    with ExitStack() as contexts:

        @cache
        def of(role: str | None) -> Page:
            page = contexts.enter_context(browser.new_context()).new_page()
            watch.over(page)
            if role:
                sign_in(page, served, role)
            return page

        yield of


@pytest.fixture
def open_page(
    browser: Browser, served: Served, watch: Watch, kept_page: Callable[[str | None], Page]
) -> Iterator[Callable[..., Page]]:
    """Open a page of the dashboard, by default the first, signed in with a role or (role=None) not at all.

    Whoever is not signed in, or wants another browser (options of a context), gets a page of his own.
    """
    with ExitStack() as contexts:

        def own(role: str | None, **options: Any) -> Page:
            within = kept_page(role).context.storage_state() if role else None
            page = contexts.enter_context(browser.new_context(storage_state=within, **options)).new_page()
            watch.over(page)
            return page

        def open_one(
            path: str = "/", *, width: int = 1280, scheme: Scheme = "light", role: str | None = "supervisor",
            **options: Any,
        ) -> Page:  # fmt: skip
            page = own(role, **options) if options or role is None else kept_page(role)
            seen_at(page, width, scheme)
            page.goto(served.at(path))
            return page

        yield open_one
    assert watch.told() == []


@dataclass(frozen=True, slots=True)
class Artefacts:
    """What people look at after a run. Where nobody said where to keep it, pictures are not taken."""

    folder: Path | None

    def picture(self, page: Page, name: str) -> None:
        if self.folder is not None:
            page.screenshot(path=self.folder / f"{name}.png", full_page=True)

    def file(self, name: str, made: bytes) -> None:
        if self.folder is not None:
            (self.folder / name).write_bytes(made)


@pytest.fixture(scope="session")
def artefacts() -> Artefacts:
    """A folder in DMF_ARTEFACTS."""
    if not (named := os.environ.get("DMF_ARTEFACTS")):
        return Artefacts(None)
    Path(named).mkdir(parents=True, exist_ok=True)
    return Artefacts(Path(named))


@pytest.fixture(scope="session")
def axe() -> str:
    return (HERE / "axe.min.js").read_text("utf-8")


def seen_at(page: Page, width: int, scheme: Scheme = "light") -> None:
    """Have it drawn anew for this screen, whatever it was drawn for before."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(media="screen", color_scheme=scheme, forced_colors="none")


def sign_in(page: Page, served: Served, role: str) -> None:
    page.goto(served.at("/sign-in"))
    page.get_by_label("Your key").fill(served.population.keys[role])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Last 7 days", level=1).wait_for()
