"""A real server, a real browser: whatever a test does, a console error or a request to another host fails it."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.serving import make_server

from service.app import create_app
from service.db import open_engine, writing
from service.models import feedback_request
from service.settings import from_tree
from tests.browser import chromium
from tests.conftest import NOW
from tests.reports.dashboard.population import Population, named_long_ago, populate, settings_tree

HERE = Path(__file__).parent
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
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Served(f"http://127.0.0.1:{server.server_port}", population)
    server.shutdown()
    thread.join()
    server.server_close()
    engine.dispose()


@dataclass
class Watch:
    """What a page did that no page of ours may do."""

    host: str
    offences: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("pageerror", lambda error: self.offences.append(f"script error: {error}"))
        page.on("request", lambda request: self._request(request.url))

    def _console(self, kind: str, text: str) -> None:
        # the browser itself reports an answer of 4xx as an error; tests that provoke one look at the page
        if kind in {"error", "warning"} and "the server responded with a status of 4" not in text:
            self.offences.append(f"console {kind}: {text}")

    def _request(self, url: str) -> None:
        if urlsplit(url).hostname != self.host and urlsplit(url).scheme not in {"data", "blob"}:
            self.offences.append(f"request to another host: {url}")


@pytest.fixture
def open_page(browser: Browser, served: Served) -> Iterator[Callable[..., Page]]:
    watch = Watch(urlsplit(served.url).hostname or "")
    contexts: list[BrowserContext] = []

    def open_one(*, width: int = 1280, role: str | None = "supervisor", **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        watch.over(page)
        if role:
            sign_in(page, served, role)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert watch.offences == []


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the run are kept: DMF_ARTEFACTS, or pytest's own directory."""
    named = os.environ.get("DMF_ARTEFACTS")
    directory = Path(named) if named else tmp_path_factory.mktemp("artefacts")
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture(scope="session")
def axe() -> str:
    return (HERE / "axe.min.js").read_text("utf-8")


def sign_in(page: Page, served: Served, role: str) -> None:
    page.goto(served.at("/sign-in"))
    page.get_by_label("Your key").fill(served.population.keys[role])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="This week", level=1).wait_for()
