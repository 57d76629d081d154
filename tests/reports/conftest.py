"""A world on each database, and one on SQLite for tests that do not depend on the database."""

import pytest
from sqlalchemy.engine import Engine

from tests.reports.world import World


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


@pytest.fixture
def quick(sqlite_engine: Engine) -> World:
    return World(sqlite_engine)
