"""Rows as CSV (RFC 4180): UTF-8, CRLF, a header, no footer, empty means none.

Every text cell is quoted, and none is a formula (formula_injection.py). Ids, times and numbers stay as they are.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from service.reports.formula_injection import guarded
from service.reports.rows.row import COLUMNS, KINDS, Columns, stamp, texts_of

BOM = b"\xef\xbb\xbf"
SEPARATORS = {"comma": ",", "semicolon": ";"}


@dataclass(frozen=True, slots=True)
class Form:
    """How the file is written. `raw`: nothing guarded, for programs."""

    bom: bool = False
    separator: str = "comma"
    raw: bool = False


def lines(pages: Iterable[Columns], form: Form) -> Iterator[bytes]:
    """Return the file in pieces of a page."""
    between = SEPARATORS[form.separator]
    yield (BOM if form.bom else b"") + (between.join(COLUMNS) + "\r\n").encode()
    cells = [_cells(name, kind, form) for name, kind in zip(COLUMNS, KINDS, strict=True)]
    for page in pages:
        if page[0]:
            made = [each(column) for each, column in zip(cells, page, strict=True)]
            yield ("\r\n".join(map(between.join, zip(*made, strict=True))) + "\r\n").encode()


def _cells(name: str, kind: str, form: Form) -> Callable[[Sequence[Any]], list[str]]:
    """What makes cells of a column."""
    text: Callable[[str], str] = _quoted if form.raw or name == "request_id" else _quoted_and_guarded
    made: dict[str, Callable[[Any], str]] = {
        "text": text,
        "list": lambda each: text(", ".join(each)) if each else "",
        "time": stamp,
        "number": str,
        "flag": lambda each: "true" if each else "false",
    }
    return texts_of(name, made[kind], "")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _quoted_and_guarded(text: str) -> str:
    return _quoted(guarded(text))
