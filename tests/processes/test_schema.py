"""A foreign schema is refused in words, and an interrupted migration is completed by the next one."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event
from sqlalchemy.engine import Engine

from service import migrations
from service.db import open_engine, reading, writing
from service.models import metadata
from tests.postgresql import address_of, on_server
from tests.processes.children import cli, run_cli
from tests.processes.site import Site


def test_an_old_process_refuses_a_newer_schema(
    sqlite_site: Site, engine_of: Callable[[Site], Engine], tmp_path: Path
) -> None:
    with writing(engine_of(sqlite_site)) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.exec_driver_sql("UPDATE schema_floor SET revision = '9998'")
    config = ("--config", str(sqlite_site.config))
    with cli("worker", tmp_path, *config, "worker") as worker, cli("web", tmp_path, *config, "web") as web:
        for child in (worker, web):
            assert child.wait(60) == 1
            assert "9999, which is for code that knows 9998" in child.output()
            assert "start the newer version" in child.output()
            assert "schema_ahead" in child.output()


def test_a_new_process_refuses_an_older_schema(site_of: Callable[..., Site], tmp_path: Path) -> None:
    site = site_of(f"sqlite:///{tmp_path / 'empty.db'}")
    ended = run_cli("--config", str(site.config), "worker")
    assert ended.returncode == 1
    assert "run `dm-feedback db upgrade`" in ended.stderr
    assert run_cli("--config", str(site.config), "db", "upgrade").returncode == 0
    migrations.require_fitting(open_engine(site.database_url))


def test_a_killed_migration_is_completed_by_the_next(empty_url: Callable[[], str]) -> None:
    statements, url = _statements_of_an_upgrade(empty_url()), empty_url()
    engine = open_engine(url)
    for part in range(1, 9):
        assert _upgrade_killed_at(url, statements * part // 9) == -signal.SIGKILL
        assert sa.inspect(engine).get_table_names() == []  # one transaction: nothing of it is there
    assert migrations.upgrade(engine) == migrations.head()
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def _statements_of_an_upgrade(url: str) -> int:
    """How many statements a whole upgrade sends; moments are counted in them, as a disk may be quick or slow."""
    engine, sent = open_engine(url), []
    event.listen(engine, "before_cursor_execute", lambda *_: sent.append(1))
    migrations.upgrade(engine)
    engine.dispose()
    return len(sent)


def _upgrade_killed_at(url: str, statement: int) -> int | None:
    """A process of its own upgrades, and kills itself as it is about to send this statement. Return how it ended."""
    child = multiprocessing.get_context("fork").Process(target=_upgrade, args=(url, statement))
    child.start()
    child.join(60)
    return child.exitcode


def _upgrade(url: str, kill_at: int) -> None:
    engine, sent = open_engine(url), []

    def count(*_: Any) -> None:
        sent.append(1)
        if len(sent) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, "before_cursor_execute", count)
    migrations.upgrade(engine)
    os._exit(0)  # not through the test run's own clean-up


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """A new and empty database at every call."""
    numbers = iter(range(1000))
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path / f'empty-{next(numbers)}.db'}"
    server = request.getfixturevalue("postgresql_server")

    def create() -> str:
        name = f"empty_{os.getpid()}_{next(numbers)}"
        on_server(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        on_server(server, f'CREATE DATABASE "{name}"')
        return address_of(server, name)

    return create
