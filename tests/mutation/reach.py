"""Records which statements a test runs, in threads too.

Each statement of a function reports that it runs. The functions get such code in memory, like a change that is tried: a
tracer would see every call of every library as well, and takes three times as long.
"""

import ast
import builtins
import importlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType

from tests.mutation import live

Line = tuple[str, int]
NOTE = "__ran__"  # among the builtins while it is noted, so that no function needs to have it
BODIES = ("body", "orelse", "finalbody")


class Reach:
    """Records executed lines of chosen files."""

    def __init__(self, top: Path, files: Iterable[str]) -> None:
        self._top, self._files = top, sorted(files)
        self._seen: set[Line] = set()

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Their functions say what they run until the end of this."""
        for each in self._files:
            importlib.import_module(each.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
        alive = live.Alive.now()
        before = [(each, each.__code__) for those in alive.functions.values() for each in those]
        setattr(builtins, NOTE, lambda number, line: self._seen.add((self._path(self._files[number]), line)))
        for number, each in enumerate(self._files):
            text = (self._top / each).read_text("utf-8")
            live.put(self._path(each), compile(text, self._path(each), "exec"), self._telling(number, text), alive)
        try:
            yield
        finally:
            for function, code in before:
                function.__code__ = code

    def taken(self) -> frozenset[Line]:
        """What has been run since it was asked last."""
        found = frozenset(self._seen)
        self._seen.clear()
        return found

    def _path(self, file: str) -> str:
        return str(self._top / file)

    def _telling(self, number: int, text: str) -> CodeType:
        tree = ast.parse(text)
        for each in ast.walk(tree):
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                _tell(each, number)
        return compile(ast.fix_missing_locations(tree), self._path(self._files[number]), "exec")


def _tell(node: ast.AST, number: int) -> None:
    """Put a word before every statement in it; a function within it is told by itself."""
    for each in ast.iter_child_nodes(node):
        if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.expr):
            _tell(each, number)
    for name in BODIES:
        statements = getattr(node, name, None)
        if isinstance(statements, list):
            setattr(node, name, [one for each in statements for one in (_word(number, each.lineno), each)])


def _word(number: int, line: int) -> ast.stmt:
    arguments: list[ast.expr] = [ast.Constant(number), ast.Constant(line)]
    word = ast.Expr(ast.Call(ast.Name(NOTE, ast.Load()), arguments, []))
    return ast.copy_location(word, ast.Pass(lineno=line, col_offset=0, end_lineno=line, end_col_offset=0))
