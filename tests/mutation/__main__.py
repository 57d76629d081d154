"""`python -m tests.mutation`: which changes of the chosen rooms no test notices, and the rate.

    python -m tests.mutation                                      every change in every room
    python -m tests.mutation --only outreach/gates --sample 20 --seed 3

A change that no test notices is printed with its line, and the command exits with 1. Earlier findings, and changes that
are no mistake, are in tests/mutation.md. SQLite only; writes nothing into the tree.
"""

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutation.afresh import OPTIONS, Afresh, Task, names
from tests.mutation.changes import Mutant
from tests.mutation.rooms import ROUND, TOP, Slice, drawn, room_of
from tests.mutation.session import Kept, Learnt, Verdict


def main() -> int:
    said = argparse.ArgumentParser(prog="python -m tests.mutation")
    said.add_argument("--only", nargs="+", default=list(ROUND), help="rooms, or beginnings of files: outreach/gates")
    said.add_argument("--sample", type=int, help="so many of each room, drawn")
    said.add_argument("--seed", type=int, default=1)
    said.add_argument("--again", type=Path, help="only what lived in an earlier run, whose lines stand in this file")
    said.add_argument("--told", type=Path, help="without what an earlier run, cut off, has told in this file")
    said.add_argument("--tests", nargs="+", help="instead of the room's")
    said.add_argument("--learnt", type=Path, help="keeps what tests run, for a next run over the same files")
    said.add_argument("--patience", type=float, default=10.0, help="seconds of tests a change, the quickest first")
    asked = said.parse_args()
    os.chdir(TOP)
    afresh, verdicts = Afresh(), list[Verdict]()
    again, told = (each.read_text("utf-8") if each else None for each in (asked.again, asked.told))
    for each in drawn(asked.only, asked.sample, asked.seed, again, told):
        some = replace(each, tests=tuple(asked.tests or each.tests))
        found = tried(TOP, some, asked.patience, afresh, asked.learnt)
        for room in each.rooms:
            mine = [one for one in found if room_of(one.change.file) == room]
            more = sum(room_of(one.file) == room for one in each.explained)
            print(f"{room}: {rate(mine)}; {more} more were drawn that are no mistakes", flush=True)
        verdicts += found
    afresh.close()
    print(f"all: {rate(verdicts)}")
    return 0 if all(each.killed for each in verdicts) else 1


def tried(top: Path, some: Slice, patience_s: float, afresh: Afresh, keeps: Path | None = None) -> list[Verdict]:
    """Try every change of a room. Exits if its tests fail without any."""
    found: list[Verdict] = []

    def told(one: Verdict) -> None:
        found.append(one)
        word = "killed" if one.killed else "LIVES "
        print(f"{len(found):4}/{len(some.changes)}  {word}  {one.change}   [{one.by}; {one.seconds:.1f} s]", flush=True)

    def at_import(change: Mutant, tests: Sequence[Learnt]) -> Verdict:
        text = change.applied((top / change.file).read_text("utf-8"))
        seconds = sum(each.seconds for each in tests)
        failed = afresh.failed(Task(str(top / change.file), text, names(tests), 12 * seconds))
        return Verdict(change, killed=failed, by=f"imported anew, {len(tests)} tests", seconds=seconds)

    files = some.files or frozenset(each.file for each in some.changes)
    kept = Kept(top, some.changes, patience_s, told, at_import, files, keeps)
    with tempfile.TemporaryDirectory(prefix="dmf-mutation-") as place:
        code = pytest.main([*OPTIONS, f"--basetemp={place}/tests", *some.tests], plugins=[kept])
    if len(found) < len(some.changes):
        sys.exit(f"{', '.join(some.rooms)}: not tried to the end ({code})")
    return found


def rate(found: Sequence[Verdict]) -> str:
    """Noticed changes of all, with a 95 % interval (Wilson)."""
    n, killed = len(found), sum(each.killed for each in found)
    z, p = 1.96, killed / max(1, n)
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((middle + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    return f"{killed} of {n} killed, {p:.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    sys.exit(main())
