"""What deploy/security claims: each "met" and each threat names a test that exists, runs and can fail.

Each line of the threat model is also tried on a running service, and the list of parts is that of the pins.
"""

import ast
import json
import re
import runpy
from pathlib import Path

import pytest

from tests.trial.__main__ import ATTACKS, lines

TOP = Path(__file__).parents[1]
PAPERS = TOP / "deploy" / "security"
DEMANDS = {"raises", "refused", "refuses", "warns"}
SECTIONS = (
    "12345", "1234", "23457", "1234", "1234", "1234568", "123456", "1234", "12",
    "1234567", "123456", "123", "1234", "123", "123", "12345", "123",
)  # fmt: skip
WITH_LEVEL_2 = {f"{chapter}.{each}" for chapter, sections in enumerate(SECTIONS, 1) for each in sections}
"""The sections of ASVS 5.0 with requirements of level 1 or 2."""
STATES = {"met", "not applicable", "open"}


def rows(paper: str, columns: int) -> list[list[str]]:
    lines = (PAPERS / paper).read_text("utf-8").splitlines()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    assert {len(row) for row in table} == {columns}
    return table[1:]


def there_is(named: str) -> bool:
    """Whether the test is there, is not skipped, and demands something: one that cannot fail proves nothing."""
    file, _, test = named.partition("::")
    if not (TOP / file).is_file():
        return False
    tree = ast.parse((TOP / file).read_text("utf-8"))
    functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    return test in functions and not _is_skipped(functions[test]) and _demands(functions[test], functions)


def _is_skipped(function: ast.FunctionDef) -> bool:
    return any({"skip", "xfail"} & {node.attr for node in ast.walk(each) if isinstance(node, ast.Attribute)}
               for each in function.decorator_list)  # fmt: skip


def _demands(function: ast.FunctionDef, others: dict[str, ast.FunctionDef], depth: int = 2) -> bool:
    """By itself, or by a helper of its file."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in DEMANDS or (depth and called in others and _demands(others[called], others, depth - 1)):
                return True
    return False


def test_every_threat_names_an_existing_test() -> None:
    table = rows("threats.md", 4)
    assert len(table) > 12
    assert [row[3] for row in table if not there_is(row[3])] == []


def test_every_line_of_the_threat_model_is_tried_on_a_running_service() -> None:
    assert sorted(ATTACKS) == sorted(lines())
    tried = {(row[0], row[1]): row[2:4] for row in rows("tried.md", 5)}
    assert sorted(tried) == sorted(lines())
    assert {said for both in tried.values() for said in both} <= {"held", "no roles"}, (
        "what fell is mended, then tried again"
    )


def test_every_section_is_met_by_a_test_or_says_why_not() -> None:
    table = rows("asvs.md", 3)
    assert {row[1] for row in table} == STATES
    assert [row for row in table if row[1] == "met" and not all(map(there_is, row[2].split(", ")))] == []
    assert [row for row in table if row[1] != "met" and len(row[2]) < 12] == []
    said = {each for row in table for each in re.findall(r"V(\d+(?:\.\d)?)", row[0])}
    assert {each for each in WITH_LEVEL_2 if not {each, each.partition(".")[0]} & said} == set()


@pytest.mark.parametrize(
    "named",
    [
        "tests/test_architecture.py::test_there_is_no_such_test",
        "tests/nowhere.py::test_x",
        "tests/test_security_papers.py::there_is",  # it demands nothing
    ],
)
def test_a_claim_without_a_test_would_be_found(named: str) -> None:
    assert not there_is(named)


def test_the_list_of_parts_is_that_of_the_pins() -> None:
    kept = json.loads((PAPERS / "sbom.cdx.json").read_text("utf-8"))
    made = runpy.run_path(str(PAPERS / "sbom.py"))["of_pins"]((TOP / "deploy" / "requirements.txt").read_text("utf-8"))
    names = [(each["name"], each["version"], each["properties"]) for each in made["components"]]
    assert [(each["name"], each["version"], each["properties"]) for each in kept["components"]] == names, (
        "run: PYTHONPATH=. .venv/bin/python deploy/security/sbom.py > deploy/security/sbom.cdx.json"
    )
    assert len(names) > 30
    licences = {each["licenses"][0]["license"]["name"] for each in kept["components"]}
    assert not licences & {"not declared", "not installed here"}


@pytest.mark.parametrize(
    ("parts", "said", "code"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], ["1 of 1 pins looked up, 0 advisories"], 0),
        (
            [{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}],
            ["a 1: PYSEC-1, mended in 2", "1 of 1 pins looked up, 1 advisories"],
            1,
        ),
        (
            [{"name": "a", "skip_reason": "not found"}, {"name": "b", "version": "1", "vulns": []}],
            ["not looked up: a", "1 of 2 pins looked up, 0 advisories"],
            2,
        ),
        ([], ["0 of 0 pins looked up, 0 advisories"], 2),
    ],
)
def test_an_unchecked_part_is_not_clean(parts: list[dict[str, object]], said: list[str], code: int) -> None:
    verdict = runpy.run_path(str(PAPERS / "audit.py"))["verdict"]
    assert verdict({"dependencies": parts}) == (said, code)
