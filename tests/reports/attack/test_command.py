"""The attack as a command: says what was tried of each shape, and exits with 1 if something was found."""

import pytest
from click.testing import CliRunner

from tests.reports.attack import __main__ as command
from tests.reports.attack.attacker import AttackResult
from tests.reports.attack.judge import Leak

LEAK = ("acme", "rota", Leak("people", frozenset({"mon"}), 4))


def test_nothing_found_is_said_of_each_shape_and_ends_well() -> None:
    ran = CliRunner().invoke(command.main, ["--ledgers", "1", "--first", "11", "--read", "direct"])
    assert ran.exit_code == 0, ran.output
    *_, shape, total = ran.stdout.splitlines()  # what is logged comes before
    assert shape.startswith("three_answers: 1 ledgers, ")
    assert "0 small sets around" in total


def test_a_small_set_is_printed_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        command, "attack", lambda seed, **_: AttackResult(seed, "even", leaks=[LEAK] if seed == 3 else [])
    )
    ran = CliRunner().invoke(command.main, ["--ledgers", "5"])
    assert ran.exit_code == 1
    assert "seed 3 (even): [('acme', 'rota', Leak(table='people'" in ran.output
    assert "even: 5 ledgers, 0 answers: 1 small sets" in ran.output


def test_nothing_tried_is_nothing_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "attack", lambda seed, **_: AttackResult(seed, "even"))
    assert CliRunner().invoke(command.main, ["--minutes", "-1"]).exit_code == 1


def test_a_database_that_may_hold_something_is_not_emptied() -> None:
    ran = CliRunner().invoke(command.main, ["--database", "postgresql+psycopg://somewhere/dmfeedback"])
    assert ran.exit_code == 2
    assert "must have 'attack' in it" in ran.output
