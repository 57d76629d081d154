"""A ledger on PostgreSQL, whole or in partitions."""

import pytest
from sqlalchemy.engine import Engine

from tests.floor.app import App
from tests.partitions.partitioned import SETTINGS, turn


@pytest.fixture
def whole(postgresql_engine: Engine) -> App:
    """An unpartitioned ledger."""
    return App(postgresql_engine, SETTINGS)


@pytest.fixture
def app(whole: App) -> App:
    """A ledger partitioned while it was empty."""
    turn(whole.engine, whole.clock.now)
    return whole
