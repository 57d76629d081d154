"""The run of wrong changes: each kind is made, what decides nothing is left alone, what no test sees is found."""

from pathlib import Path

import pytest

from tests import mutation
from tests.mutation import Mutant, mutants

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
        ("n + 1", "(n - 1)"),
        ("1", "2"),
    }


def test_a_change_is_made_where_it_says() -> None:
    [first, *_] = mutants("x.py", "é = 1 if a < b else 2\n")
    assert first.applied("é = 1 if a < b else 2\n") in {"é = 1 if ((a) <= (b)) else 2\n", "é = 2 if a < b else 2\n"}
    assert str(first).startswith("x.py:1: ")


def test_what_decides_nothing_is_left_alone() -> None:
    assert changed(DECIDES_NOTHING) == set()


@pytest.mark.parametrize("room", mutation.ROUND)
def test_every_room_that_is_gone_through_has_tests(room: str) -> None:
    assert mutation.room_of(f"service/{room}/x.py", mutation.TOP)
    assert len(mutation.chosen([room], None, 1)) > 50


def test_a_change_that_no_test_sees_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for part, text in (
        ("small/__init__.py", ""),
        ("small/x.py", "def over(n):\n    return n > 3\n"),
        ("tests/test_x.py", "from small.x import over\ndef test_it(): assert over(5) and not over(2)\n"),
    ):
        (tmp_path / part).parent.mkdir(exist_ok=True)
        (tmp_path / part).write_text(text)
    monkeypatch.setattr(mutation, "ROOMS", {"small": ("test_x.py",)})
    text = (tmp_path / "small/x.py").read_text()
    assert mutation.tried(tmp_path, list(mutants("small/x.py", text))) == 1
    said = capfd.readouterr().out
    assert "LIVES   small/x.py:2: n > 3  ->  ((n) >= (3))" in said
    assert "LIVES   small/x.py:2: 3  ->  4" in said
    assert "0 of 2 killed" in said
    told = Mutant("small/x.py", 2, text.index(">"), text.index(">") + 1, ">", "<")
    assert mutation.tried(tmp_path, [told]) == 0
    assert (tmp_path / "small/x.py").read_text() == text
