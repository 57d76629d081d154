"""The API description is complete: constant fields are required, and every answer and error has a valid example."""

import json
from collections.abc import Iterator
from typing import Any

import flask
import pytest
import yaml
from jsonschema import Draft202012Validator
from sqlalchemy.engine import Engine

from service.app import create_app
from service.listening.refusals import FAULT, KINDS, SLOW, UNREADABLE
from service.web.docs import document, examples
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
    assert json.loads(client.get("/openapi.json").data) == yaml.safe_load(client.get("/openapi.yaml").data)


def test_the_type_of_a_problem_leads_to_what_it_means(app: flask.Flask) -> None:
    client = app.test_client()
    for path, headers in (("/v1/results", {}), ("/v1/results", {"Accept": "text/csv"}), ("/v1/none", {})):
        problem = client.get(path, headers=headers).get_json()
        page = client.get(problem["type"])
        assert page.status_code == 200
        assert f"<code>{problem['code']}</code>" in page.text
    assert "begin again without a cursor" in client.get("/docs/problems/changes_begin_anew").text.lower()
    before_us = [SLOW, UNREADABLE, FAULT, *(refusal for _, refusal in KINDS)]
    for code in ["no_files", "not_proven_yet", *(code for _, _, code, _ in before_us)]:
        assert client.get(f"/docs/problems/{code}").status_code == 200, code
    assert client.get("/docs/problems/no_such_code_at_all").status_code == 404
    assert "Sunset" in client.get("/docs/versions").text
