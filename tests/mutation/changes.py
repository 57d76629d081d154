"""The wrong changes to try in a file: each small change that makes it decide differently.

A comparison at its edge or turned round, `and`/`or`, a condition left out, `not` removed, `+`/`-`, `*` and `/`,
`min`/`max`, `any`/`all`, a number one larger, True/False. Never in annotations, docstrings, error sentences and log
lines, which have tests of their own.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
UNSAID = {"log", "structlog"}  # what is logged is another test's point
LOCKS = {"skip_locked", "key_share"}  # of PostgreSQL alone, and what is tried here runs on SQLite
AT_ONCE = "AT_ONCE"  # ends names of how much is done in one go: with any number the same is done in the end


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong change: the text from `start` to `end` of a file becomes `new`. Its statement runs on `lines`."""

    file: str
    line: int
    start: int
    end: int
    old: str
    new: str
    lines: frozenset[int] = frozenset()
    within_a_function: bool = True  # else it has its effect when the file is imported
    names: frozenset[str] = frozenset()  # ... in what these names stand for, wherever they are used
    stands_in: str = ""  # the line it begins on without its comment, to tell it from another like it

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.said}"

    @property
    def said(self) -> str:
        """The change in one line."""
        return f"{' '.join(self.old.split())}  ->  {' '.join(self.new.split())}"

    def applied(self, text: str) -> str:
        """The changed text, every line of it where it was."""
        raw = text.encode()
        fewer = self.old.count("\n") - self.new.count("\n")
        new = f"{self.new[:-1]}{fewer * chr(10)}{self.new[-1]}" if fewer else self.new
        return (raw[: self.start] + new.encode() + raw[self.end :]).decode()


@dataclass(frozen=True, slots=True)
class _Place:
    """A part of a rule: the node, the lines its statement runs on, whether a function is around it, else its name."""

    node: ast.AST
    lines: frozenset[int]
    inside: bool
    names: frozenset[str] = frozenset()


def mutants(file: str, text: str) -> Iterator[Mutant]:
    """Every change of a file, in the order of its lines. Nothing in annotations, docstrings, logs and messages."""
    raw, lines = text.encode(), [0]
    for line in raw.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))

    def span(node: Any) -> tuple[int, int]:
        return lines[node.lineno - 1] + node.col_offset, lines[node.end_lineno - 1] + node.end_col_offset

    for place in _of_rules(_Place(ast.parse(text), frozenset(), inside=False)):
        for part, new in _wrong(place.node):
            start, end = span(part)
            old = raw[start:end].decode()
            lines_of = place.lines | _own(part)
            stands_in = text.splitlines()[part.lineno - 1].partition("  #")[0].strip()
            yield Mutant(file, part.lineno, start, end, old, new, lines_of, place.inside, place.names, stands_in)


def naming(text: str, names: frozenset[str]) -> frozenset[int]:
    """The lines of a file that speak of one of these names."""
    nodes = ast.walk(ast.parse(text))
    return frozenset(
        each.lineno
        for each in nodes
        if (isinstance(each, ast.Name) and each.id in names) or (isinstance(each, ast.Attribute) and each.attr in names)
    )


def _of_rules(place: _Place) -> Iterator[_Place]:
    """Everything that decides: no annotation, assertion, raised sentence or line of a log."""
    node = place.node
    if isinstance(node, ast.Assert | ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.Expr) and (isinstance(node.value, ast.Constant) or _logs(node.value)):
        return
    if _asserts(node) or any(each.endswith(AT_ONCE) for each in place.names):
        return
    yield place
    left_alone = {"annotation", "returns", "decorator_list", "bases", "args" if _reads_one(node) else ""}
    for name, value in ast.iter_fields(node):
        if name in left_alone:
            continue
        inside = place.inside or (isinstance(node, FUNCTIONS) and name == "body")
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                names = frozenset() if _is_in_a_def(node, name) else (not inside and _named(child)) or place.names
                yield from _of_rules(_Place(child, _lines(child, place.lines), inside, names))


def _is_in_a_def(node: ast.AST, name: str) -> bool:
    """Whether a part runs where statements do, and not in a function of a table."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and name == "body"


def _named(node: ast.AST) -> frozenset[str]:
    """What a statement of a module or a class gives a value to."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return frozenset({node.name})
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    found = (name for target in targets if target for name in ast.walk(target))
    return frozenset(each.id for each in found if isinstance(each, ast.Name))


def _lines(node: ast.AST, around: frozenset[int]) -> frozenset[int]:
    """Those of a statement: all of a plain one, the first of one that holds others."""
    if not isinstance(node, ast.stmt):
        return around
    return frozenset({node.lineno}) if hasattr(node, "body") else _own(node)


def _own(node: Any) -> frozenset[int]:
    return frozenset(range(node.lineno, node.end_lineno + 1))


def _logs(node: ast.AST) -> bool:
    named = node.func if isinstance(node, ast.Call) else node
    return isinstance(named, ast.Attribute) and isinstance(named.value, ast.Name) and named.value.id in UNSAID


def _asserts(node: ast.AST) -> bool:
    """Whether it is a word that changes nothing while all is well: as many on one side as on the other, a lock."""
    if not isinstance(node, ast.keyword):
        return False
    return node.arg in LOCKS or (
        node.arg == "strict" and isinstance(node.value, ast.Constant) and bool(node.value.value)
    )


def _reads_one(node: ast.AST) -> bool:
    """Whether it is `limit(1)`: who looks at the first row sees the same where there are two."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "limit"):
        return False
    return isinstance(node.args[0], ast.Constant) and node.args[0].value == 1


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
        yield node, f"(({ast.unparse(node.left)}) {SIGNS[type(node.op)]} ({ast.unparse(node.right)}))"
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
