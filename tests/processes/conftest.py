"""One X for all process tests, with time spans of 1:150; each test has its own service, and X forgets the others."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from service.db import open_engine
from tests.processes.site import Site
from tests.processes.x import X, running_x

SCALE = 150


@pytest.fixture(scope="session")
def x_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, X]]:
    site = Site(tmp_path_factory.mktemp("x"), "sqlite:///unused.db", scale=SCALE).write()
    with running_x(site) as x:
        yield site, x


@pytest.fixture
def x(x_site: tuple[Site, X]) -> X:
    """X without memory of other tests."""
    x_site[1].tell("/reset", {"keep": ["clock", "assumptions"]})
    return x_site[1]


@pytest.fixture
def site_of(x: X, x_site: tuple[Site, X], tmp_path: Path) -> Callable[..., Site]:
    """Settings for a database, beside that X."""

    def build(url: str, directory: Path = tmp_path, **changes: Any) -> Site:
        quick = {"worker__lease": "2s", "web__workers": 1, "campaigns__care__delay": "0s", **changes}
        return Site(directory, url, x_port=x_site[0].x_port, scale=SCALE, changes=quick).write()

    return build


@pytest.fixture
def site(site_of: Callable[..., Site], database_url: str) -> Site:
    """On each database."""
    return site_of(database_url)


@pytest.fixture
def sqlite_site(site_of: Callable[..., Site], sqlite_url: str) -> Site:
    """Where the database is not the point."""
    return site_of(sqlite_url)


@pytest.fixture
def engine_of() -> Iterator[Callable[[Site], Engine]]:
    """The site's database, from outside."""
    opened: list[Engine] = []

    def build(site: Site) -> Engine:
        opened.append(open_engine(site.database_url))
        return opened[-1]

    yield build
    for each in opened:
        each.dispose()
