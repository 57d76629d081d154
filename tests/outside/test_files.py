"""The files of deploy/integrations, checked without their tools: each names only what exists, in its tool's grammar."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy.engine import Engine

from service.app import create_app
from service.web.docs import document
from tests.support import settings_of

FILES = Path(__file__).parents[2] / "deploy" / "integrations"


@pytest.fixture
def spec(sqlite_engine: Engine) -> dict[str, Any]:
    return document.document(create_app(settings_of(), sqlite_engine))


def parameters(spec: dict[str, Any], path: str) -> set[str]:
    return {each["name"] for each in spec["paths"][path]["get"]["parameters"]}


def fields(spec: dict[str, Any], name: str) -> set[str]:
    return set(spec["components"]["schemas"][name]["properties"])


def test_grafana_uses_existing_routes_and_fields(spec: dict[str, Any]) -> None:
    board = json.loads((FILES / "grafana-infinity.json").read_text("utf-8"))
    for panel in board["panels"]:
        for target in panel["targets"]:
            asked = {each["key"] for each in target["url_options"]["params"]}
            assert asked <= parameters(spec, target["url"])
            columns = {each["selector"] for each in target["columns"]}
            assert columns == set(re.findall(r'\{?"(at|team|value)": ', target["root_selector"]))
    assert {"name", "key", "rest", "points"} <= fields(spec, "Trend")
    assert {"label", "score"} <= fields(spec, "TrendPoint")


def test_airbyte_uses_existing_routes_and_fields(spec: dict[str, Any]) -> None:
    manifest = yaml.safe_load((FILES / "airbyte.yaml").read_text("utf-8"))
    shared = manifest["definitions"]
    path = shared["requester"]["path"]
    asked = {*shared["requester"]["request_parameters"], shared["paginator"]["page_token_option"]["field_name"]}
    assert asked | {shared["by_moment"]["start_time_option"]["field_name"]} <= parameters(spec, path)
    schemas = {"results": "Result", "erased": "Erased"}
    for stream in manifest["streams"]:
        told = fields(spec, schemas[stream["name"]])
        assert set(stream["schema_loader"]["schema"]["properties"]) <= told
        assert stream["incremental_sync"]["cursor_field"] in told


def test_power_query_uses_existing_routes_and_is_balanced(spec: dict[str, Any]) -> None:
    text = re.sub(r"(?m)^\s*//.*$", "", (FILES / "power-query.pq").read_text("utf-8"))
    asked = re.search(r"Query = \[(.*?)\]", text, re.DOTALL)
    path = re.search(r'RelativePath = "([^"]*)"', text)
    assert asked
    assert path
    assert set(re.findall(r"(\w+) =", asked[1])) <= parameters(spec, f"/{path[1]}")
    columns = re.search(r"Columns = \{(.*?)\}", text, re.DOTALL)
    assert columns
    assert set(re.findall(r'"(\w+)"', columns[1])) <= fields(spec, "Result")
    bare = re.sub(r'"[^"]*"', "", text)
    assert all(bare.count(opens) == bare.count(closes) > 0 for opens, closes in ("()", "[]", "{}"))
    assert re.search(r"\blet\b.*\bin\b", bare, re.DOTALL)


def test_dlt_uses_existing_routes_and_only_dlt(spec: dict[str, Any]) -> None:
    tree = ast.parse((FILES / "dlt_source.py").read_text("utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any(str(each).startswith(("service", "tests")) for each in imported)
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert {"cursor", "limit"} <= strings & parameters(spec, "/v1/changes")
    assert {"items", "next_cursor", "more"} <= strings & fields(spec, "ChangedPage")
    flags = {each for each in strings if each.startswith("--")}
    assert flags == set(re.findall(r"`(--[a-z]+)`", (FILES / "README.md").read_text("utf-8")))


@pytest.mark.parametrize("name", ["airbyte.yaml", "dlt_source.py", "grafana-infinity.json", "power-query.pq"])
def test_the_readme_describes_each_file(name: str) -> None:
    parts = (FILES / "README.md").read_text("utf-8").split("\n## ")[1:]
    [mine] = [part for part in parts if name in part]
    assert len(mine.strip().splitlines()) <= 12
