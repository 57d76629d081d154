"""Mutation runs: every kind of change is made, harmless ones are left out, and unnoticed ones are reported."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.mutation import remembered
from tests.mutation.changes import mutants, naming
from tests.mutation.explained import EXPLAINED, names
from tests.mutation.rooms import ROUND, TOP, _some, drawn, paths_of, room_of
from tests.mutation.session import _nearest

DECIDES = """
def over(n, most=3):
    if n > most and not n == 0:
        return True
    return min(n + 1, most) is None
"""
DECIDES_NOTHING = '''
"""Words, and 1."""
import a

@decorated(1)
def said(x: Literal[1]) -> Literal[2]:
    assert x > 1
    log.info("said", n=1)
    raise ValueError(f"{x + 1} is not 3")

TAKEN_AT_ONCE = 500

def first(query, rows):
    dict(zip(rows, rows, strict=True))
    return query.with_for_update(skip_locked=True).limit(1)
'''


def changed(text: str) -> set[tuple[str, str]]:
    return {(each.old, each.new) for each in mutants("x.py", text)}


def test_each_kind_of_change_is_made() -> None:
    assert changed(DECIDES) == {
        ("3", "4"),
        ("n > most and not n == 0", "((n > most) or (not n == 0))"),
        ("n > most and not n == 0", "((not n == 0))"),
        ("n > most and not n == 0", "((n > most))"),
        ("n > most", "((n) >= (most))"),
        ("not n == 0", "(n == 0)"),
        ("n == 0", "((n) != (0))"),
        ("0", "1"),
        ("True", "False"),
        ("min(n + 1, most) is None", "((min(n + 1, most)) is not (None))"),
        ("min", "max"),
        ("n + 1", "((n) - (1))"),
        ("1", "2"),
    }


def test_code_before_the_first_row_is_changed_too() -> None:
    assert changed("q.where(a > b).limit(1)\nq.limit(2)\nzip(a, b, strict=False)\n") == {
        ("a > b", "((a) >= (b))"), ("2", "3"), ("False", "True"),
    }  # fmt: skip


def test_a_change_is_made_where_it_says() -> None:
    [first, *_] = mutants("x.py", "é = 1 if a < b else 2\n")
    assert first.applied("é = 1 if a < b else 2\n") in {"é = 1 if ((a) <= (b)) else 2\n", "é = 2 if a < b else 2\n"}
    assert str(first).startswith("x.py:1: ")


def test_code_without_decisions_is_not_changed() -> None:
    assert changed(DECIDES_NOTHING) == set()


def test_a_changed_condition_of_several_lines_leaves_the_others_where_they_are() -> None:
    text = "def f(a, b):\n    if (\n        a\n        and b\n    ):\n        return 1\n    return 2\n"
    for each in mutants("x.py", text):
        assert each.applied(text).splitlines()[-1].startswith("    return ")
        assert len(each.applied(text).splitlines()) == 7


def test_changes_that_take_effect_at_import_are_recognised() -> None:
    text = "MOST = 1\ndef f(n, m=2):\n    return n > 3\nTABLE = {4: lambda: 5}\n"
    found = {each.old: (each.within_a_function, *each.names) for each in mutants("x.py", text)}
    assert found == {
        "1": (False, "MOST"), "2": (False, "f"), "n > 3": (True,), "3": (True,),
        "4": (False, "TABLE"), "5": (True, "TABLE"),
    }  # fmt: skip
    assert naming("a = MOST\n\nb.MOST(1)\nMOSTLY\n", frozenset({"MOST"})) == {1, 3}


def test_a_seed_draws_the_same_after_an_edit_elsewhere() -> None:
    before = list(mutants("x.py", DECIDES))
    after = list(mutants("x.py", "TEN = 10\n" + DECIDES))
    assert {each.said for each in _some(before, 5, 3)} >= {each.said for each in _some(after, 5, 3)} - {"10  ->  11"}
    assert _some(before, 5, 3) != _some(before, 5, 4)


def test_unnoticed_changes_are_tried_again() -> None:
    [room] = drawn(["outreach/gates"], 2, 1)
    lived, killed = (
        f"   1/2  {word}  {each}   [x; 1.0 s]\n" for word, each in zip(("LIVES ", "killed"), room.changes, strict=True)
    )
    [again] = drawn(["outreach/gates"], None, 1, again=lived + killed)
    assert {each.said for each in again.changes} == {room.changes[0].said}
    [rest] = drawn(["outreach/gates"], 2, 1, told=lived)
    assert {each.said for each in rest.changes} == {room.changes[1].said}


def test_what_a_run_learns_is_reused_until_a_file_changes(tmp_path: Path) -> None:
    for folder in ("service", "tests"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("a = 1\n")
    ran = {"t::one": (1.5, frozenset({("a.py", 3)})), "t::none": (0.5, frozenset[tuple[str, int]]())}
    kept = tmp_path / "learnt"
    assert remembered.read(kept, tmp_path) is None
    remembered.write(kept, tmp_path, ran.items(), ["t::two"])
    assert remembered.read(kept, tmp_path) == remembered.Remembered(ran, ["t::two"])
    (tmp_path / "tests/a.py").write_text("a = 2\n")
    assert remembered.read(kept, tmp_path) is None


def test_tests_that_import_the_changed_file_run_first_then_the_quickest() -> None:
    def asked(module: object, seconds: float) -> Any:
        return SimpleNamespace(item=SimpleNamespace(module=module), seconds=seconds)

    here, quick, slow = asked(sys.modules[__name__], 9.0), asked(subprocess, 0.1), asked(subprocess, 0.2)
    assert sorted([slow, quick, here], key=_nearest("tests/mutation/changes.py")) == [here, quick, slow]


def test_every_explained_change_exists() -> None:
    there = {name for room in drawn(ROUND, None, 1) for each in room.explained for name in names(each)}
    assert [each for each in EXPLAINED if each not in there] == []


@pytest.mark.parametrize("room", ROUND)
def test_every_mutated_room_has_tests(room: str) -> None:
    assert paths_of(room_of(f"service/{room}/x.py"), TOP)
    (found,) = drawn([f"{room}/"], None, 1)
    assert len(found.changes) > 50
    assert [len(each.changes) for each in drawn([f"{room}/"], 7, 1)] == [7]


RULES = """from functools import cache
MOST = 3

def over(n):
    return n > MOST

@cache
def kept(n):
    return n == 1

class Rule:
    def holds(self, n):
        return (lambda: n < 2)()

def unseen(n):
    return n > 5
"""
TESTS = """import pytest
from service.small.rules import Rule, kept, over

def test_over():
    assert over(5) and not over(2)

@pytest.fixture(scope="session")
def one():
    return 1

def test_kept(one):
    assert kept(one) and not kept(2)

def test_rule():
    assert Rule().holds(1) and not Rule().holds(2)

def test_that_fails_anyway():
    assert over(1)
"""
FREEZES = """import gc

def pytest_collection_finish():
    gc.freeze()
"""
PLAY = """import sys
from pathlib import Path
from tests.mutation import __main__ as mutation
from tests.mutation import afresh, rooms
afresh.LIBRARIES = ("pytest",)  # those of the service are not needed here, and take seconds
rooms.TOP = mutation.TOP = Path.cwd()
rooms.ROOMS = {"small": ("test_rules.py",)}
(some,) = rooms.drawn(["small"], None, 1)
found = mutation.tried(Path.cwd(), some, 10.0, afresh.Afresh())
print(mutation.rate(found))
"""


@pytest.mark.timeout(900)  # a machine that is busy is given its time
def test_an_unnoticed_change_survives_in_memory_and_at_import(tmp_path: Path) -> None:
    """Played in a process of its own on a service of five lines."""
    files = {"service/__init__.py": "", "service/small/__init__.py": "", "service/small/rules.py": RULES}
    for name, text in {**files, "play.py": PLAY, "pyproject.toml": ""}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_rules.py").write_text(TESTS)
    (tmp_path / "tests/conftest.py").write_text(FREEZES)
    (tmp_path / "tests/mutation").symlink_to(TOP / "tests/mutation")
    done = subprocess.run(
        [sys.executable, "play.py"], cwd=tmp_path, capture_output=True, text=True, timeout=850, check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    said = done.stdout
    assert "left out: ['tests/test_rules.py::test_that_fails_anyway']" in said, done
    verdicts = {line.partition("[")[0].split(maxsplit=1)[1] for line in said.splitlines() if "/small/" in line}
    lives = {each.split("rules.py:")[1].strip() for each in verdicts if each.startswith("LIVES")}
    killed = {each.split("rules.py:")[1].strip() for each in verdicts if each.startswith("killed")}
    assert lives == {"2: 3  ->  4", "5: n > MOST  ->  ((n) >= (MOST))", "16: n > 5  ->  ((n) >= (5))", "16: 5  ->  6"}
    assert killed == {
        "9: n == 1  ->  ((n) != (1))", "9: 1  ->  2", "13: n < 2  ->  ((n) <= (2))", "13: 2  ->  3",
    }  # fmt: skip
    assert "4 of 8 killed, 50.0% (21.5% to 78.5%)" in said
