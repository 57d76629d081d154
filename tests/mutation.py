"""Would a test notice? `python -m tests.mutation`: in, rooms and how many; out, which small wrong changes no test sees.

    python -m tests.mutation                                  every change in every room: hours
    python -m tests.mutation --only outreach/gates --sample 20 --seed 3

Each change is made in a copy of the tree, one at a time, and the tests of its room run until the first fails. A change
that all of them let through is printed with its line, and the command ends with 1. What was found so far, and what of
it is no mistake, stands in mutation.md.

mutmut and cosmic-ray were weighed: both would be pins, mutmut 3 rewrites functions into trampolines, which frozen
dataclasses and tables built at import do not survive, and cosmic-ray starts a process and a session file a change.
"""

import argparse
import ast
import importlib
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
SQLITE = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "-k", "not postgresql"]
PLENTY, LEAST_S = 4, 60  # a change that makes the tests this much slower is noticed

ROOMS: Mapping[str, Sequence[str]] = {
    "outreach/gates": ("outreach/test_campaigns.py", "outreach/test_bad_luck.py", "outreach/test_walk.py"),
    "outreach/campaigns": ("outreach/test_campaigns.py", "outreach/test_walk.py", "outreach/test_ways.py"),
    "outreach/answers": (
        "outreach/test_answers.py", "outreach/test_refusals.py", "outreach/test_bad_luck.py", "outreach/test_walk.py",
    ),
    "outreach/unclear": ("outreach/test_unclear.py", "outreach/test_bad_luck.py"),
    "outreach": ("outreach",),
    "requests": ("requests", "outreach/test_walk.py", "outreach/test_by_hand.py", "outreach/test_unclear.py"),
    "results/merge": ("results/test_merge.py", "results/test_ingest.py", "results/test_ways.py"),
    "results/refresh": ("results/test_refresh.py", "results/test_allowance.py"),
    "results": ("results",),
    "intake/verify": (
        "intake/test_verify.py", "intake/test_verify_kinds.py", "intake/test_verify_vectors.py",
        "intake/test_definition.py", "intake/test_presets.py",
    ),
    "reports/disclosure": ("reports/disclosure", "reports/test_naming.py"),
    "x_api/allowance": ("x_api", "outreach/test_limits.py"),
    "auth": ("floor", "cli"),
}  # fmt: skip
"""Which tests speak of a file: those of the longest name it begins with, in this order."""
ROUND = ("outreach", "requests", "results", "intake/verify", "reports/disclosure")

COMPARISONS: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
SIGN_OF: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
SIGNS: Mapping[type[ast.operator], str] = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "*"}
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
UNSAID = {"log", "structlog"}  # what is logged is another test's point


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong change: the text from `start` to `end` of a file becomes `new`."""

    file: str
    line: int
    start: int
    end: int
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {' '.join(self.old.split())}  ->  {' '.join(self.new.split())}"

    def applied(self, text: str) -> str:
        raw = text.encode()
        return (raw[: self.start] + self.new.encode() + raw[self.end :]).decode()


def mutants(file: str, text: str) -> Iterator[Mutant]:
    """Every change of a file, in the order of its lines. Nothing in annotations, docstrings, logs and messages."""
    lines = [0]
    for line in text.encode().splitlines(keepends=True):
        lines.append(lines[-1] + len(line))

    def place(node: ast.AST) -> tuple[int, int]:
        return (
            lines[node.lineno - 1] + node.col_offset,  # type: ignore[attr-defined]
            lines[node.end_lineno - 1] + node.end_col_offset,  # type: ignore[attr-defined]
        )

    for node in _of_rules(ast.parse(text)):
        for part, new in _wrong(node):
            start, end = place(part)
            yield Mutant(file, part.lineno, start, end, text.encode()[start:end].decode(), new)  # type: ignore[attr-defined]


def _of_rules(node: ast.AST) -> Iterator[ast.AST]:
    """Everything that decides: no annotation, assertion, raised sentence or line of a log."""
    if isinstance(node, ast.Assert | ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.Expr) and (isinstance(node.value, ast.Constant) or _logs(node.value)):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "bases"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _of_rules(child)


def _logs(node: ast.AST) -> bool:
    named = node.func if isinstance(node, ast.Call) else node
    return isinstance(named, ast.Attribute) and isinstance(named.value, ast.Name) and named.value.id in UNSAID


def _wrong(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Compare):
        for at in range(len(node.ops)):
            yield node, _compared(node, at)
    elif isinstance(node, ast.BoolOp):
        other = "or" if isinstance(node.op, ast.And) else "and"
        yield node, "(" + f" {other} ".join(f"({ast.unparse(each)})" for each in node.values) + ")"
        for each in node.values:
            rest = [one for one in node.values if one is not each]
            word = " and " if isinstance(node.op, ast.And) else " or "
            yield node, "(" + word.join(f"({ast.unparse(one)})" for one in rest) + ")"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node, f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.BinOp) and type(node.op) in SIGNS and not _is_text(node):
        yield node, f"({ast.unparse(node.left)} {SIGNS[type(node.op)]} {ast.unparse(node.right)})"
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
        yield node.func, CALLS[node.func.id]
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield node, str(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield node, str(node.value + 1)


def _compared(node: ast.Compare, wrong: int) -> str:
    signs = [SIGN_OF[type(each)] for each in node.ops]
    signs[wrong] = COMPARISONS[type(node.ops[wrong])]
    parts = [f" {sign} ({ast.unparse(each)})" for sign, each in zip(signs, node.comparators, strict=True)]
    return f"(({ast.unparse(node.left)}){''.join(parts)})"


def _is_text(node: ast.BinOp) -> bool:
    return any(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in (node.left, node.right))


# -- trying them


def room_of(file: str, top: Path) -> list[str]:
    inside = file.removeprefix("service/").removesuffix(".py")
    room = max((each for each in ROOMS if inside.startswith(each)), key=len)
    return [f"tests/{each}" for each in ROOMS[room] if (top / "tests" / each).exists()]


def _run(copy: str, tests: Sequence[str]) -> None:
    os.chdir(copy)
    sys.path.insert(0, copy)
    sys.dont_write_bytecode = True
    for name in [each for each in sys.modules if each.partition(".")[0] in {"service", "tests"}]:
        del sys.modules[name]
    said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os._exit(int(pytest.main([*SQLITE, *tests])))


def ends(copy: Path, tests: Sequence[str], within: float) -> int | None:
    """How a run of tests ended: pytest's own number, or None where it took too long."""
    child = multiprocessing.get_context("fork").Process(target=_run, args=(str(copy), tests))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside a thread of xdist
        child.start()
    child.join(within)
    if child.is_alive():
        child.kill()
        child.join()
        return None
    return child.exitcode


def chosen(rooms: Sequence[str], sample: int | None, seed: int) -> list[Mutant]:
    found = [
        each
        for path in sorted(TOP.glob("service/**/*.py"))
        if any(path.relative_to(TOP / "service").as_posix().startswith(room) for room in rooms)
        for each in mutants(path.relative_to(TOP).as_posix(), path.read_text("utf-8"))
    ]
    print(f"{len(found)} changes in {', '.join(rooms)}", flush=True)
    return found if sample is None else sorted(random.Random(seed).sample(found, min(sample, len(found))), key=str)


LIBRARIES = (
    "alembic",
    "babel",
    "click",
    "cryptography",
    "flask",
    "httpx",
    "jmespath",
    "marshmallow",
    "rich",
)
"""Imported once, so that each try need not."""


def main() -> int:
    said = argparse.ArgumentParser(prog="python -m tests.mutation")
    said.add_argument("--only", nargs="+", default=list(ROUND), help="rooms, or beginnings of files: outreach/gates")
    said.add_argument("--sample", type=int, help="so many, drawn")
    said.add_argument("--seed", type=int, default=1)
    asked = said.parse_args()
    for name in LIBRARIES:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="dmf-mutation-") as folder:
        copy = Path(folder)
        for part in ("service", "tests", "deploy"):
            shutil.copytree(TOP / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("pyproject.toml", "openapi.yaml", "README.md"):
            shutil.copy(TOP / part, copy / part)
        return tried(copy, chosen(asked.only, asked.sample, asked.seed))


def tried(copy: Path, changes: Sequence[Mutant]) -> int:
    """Try every change; 1 where one lives. First the tests run without any, which also says how long they take."""
    patience: dict[tuple[str, ...], float] = {}
    alive = 0
    for number, each in enumerate(changes, 1):
        tests = tuple(room_of(each.file, copy))
        if tests not in patience:
            began = time.monotonic()
            if ends(copy, tests, 3600) != 0:
                sys.exit(f"{(copy / 'said.txt').read_text()[-3000:]}\n{' '.join(tests)} fail without any change")
            patience[tests] = max(LEAST_S, PLENTY * (time.monotonic() - began))
        file = copy / each.file
        text = file.read_text("utf-8")
        file.write_text(each.applied(text), "utf-8")
        lives = ends(copy, tests, patience[tests]) == 0
        file.write_text(text, "utf-8")
        alive += lives
        print(f"{number:4}/{len(changes)}  {'LIVES ' if lives else 'killed'}  {each}", flush=True)
    print(f"{len(changes) - alive} of {len(changes)} killed")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
