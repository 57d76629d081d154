"""What is changed, and which tests are run for it."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.changes import Mutant, mutants
from tests.mutation.explained import is_no_mistake, named

TOP = Path(__file__).parents[2]

OF_THE_LEDGER = (
    "requests", "outreach", "results", "processes/test_clock_set_back.py", "reports/test_changes.py",
    "floor/test_batch_deletion.py", "floor/test_totals.py", "cli/test_campaign_commands.py",
    "cli/test_result_commands.py", "encrypting",
)  # fmt: skip
"""These rooms write the same rows: one learning serves all three."""

ROOMS: Mapping[str, Sequence[str]] = {
    "outreach": OF_THE_LEDGER,
    "requests": OF_THE_LEDGER,
    "results": OF_THE_LEDGER,
    "intake/verify": (
        "intake/test_verify.py", "intake/test_verify_kinds.py", "intake/test_verify_vectors.py",
        "intake/test_verify_edges.py", "intake/test_explain.py", "intake/test_sample.py", "intake/test_handshake.py",
        "intake/test_definition.py", "intake/test_presets.py", "intake/test_routes.py", "floor/test_settings.py",
        "cli/test_source_commands.py",
    ),
    "reports/disclosure": (
        "reports/disclosure", "reports/test_naming.py", "reports/test_ways_of_asking.py",
        "reports/attack/test_looks.py", "reports/attack/test_attack.py",
    ),
    "reports": (
        "reports/test_figures.py", "reports/test_differences.py", "reports/test_judging.py",
        "reports/test_statistics.py", "reports/test_feeds.py", "reports/test_api.py", "reports/test_ways_of_asking.py",
        "reports/test_figures_are_rows.py", "reports/counting", "reports/test_people.py", "reports/test_handled_by.py",
    ),
    "accounts": ("outreach", "floor/test_health.py"),
    "x_api": ("x_api", "outreach/test_limits.py", "outreach/test_refusals.py"),
    "auth": ("floor", "cli"),
}  # fmt: skip
"""Rooms of the service, and the tests that speak of them."""
TOLD = re.compile(r"(LIVES|killed) +service/(\S+)\.py:\d+: (.*?) {3}\[")
"""How a run prints what became of a change."""

ROUND = ("outreach", "requests", "results", "intake/verify", "reports/disclosure")


@dataclass(frozen=True, slots=True)
class Slice:
    """Changes of rooms that have the same tests, and these."""

    rooms: tuple[str, ...]
    tests: tuple[str, ...]
    changes: tuple[Mutant, ...]
    explained: tuple[Mutant, ...] = ()  # those drawn that are no mistakes
    files: frozenset[str] = frozenset()  # all that begin so, also those of which nothing was drawn


def room_of(file: str) -> str:
    """The longest name of a room that the file begins with."""
    inside = file.removeprefix("service/").removesuffix(".py")
    return max((each for each in ROOMS if inside.startswith(each)), key=len)


def paths_of(room: str, top: Path) -> tuple[str, ...]:
    return tuple(f"tests/{each}" for each in ROOMS[room] if (top / "tests" / each).exists())


def drawn(
    begins: Sequence[str], sample: int | None, seed: int, again: str | None = None, told: str | None = None
) -> Iterator[Slice]:
    """The changes of what begins so, or `sample` of each room's. Rooms with the same tests are learnt once, together.

    Of them only what lived in the run that printed `again`, and nothing of which `told` says what became of it.
    """
    found: dict[str, list[Mutant]] = {}
    for path in sorted(TOP.glob("service/**/*.py")):
        inside = path.relative_to(TOP / "service").as_posix()
        if any(inside.startswith(each) for each in begins):
            file = f"service/{inside}"
            found.setdefault(room_of(file), []).extend(mutants(file, path.read_text("utf-8")))
    chosen: dict[Sequence[str], dict[str, Sequence[Mutant]]] = {}
    for room, changes in found.items():
        some = _some(changes, len(changes) if sample is None else sample, seed)
        lived, had = of_print(again, "LIVES"), of_print(told, "LIVES", "killed")
        some = [each for each in some if (again is None or named(each) in lived) and named(each) not in had]
        chosen.setdefault(ROOMS[room], {})[room] = some
    for those in chosen.values():
        every = [each for some in those.values() for each in some]
        wrong, explained = (tuple(each for each in every if is_no_mistake(each) is said) for said in (False, True))
        files = frozenset(each.file for room in those for each in found[room])
        yield Slice(tuple(those), paths_of(next(iter(those)), TOP), wrong, explained, files)


def of_print(printed: str | None, *words: str) -> frozenset[str]:
    """The changes of which a run printed one of these words."""
    return frozenset(f"{file}: {said}" for word, file, said in TOLD.findall(printed or "") if word in words)


def _some(changes: Sequence[Mutant], most: int, seed: int) -> Sequence[Mutant]:
    """Drawn by what they say, not by their place: after an edit elsewhere a seed draws the same once more.

    In the order of the lots, so that the first of them are a draw too, should a run be cut off.
    """
    seen: Counter[tuple[str, str]] = Counter()
    ranks = {}
    for each in changes:
        seen[each.file, each.said] += 1
        said = f"{seed} {each.file} {each.said} {seen[each.file, each.said]}"
        ranks[each] = hashlib.sha256(said.encode()).digest()
    return sorted(changes, key=ranks.__getitem__)[:most]
