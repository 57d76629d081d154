"""What deploy/security claims is so: each "met" and each line of the threat model names a test there is; the list of
parts is that of the pins.
"""

import json
import re
import runpy
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PAPERS = TOP / "deploy" / "security"
STATES = {"met", "not applicable", "open"}


def rows(paper: str, columns: int) -> list[list[str]]:
    lines = (PAPERS / paper).read_text("utf-8").splitlines()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    assert {len(row) for row in table} == {columns}
    return table[1:]


def there_is(named: str) -> bool:
    file, _, test = named.partition("::")
    return (TOP / file).is_file() and bool(re.search(rf"^def {test}\(", (TOP / file).read_text("utf-8"), re.MULTILINE))


def test_every_line_of_the_threat_model_names_a_test_that_is_there() -> None:
    table = rows("threats.md", 4)
    assert len(table) > 12
    assert [row[3] for row in table if not there_is(row[3])] == []


def test_every_section_is_met_by_a_test_or_says_why_not() -> None:
    table = rows("asvs.md", 3)
    assert {row[1] for row in table} == STATES
    assert [row for row in table if row[1] == "met" and not there_is(row[2])] == []
    assert [row for row in table if row[1] != "met" and len(row[2]) < 12] == []
    chapters = {int(each) for row in table for each in re.findall(r"V(\d+)", row[0])}
    assert chapters == set(range(1, 18))


@pytest.mark.parametrize(
    "named", ["tests/test_architecture.py::test_there_is_no_such_test", "tests/nowhere.py::test_x"]
)
def test_a_claim_without_a_test_would_be_found(named: str) -> None:
    assert not there_is(named)


def test_the_list_of_parts_is_that_of_the_pins() -> None:
    kept = json.loads((PAPERS / "sbom.cdx.json").read_text("utf-8"))
    made = runpy.run_path(str(PAPERS / "sbom.py"))["document"]((TOP / "deploy" / "requirements.txt").read_text("utf-8"))
    names = [(each["name"], each["version"], each["properties"]) for each in made["components"]]
    assert [(each["name"], each["version"], each["properties"]) for each in kept["components"]] == names, (
        "run: .venv/bin/python deploy/security/sbom.py > deploy/security/sbom.cdx.json"
    )
    assert len(names) > 30
    licences = {each["licenses"][0]["license"]["name"] for each in kept["components"]}
    assert not licences & {"not declared", "not installed here"}
