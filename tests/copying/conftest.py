"""Databases to copy a ledger to."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from service.db import open_engine
from tests.postgresql import Kept, address_of, on_server

Place = Callable[[], Engine]


@pytest.fixture
def elsewhere(postgresql_databases: Kept) -> Iterator[Place]:
    """A PostgreSQL database at every call that is migrated and empty, as one that was upgraded for the copy."""
    with ExitStack() as stack:

        def make() -> Engine:
            place = stack.enter_context(postgresql_databases.database())
            return stack.enter_context(place.shelf.serving(open_engine(place.address)))

        yield make


@pytest.fixture
def unmigrated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A PostgreSQL database without any table, at every call."""
    server = request.getfixturevalue("postgresql_server")
    made: list[tuple[Engine, str]] = []

    def make() -> Engine:
        name = f"copy_{tmp_path.name.lower()[-24:]}_{len(made)}".replace("[", "_").replace("]", "_")
        on_server(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        on_server(server, f'CREATE DATABASE "{name}"')
        made.append((open_engine(address_of(server, name)), name))
        return made[-1][0]

    yield make
    for engine, name in made:
        engine.dispose()
        on_server(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def sibling(elsewhere: Place) -> Engine:
    """One of them."""
    return elsewhere()
