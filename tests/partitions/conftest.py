"""A ledger on PostgreSQL, whole or in partitions."""

import pytest
from sqlalchemy.engine import Engine

from tests.floor.house import House
from tests.partitions.house import SETTINGS, turn


@pytest.fixture
def whole(postgresql_engine: Engine) -> House:
    """An unpartitioned ledger."""
    return House(postgresql_engine, SETTINGS)


@pytest.fixture
def house(whole: House) -> House:
    """A ledger partitioned while it was empty."""
    turn(whole.engine, whole.clock.now)
    return whole
