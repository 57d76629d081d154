"""One world per test, on both databases: the service's outreach, and X beside it."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from tests.support import World, settings_of


@pytest.fixture
def world_of(engine: Engine) -> Callable[..., World]:
    """Build a world with other settings or switches of X."""

    def build(assumptions: dict[str, Any] | None = None, **changes: Any) -> World:
        return World(engine, settings_of(**changes), assumptions=assumptions or {})

    return build


@pytest.fixture
def world(world_of: Callable[..., World]) -> World:
    built = world_of()
    built.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    return built
