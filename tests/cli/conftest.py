"""`dm-feedback` in this process, with a settings file and a migrated database in a directory of its own."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy.engine import Engine

from tests.cli.installation import Cli


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Restores logging: a command sets it up on its own standard error, which ends with it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def cli(tmp_path: Path, sqlite_engine: Engine) -> Cli:
    return Cli(tmp_path, sqlite_engine)
