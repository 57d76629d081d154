"""Fixtures for all tests: a migrated database of each kind, and settings that work.

PostgreSQL comes from TEST_DATABASE_URL if set, else from a server that a wheel carries, started once per run. Nothing
is skipped: if neither works, the run fails and says so.
"""

import gc
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from _pytest.unraisableexception import gc_collect_iterations_key
from sqlalchemy.engine import Engine, make_url

from tests import memory_disk

memory_disk.use(os.environ)

from service import migrations  # noqa: E402 - after the environment above
from service.at_rest.columns import with_keys  # noqa: E402
from service.db import open_engine, writing  # noqa: E402
from service.encrypting.key_change import turn_on  # noqa: E402
from service.web import read_slots  # noqa: E402
from tests import compile_caches, migrated_sqlite, postgresql, xdist_workers  # noqa: E402
from tests.postgresql import Kept, Place, address_of, on_server  # noqa: E402

compile_caches.keep()

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ENCRYPTED = os.environ.get("TEST_ENCRYPTED") == "1"  # everything, from the first row on
PARTITIONED = os.environ.get("TEST_PARTITIONED") == "1"  # what is partitioned, in PostgreSQL


read_slots.LONGEST_S = 120.0  # for the database to work on one answer: a machine may be slow
# an error of a step is logged as Python shows it: to draw it with all its variables takes up to a second
structlog.get_config()["processors"][-1].exception_formatter = structlog.dev.plain_traceback


def pytest_configure(config: pytest.Config) -> None:
    """At the end all garbage is searched once, not five times: what is left then has been through it before."""
    config.stash[gc_collect_iterations_key] = 1


def pytest_sessionstart(session: pytest.Session) -> None:
    xdist_workers.read_a_share(session.config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    xdist_workers.ordered(items)


def pytest_collection_finish() -> None:
    """What is there now stays until the end: the search for garbage need not go through it again and again.

    Each test leaves some thousand objects in cycles, an application or two, and is over before they are worth a search.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


def pytest_runtest_logfinish() -> None:
    compile_caches.KEYRINGS.take_back()


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrated_sqlite.put(path)
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a server on which databases may be made and dropped."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        return
    directory = tempfile.mkdtemp(prefix="dmf-pg-")
    server = postgresql.start(directory)
    yield make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    server.cleanup()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> str:
    name = f"template_{uuid.uuid4().hex[:12]}"
    on_server(postgresql_server, f'CREATE DATABASE "{name}"')
    engine = open_engine(address_of(postgresql_server, name))
    migrations.upgrade(engine)
    engine.dispose()
    return name


@pytest.fixture(scope="session")
def partitioned_databases(postgresql_server: str, postgresql_template: str) -> Iterator[Kept]:
    """The same, partitioned as a service with these settings would be."""
    from tests.partitions.partitioned import turn

    name = f"{postgresql_template}_partitioned"
    on_server(postgresql_server, f'CREATE DATABASE "{name}" TEMPLATE "{postgresql_template}"')
    engine = open_engine(address_of(postgresql_server, name))
    turn(engine, NOW)
    engine.dispose()
    databases = Kept(postgresql_server, name)
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def postgresql_databases(postgresql_server: str, postgresql_template: str) -> Iterator[Kept]:
    databases = Kept(postgresql_server, postgresql_template)
    yield databases
    databases.close()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "test.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_place(postgresql_databases: Kept) -> Iterator[Place]:
    with postgresql_databases.database() as place:
        yield place


@pytest.fixture
def partitioned_place(partitioned_databases: Kept) -> Iterator[Place]:
    with partitioned_databases.database() as place:
        yield place


@pytest.fixture
def postgresql_url(postgresql_place: Place) -> str:
    return postgresql_place.tell()


@pytest.fixture(params=["sqlite", "postgresql"])
def kind_of_database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_url(kind_of_database: str, request: pytest.FixtureRequest) -> str:
    """A migrated, empty database of each kind."""
    return str(request.getfixturevalue(f"{kind_of_database}_url"))


@pytest.fixture
def engine(kind_of_database: str, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """The same database, opened."""
    if kind_of_database == "postgresql":
        whole = not PARTITIONED or request.node.get_closest_marker("unpartitioned")
        place = request.getfixturevalue("postgresql_place" if whole else "partitioned_place")
        with place.shelf.serving(open_engine(place.address)) as engine:
            yield _prepared(engine)
        return
    engine = _prepared(open_engine(request.getfixturevalue("sqlite_url")))
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    """For tests that do not depend on the database."""
    engine = _prepared(open_engine(sqlite_url))
    yield engine
    engine.dispose()


@pytest.fixture
def postgresql_engine(postgresql_place: Place) -> Iterator[Engine]:
    """For what only PostgreSQL has."""
    with postgresql_place.shelf.serving(open_engine(postgresql_place.address)) as engine:
        yield engine


def _prepared(opened: Engine) -> Engine:
    if not ENCRYPTED:
        return opened
    engine = with_keys(opened, ["a key that nobody guesses, 32 and more"])
    with writing(engine) as connection:
        turn_on(connection, NOW)
    return engine
