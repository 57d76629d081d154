"""A ledger in which every text is unique."""

from collections.abc import Iterator

import pytest

from tests.encrypting.poisoned import OLD, Poisoned, open_with


@pytest.fixture
def poisoned(database_url: str) -> Iterator[Poisoned]:
    there = Poisoned(open_with(database_url, OLD))
    yield there
    there.engine.dispose()
