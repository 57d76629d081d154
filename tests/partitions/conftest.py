"""A house on PostgreSQL, whole or in pieces."""

from collections.abc import Iterator

import pytest
from sqlalchemy.engine import Engine

from service.db import open_engine
from tests.floor.house import House
from tests.partitions.house import SETTINGS, turn


@pytest.fixture
def postgresql(postgresql_url: str) -> Iterator[Engine]:
    engine = open_engine(postgresql_url)
    yield engine
    engine.dispose()


@pytest.fixture
def whole(postgresql: Engine) -> House:
    """As every ledger begins."""
    return House(postgresql, SETTINGS)


@pytest.fixture
def house(whole: House) -> House:
    """Turned over while it was empty."""
    turn(whole.engine, whole.clock.now)
    return whole
