"""What is changed, and which tests are asked about it."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.changes import Mutant, mutants
from tests.mutation.explained import is_no_mistake

TOP = Path(__file__).parents[2]

ROOMS: Mapping[str, Sequence[str]] = {
    "outreach": ("outreach", "requests", "processes/test_clock_set_back.py"),
    "requests": ("requests", "outreach"),
    "results": ("results",),
    "intake/verify": (
        "intake/test_verify.py", "intake/test_verify_kinds.py", "intake/test_verify_vectors.py",
        "intake/test_verify_edges.py", "intake/test_sample.py",
        "intake/test_definition.py", "intake/test_presets.py", "intake/test_routes.py", "floor/test_settings.py",
        "cli/test_source_commands.py",
    ),
    "reports/disclosure": ("reports",),
    "accounts": ("outreach", "floor/test_health.py"),
    "x_api": ("x_api", "outreach/test_limits.py", "outreach/test_refusals.py"),
    "auth": ("floor", "cli"),
}  # fmt: skip
"""Rooms of the service, and the tests that speak of them."""
ROUND = ("outreach", "requests", "results", "intake/verify", "reports/disclosure")


@dataclass(frozen=True, slots=True)
class Slice:
    """Changes of one room, and the tests that are asked about all of them."""

    room: str
    tests: tuple[str, ...]
    changes: tuple[Mutant, ...]
    explained: tuple[Mutant, ...] = ()  # those drawn that are no mistakes


def room_of(file: str) -> str:
    """The longest name of a room that the file begins with."""
    inside = file.removeprefix("service/").removesuffix(".py")
    return max((each for each in ROOMS if inside.startswith(each)), key=len)


def paths_of(room: str, top: Path) -> tuple[str, ...]:
    return tuple(f"tests/{each}" for each in ROOMS[room] if (top / "tests" / each).exists())


def drawn(begins: Sequence[str], sample: int | None, seed: int) -> Iterator[Slice]:
    """The changes of what begins so, or `sample` of each room's; a room after the other."""
    found: dict[str, list[Mutant]] = {}
    for path in sorted(TOP.glob("service/**/*.py")):
        inside = path.relative_to(TOP / "service").as_posix()
        if any(inside.startswith(each) for each in begins):
            file = f"service/{inside}"
            found.setdefault(room_of(file), []).extend(mutants(file, path.read_text("utf-8")))
    for room, changes in found.items():
        some = _some(changes, len(changes) if sample is None else sample, seed)
        wrong, explained = (tuple(each for each in some if is_no_mistake(each) is said) for said in (False, True))
        yield Slice(room, paths_of(room, TOP), wrong, explained)


def _some(changes: Sequence[Mutant], most: int, seed: int) -> Sequence[Mutant]:
    """Drawn by what they say, not by their place: after an edit elsewhere a seed draws the same once more."""
    seen: Counter[tuple[str, str]] = Counter()
    ranks = {}
    for each in changes:
        seen[each.file, each.said] += 1
        said = f"{seed} {each.file} {each.said} {seen[each.file, each.said]}"
        ranks[each] = hashlib.sha256(said.encode()).digest()
    chosen = set(sorted(changes, key=ranks.__getitem__)[:most])
    return [each for each in changes if each in chosen]
