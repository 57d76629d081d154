"""A house on PostgreSQL, whole or in pieces."""

import pytest
from sqlalchemy.engine import Engine

from tests.floor.house import House
from tests.partitions.house import SETTINGS, turn


@pytest.fixture
def whole(postgresql_engine: Engine) -> House:
    """As every ledger begins."""
    return House(postgresql_engine, SETTINGS)


@pytest.fixture
def house(whole: House) -> House:
    """Turned over while it was empty."""
    turn(whole.engine, whole.clock.now)
    return whole
