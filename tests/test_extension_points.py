"""What tests/README.md promises contributors: one line in one place is enough, or the first import says where else."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tree_copy import copied

CODE = '    9999: Meaning(AccountProblem, "new_rule", "X has a new rule."),\n'

ASKS_ABOUT_THE_CODE = """
from datetime import UTC, datetime
from service.x_api.refusal import error_from
error = error_from(403, {}, b'{"errors": [{"code": 9999}]}', sends=True, now=datetime.now(UTC))
print(type(error).__name__, error.reason, error.about_us)
"""


@dataclass(frozen=True)
class Copy:
    """A copy of the tree, and the environment of what runs there."""

    place: Path
    environment: dict[str, str]


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    with copied(tmp_path) as environment:
        yield Copy(tmp_path, environment)


def add(file: Path, after: str, line: str) -> None:
    text = file.read_text("utf-8")
    assert text.count(after) == 1
    file.write_text(text.replace(after, after + line), "utf-8")


def run(copy: Copy, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=copy.place,
        env=copy.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def asked(copy: Copy, program: str, *arguments: str) -> str:
    done = run(copy, program, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_error_code_of_x_is_one_row(copy: Copy) -> None:
    add(copy.place / "service/x_api/codes.py", "CODES: Mapping[int, Meaning] = {\n", CODE)
    assert asked(copy, ASKS_ABOUT_THE_CODE).split() == ["AccountProblem", "new_rule", "True"]


@pytest.mark.parametrize(
    ("after", "line", "says"),
    [
        (
            "class State(StrEnum):",
            ('    CARD_SENT = ("card_sent"', '    ASLEEP = ("asleep", "It sleeps.", ("card_sent",))\n'),
            "must hold the open states, each once; look at: asleep",
        ),
        ("class Skip(Reason):", ("    COOLDOWN = ", '    MOON = "moon"\n'), "'moon' needs a sentence"),
        ("class Failure(Reason):", ("    REFUSED = ", '    MOON = "moon"\n'), "'moon' needs a sentence"),
    ],
    ids=["an open state without steps", "a skip without a sentence", "a failure without a sentence"],
)
def test_an_incomplete_declaration_is_reported_by_the_first_import(
    copy: Copy, after: str, line: tuple[str, str], says: str
) -> None:
    states = copy.place / "service/states.py"
    before, body = states.read_text("utf-8").split(after)
    assert line[0] in body
    states.write_text(before + after + body.replace(line[0], line[1] + line[0], 1), "utf-8")
    ended = run(copy, "import service.worker.loop")
    assert ended.returncode == 1
    assert says in ended.stderr.splitlines()[-1]
