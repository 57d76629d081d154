"""Every refusal there is, in words, for /docs/problems: codes with status and sentence, found in our own source.

A sentence stands where it is raised, so that a reader of the code sees it; here it is only found. What is filled in at
run time is shown as an ellipsis.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from service import errors
from service.web.statuses import PHRASES

SOURCE = Path(errors.__file__).parent
KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.ServiceError)
}
CALLS = re.compile(rf"\b({'|'.join(KINDS)})\(")


@dataclass(frozen=True, slots=True)
class Problem:
    """One code, its status and sentence."""

    code: str
    status: int
    title: str
    sentences: tuple[str, ...]


@cache
def known(plain: tuple[tuple[int, str], ...] = ()) -> Mapping[str, Problem]:
    """Return every problem by its code; `plain` are HTTP's own statuses and their codes."""
    found = {code: Problem(code, status, PHRASES[status], ()) for status, code in plain}
    texts = (path.read_text("utf-8") for path in sorted(SOURCE.rglob("*.py")))
    for text in filter(CALLS.search, texts):  # most files refuse nothing, and a syntax tree is dear
        for each in _raised(ast.parse(text)):
            said = found[each.code].sentences if each.code in found else ()
            sentences = tuple(dict.fromkeys([*said, *each.sentences]))
            found[each.code] = Problem(each.code, each.status, each.title, sentences)
    return MappingProxyType(dict(sorted(found.items())))


def _raised(tree: ast.Module) -> Iterator[Problem]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        kind = KINDS.get(getattr(node.func, "id", getattr(node.func, "attr", "")))
        code = _text(node.args[0]) if kind is not None and node.args else None
        if kind is not None and code and code.isidentifier():
            sentence = _text(node.args[1]) if len(node.args) > 1 else None
            yield Problem(code, kind.status, kind.title, (sentence,) if sentence else ())


def _text(node: ast.expr) -> str | None:
    """A literal text, with what is filled in as an ellipsis; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else "…" for each in node.values)
    return None
