"""A ledger whose every text can be told from all others."""

from collections.abc import Iterator

import pytest

from tests.encrypting.house import OLD, Poisoned, open_with


@pytest.fixture
def poisoned(database_url: str) -> Iterator[Poisoned]:
    there = Poisoned(open_with(database_url, OLD))
    yield there
    there.engine.dispose()
