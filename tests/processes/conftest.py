"""One X for all process tests, with time spans of 1:150; each test has its own service, and X forgets the others."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from service.db import open_engine
from tests.processes.house import House
from tests.processes.x import X, running_x

SCALE = 150


@pytest.fixture(scope="session")
def x_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, X]]:
    house = House(tmp_path_factory.mktemp("x"), "sqlite:///unused.db", scale=SCALE).write()
    with running_x(house) as x:
        yield house, x


@pytest.fixture
def x(x_house: tuple[House, X]) -> X:
    """X without memory of other tests."""
    x_house[1].tell("/reset", {"keep": ["clock", "assumptions"]})
    return x_house[1]


@pytest.fixture
def house_of(x: X, x_house: tuple[House, X], tmp_path: Path) -> Callable[..., House]:
    """Settings for a database, beside that X."""

    def build(url: str, directory: Path = tmp_path, **changes: Any) -> House:
        quick = {"worker__lease": "2s", "web__workers": 1, "campaigns__care__delay": "0s", **changes}
        return House(directory, url, x_port=x_house[0].x_port, scale=SCALE, changes=quick).write()

    return build


@pytest.fixture
def house(house_of: Callable[..., House], database_url: str) -> House:
    """On each database."""
    return house_of(database_url)


@pytest.fixture
def sqlite_house(house_of: Callable[..., House], sqlite_url: str) -> House:
    """Where the database is not the point."""
    return house_of(sqlite_url)


@pytest.fixture
def engine_of() -> Iterator[Callable[[House], Engine]]:
    """The house's database, from outside."""
    opened: list[Engine] = []

    def build(house: House) -> Engine:
        opened.append(open_engine(house.database_url))
        return opened[-1]

    yield build
    for each in opened:
        each.dispose()
