"""Keeps which test runs which line, for the next run over the same files.

Learning takes minutes on a busy machine, and an interrupted run need not repeat it. If one letter of the service or of
the tests (except this folder) has changed, nothing is reused.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Ran = tuple[float, frozenset[tuple[str, int]]]
"""Seconds a test takes, and the lines it runs."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """Tests by their names, those that reach nothing too; and which fail in here without any change."""

    tests: Mapping[str, Ran]
    left_out: Sequence[str]


def read(kept: Path | None, top: Path) -> Remembered | None:
    """Return what was learnt of these very files."""
    if kept is None or not kept.exists():
        return None
    told = json.loads(kept.read_text("utf-8"))
    if told["of"] != _of(top):
        return None
    tests = {name: (s, frozenset((file, line) for file, line in lines)) for name, s, lines in told["tests"]}
    return Remembered(tests, told["left_out"])


def write(kept: Path | None, top: Path, found: Iterable[tuple[str, Ran]], left_out: Sequence[str]) -> None:
    """Store it."""
    if kept is not None:
        tests = [(name, seconds, sorted(lines)) for name, (seconds, lines) in found]
        kept.write_text(json.dumps({"of": _of(top), "tests": tests, "left_out": left_out}), "utf-8")


def _of(top: Path) -> str:
    """A name of everything that decides what a test runs."""
    found = (each for folder in ("service", "tests") for each in (top / folder).rglob("*.py"))
    files = sorted(each for each in found if not each.is_relative_to(Path(__file__).parent))
    said = hashlib.sha256(str(top).encode())
    for each in files:
        said.update(str(each.relative_to(top)).encode() + each.read_bytes())
    return said.hexdigest()
