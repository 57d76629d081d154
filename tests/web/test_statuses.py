"""Names in our description do not depend on the interpreter: Python 3.13 renamed some statuses."""

import http
import inspect
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.engine import Engine

import service
from service.app import create_app
from service.web import statuses
from service.web.docs import document
from tests.support import settings_of

CALLED = re.compile(r"HTTPStatus(\(.*\)|\.[A-Z_]+)\.(phrase|name)")
OTHER = {"UNPROCESSABLE_ENTITY": "UNPROCESSABLE_CONTENT", "REQUEST_ENTITY_TOO_LARGE": "CONTENT_TOO_LARGE"}


class Renamed:
    """`http.HTTPStatus` as another interpreter has it."""

    def __init__(self, status: int) -> None:
        found = http.HTTPStatus(status)
        other = {**OTHER, **{name: old for old, name in OTHER.items()}}
        self.name, self.phrase = other.get(found.name, found.name), found.phrase


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*(references(each) for each in value.values()))
    return set().union(*(references(each) for each in value)) if isinstance(value, list) else set()


def test_the_description_does_not_depend_on_the_interpreters_status_names(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = document.openapi_yaml(create_app(settings_of(), sqlite_engine))
    monkeypatch.setattr("flask_smorest.arguments.http", SimpleNamespace(HTTPStatus=Renamed))
    assert document.openapi_yaml(create_app(settings_of(), sqlite_engine)) == here


def test_every_reference_of_the_description_leads_somewhere(sqlite_engine: Engine) -> None:
    spec = document.document(create_app(settings_of(), sqlite_engine))
    for each in references(spec):
        place: Any = spec
        for name in each.removeprefix("#/").split("/"):
            place = place[name]


def test_no_file_uses_the_interpreters_status_names() -> None:
    asking = [
        path for path in Path(inspect.getfile(service)).parent.rglob("*.py") if CALLED.search(path.read_text("utf-8"))
    ]
    assert asking == []
    assert statuses.component(422) == "UNPROCESSABLE_ENTITY"
