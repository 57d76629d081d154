"""The population, filled once per run, and Flask's own client, signed in."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import flask
import jinja2
import pytest
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from service.app import create_app
from service.db import open_engine
from service.settings import Settings, from_tree
from tests.conftest import NOW
from tests.reports.dashboard.population import Population, named_long_ago, populate, settings_tree
from tests.support import Clock


@pytest.fixture(scope="session")
def populated(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Population]:
    path = tmp_path_factory.mktemp("populated") / "template.db"
    shutil.copy(sqlite_template, path)
    engine = open_engine(f"sqlite:///{path}")
    population = populate(engine, NOW)
    named_long_ago(engine, from_tree(settings_tree(f"sqlite:///{path}"), {}), NOW)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path, population


@pytest.fixture
def population(populated: tuple[Path, Population]) -> Population:
    return populated[1]


@pytest.fixture
def engine(populated: tuple[Path, Population], tmp_path: Path) -> Iterator[Engine]:
    path = tmp_path / "populated.db"
    shutil.copy(populated[0], path)
    engine = open_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return from_tree(settings_tree(f"sqlite:///{tmp_path / 'populated.db'}"), {})


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


class NoSuchField(jinja2.Undefined):
    """A field that a figure does not have would leave a hole in a page in silence: here it is an error."""

    def __init__(
        self, hint: str | None = None, obj: Any = jinja2.utils.missing, name: str | None = None, **more: Any
    ) -> None:
        super().__init__(hint, obj, name, **more)
        if is_dataclass(obj):
            raise AttributeError(f"{type(obj).__name__} has no field {name}")


@pytest.fixture
def app(settings: Settings, engine: Engine, clock: Clock) -> flask.Flask:
    built = create_app(settings, engine, clock)
    built.jinja_env.undefined = NoSuchField
    return built


@pytest.fixture
def signed_in(app: flask.Flask, population: Population) -> Callable[[str], FlaskClient]:
    def sign_in(role: str = "supervisor") -> FlaskClient:
        client = app.test_client()
        answer = client.post("/dashboard/sign-in", data={"key": population.keys[role]})
        assert answer.status_code == 303, answer.text
        return client

    return sign_in


@pytest.fixture
def client(signed_in: Callable[[str], FlaskClient]) -> FlaskClient:
    return signed_in("supervisor")
