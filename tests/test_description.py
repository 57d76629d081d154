"""The API description is complete: constant fields are required, and every answer and error has a valid example."""

import json
import re
from collections.abc import Iterator
from typing import Any

import flask
import pytest
import yaml
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from sqlalchemy.engine import Engine
from werkzeug.test import TestResponse

from service.app import create_app
from service.auth import keys
from service.db import writing
from service.listening.refusals import FAULT, KINDS, SLOW, UNREADABLE
from service.web.docs import document, examples
from tests.conftest import NOW
from tests.support import settings_of


@pytest.fixture
def app(sqlite_engine: Engine) -> flask.Flask:
    return create_app(settings_of(), sqlite_engine)


def contents(spec: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                for status, response in operation["responses"].items():
                    shared = response.get("$ref", "").rpartition("/")[2]
                    whole = spec["components"]["responses"][shared] if shared else response
                    for content in whole.get("content", {}).values():
                        yield f"{method} {path}", str(status), content


def test_every_answer_and_error_of_the_api_has_an_example_that_fits_its_schema(app: flask.Flask) -> None:
    spec = document.document(app)
    seen = 0
    for operation, status, content in contents(spec):
        schema = content.get("schema", {})
        if "/v1/" not in operation or schema.get("type") == "string" or status == "default":
            continue
        assert "example" in content, (operation, status)
        whole = {**schema, "components": spec["components"]}
        assert list(Draft202012Validator(whole).iter_errors(content["example"])) == [], (operation, status)
        seen += 1
    assert seen > 100


def test_no_example_is_a_mere_placeholder(app: flask.Flask) -> None:
    for operation, status, content in contents(document.document(app)):
        assert examples.PLAIN["string"] not in strings(content.get("example")), (operation, status)


def strings(value: Any) -> Iterator[str]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    yield from [value] if isinstance(value, str) else (found for each in inner for found in strings(each))


def test_every_field_and_parameter_says_what_it_is(app: flask.Flask) -> None:
    spec, silent = document.document(app), []
    for name, schema in spec["components"]["schemas"].items():
        for field, shape in schema.get("properties", {}).items():
            refers = "$ref" in shape or "$ref" in shape.get("items", {})
            silent += [] if refers or shape.get("description") else [f"{name}.{field}"]
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            given = operation if method == "parameters" else operation.get("parameters", ())
            silent += [f"{path} {each['name']}" for each in given if not each.get("description")]
    assert silent == []


def test_whatever_a_client_meets_is_declared(sqlite_engine: Engine) -> None:
    """An id nobody has, a body that is none, a place in no list, an answer one has already."""
    app = create_app(settings_of(web__requests_per_minute=9000), sqlite_engine)
    spec, client = document.document(app), app.test_client()
    with writing(sqlite_engine) as connection:
        key = f"Bearer {keys.create(connection, 'ann', 'admin', [], NOW)}"
    met = set()
    for path, operations in spec["paths"].items():
        for method in [each for each in operations if each != "parameters" and path.startswith("/v1/")]:
            declared = operations[method]["responses"]
            for answer in asked(client, key, method, path, has_body="requestBody" in operations[method]):
                described = declared.get(str(answer.status_code), {})
                shared = described.get("$ref", "").rpartition("/")[2]
                headers = spec["components"]["responses"][shared].get("headers", {}) if shared else described["headers"]
                told = {"ETag", "Link", "Retry-After", "WWW-Authenticate", *document.RATE_HEADERS}
                assert told & {*answer.headers.keys()} <= {*headers}
                met.add(answer.status_code)
    assert met == {200, 304, 400, 404, 415, 422}
    for path in ("/v1/changes", "/metrics"):
        refused = spec["paths"][path]["get"]["responses"]["401"]
        known = spec["components"]["responses"]["UNAUTHORIZED"] if "$ref" in refused else refused
        assert "WWW-Authenticate" in client.get(path).headers.keys() & known["headers"].keys()


def asked(client: FlaskClient, key: str, method: str, path: str, *, has_body: bool) -> Iterator[TestResponse]:
    wrong = [{"json": {}}, {"data": b"no", "content_type": "application/json"}, {"data": b"no"}]
    for body in wrong if has_body else [{}]:
        call = {"path": re.sub(r"{[^}]+}", "2244994945", path), "method": method.upper(), **body}
        yield client.open(**call, headers={"Authorization": key}, query_string={"cursor": "x"})
        answer = client.open(**call, headers={"Authorization": key})
        answer.get_data()
        yield answer
        yield client.open(**call, headers={"Authorization": key, "If-None-Match": answer.headers.get("ETag", "none")})


def test_every_text_format_has_an_example(app: flask.Flask) -> None:
    assert set(forms(document.document(app))) - {"binary"} == examples.FORMATS.keys()


def forms(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from [value["format"]] if "format" in value and "type" in value else []
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from forms(each)


def test_fields_of_answers_are_required_and_of_requests_are_not(app: flask.Flask) -> None:
    schemas = document.document(app)["components"]["schemas"]
    for name in ("Result", "Request", "ResultPage", "ChangedPage", "Erased", "Summary"):
        assert schemas[name]["required"] == sorted(schemas[name]["properties"]), name
    assert "errors" not in schemas["Problem"]["required"]
    assert schemas["NewNote"]["required"] == ["text"]


def test_a_file_is_described_as_bytes_and_the_server_is_where_it_was_read(app: flask.Flask) -> None:
    spec = document.document(app)
    for kind, binary in (("csv", False), ("jsonl", True), ("xlsx", True), ("parquet", True)):
        schema = next(
            each["schema"]
            for name, each in spec["paths"][f"/v1/results.{kind}"]["get"]["responses"]["200"]["content"].items()
            if name != "application/json"
        )
        assert (schema.get("format") == "binary") is binary
    assert spec["servers"][0]["url"] == "/"


def test_the_description_is_there_as_json_too(app: flask.Flask) -> None:
    client = app.test_client()
    assert json.loads(client.get("/openapi.json").data) == yaml.load(client.get("/openapi.yaml").data, yaml.CSafeLoader)


def test_the_type_of_a_problem_leads_to_what_it_means(app: flask.Flask) -> None:
    client = app.test_client()
    for path, headers in (("/v1/results", {}), ("/v1/results", {"Accept": "text/csv"}), ("/v1/none", {})):
        problem = client.get(path, headers=headers).get_json()
        page = client.get(problem["type"])
        assert page.status_code == 200
        assert f"<code>{problem['code']}</code>" in page.text
    assert "start again without a cursor" in client.get("/docs/problems/changes_begin_anew").text.lower()
    before_us = [SLOW, UNREADABLE, FAULT, *KINDS.values()]
    for code in ["no_files", "not_proven_yet", *(code for _, _, code, _ in before_us)]:
        assert client.get(f"/docs/problems/{code}").status_code == 200, code
    assert client.get("/docs/problems/no_such_code_at_all").status_code == 404
    assert "Sunset" in client.get("/docs/versions").text


def test_the_page_for_people_leads_to_every_schema_and_shows_examples(app: flask.Flask) -> None:
    page = app.test_client().get("/docs").text
    led, there = set(re.findall(r'href="#(schema-\w+)"', page)), set(re.findall(r'id="(schema-\w+)"', page))
    assert {"schema-ResultPage", "schema-Problem", "schema-Change"} <= led <= there
    assert page.count("<summary>Example of 200</summary>") > 20
    assert "fr_01a20320a200b4010c9ea199a826" in page
