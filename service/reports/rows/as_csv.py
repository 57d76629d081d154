"""Rows as CSV: in, pages by column; out, bytes. RFC 4180: UTF-8, CRLF, a header, no footer, empty means none.

Every text cell is quoted. Where a spreadsheet would compute, an apostrophe stands before the sign: at the beginning of
a cell and after every separator or line break, for a file that is cut elsewhere than we meant. Ids, times and numbers
stay as they are: a sign before a number is no formula.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from service.reports.rows.row import COLUMNS, KINDS, REPEATED, Columns, Kept, stamp, written

BOM = b"\xef\xbb\xbf"
SEPARATORS = {"comma": ",", "semicolon": ";"}
CUTS = r",;\t|\r\n\x0b\x0c\x85\u2028\u2029"  # what a spreadsheet may take for the end of a cell
NUMBER = rf'[+\-][0-9][0-9 ]*(?:\.[0-9]+)?(?=\Z|[{CUTS}"])'
BEGINS = rf"(?:^|[{CUTS}])"
UNSEEN = "\u00a0\u00ad\u200b-\u200f\u2060\u3000\ufeff"  # what a spreadsheet may take for nothing before a sign
FORMULA = re.compile(
    rf"""({BEGINS}(?:["\s{UNSEEN}]*(?=[=@＝＠])|"*(?=[+\-＋－])(?!{NUMBER})))""",  # noqa: RUF001 - full-width signs compute in Japan
    re.ASCII,
)
SIGNS = "=@+-＝＠＋－"  # noqa: RUF001 - as above
ODD_FIRST = re.compile(rf"""[{re.escape(SIGNS)}"\s{UNSEEN}]""", re.ASCII)
SUSPECT = re.compile(rf"""[{CUTS}]["\s{UNSEEN}]*[{re.escape(SIGNS)}]""", re.ASCII)
"""Nearly no text has it, and looking for it costs a tenth of the whole rule."""


@dataclass(frozen=True, slots=True)
class Form:
    """How the file is written. `raw`: nothing guarded, for programs."""

    bom: bool = False
    separator: str = "comma"
    raw: bool = False


def guarded(text: str) -> str:
    """Text that no spreadsheet calculates."""
    if ODD_FIRST.match(text) is None and SUSPECT.search(text) is None:
        return text
    safe = FORMULA.sub(r"\1'", text)
    return f"'{safe}" if safe.startswith(("\t", "\r", "\n")) else safe


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
    return Kept(made[kind], "").of if name in REPEATED else partial(written, made[kind], "")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _quoted_and_guarded(text: str) -> str:
    return _quoted(guarded(text))
