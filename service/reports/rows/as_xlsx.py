"""Rows as XLSX: typed cells, a frozen header row, and a second sheet that explains the columns.

Written here rather than with a library, which would build an object per cell: the format is a few XML documents in a
zip. Times are in UTC, as the header says, because sheets know no zones. A cell holds 32,767 characters; a longer text
is cut and says so. Text cells are text to a spreadsheet, so nothing can be a formula; numbers are numbers, whatever
decimal mark a country uses.
"""

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from service.db import to_micros
from service.errors import Invalid
from service.reports.rows import xlsx_parts
from service.reports.rows.as_parquet import read, temporary_file
from service.reports.rows.row import COLUMNS, KINDS, REPEATED, SAYS, SECOND, Columns, ValueCache
from service.reports.statistics.definitions import define
from service.reports.thresholds import Thresholds

MOST = 1_048_575  # the sheet's rows without the head
MOST_BYTES = 2_000_000_000  # of the sheet before it is compressed; beyond, a zip needs a form that old readers lack
LONGEST = 32_767  # UTF-16 units
CUT = " … [cut: a cell holds 32,767 characters]"
DAY = 86_400 * SECOND
DAYS_BEFORE_1970 = 25_569  # a sheet counts from the end of 1899
FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
WIDTHS = {"text": 18, "time": 20, "number": 12, "flag": 10, "list": 18}


def pieces(pages: Iterable[Columns], thresholds: Thresholds) -> Iterator[bytes]:
    """Return the file in pieces, its definitions using these thresholds.

    Raises Invalid before the first piece if a sheet cannot hold the rows.
    """
    heads = [(head(name, kind), SAYS[name]) for name, kind in zip(COLUMNS, KINDS, strict=True)]
    return _book("feedback", _feedback(pages), heads, thresholds)


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]], thresholds: Thresholds) -> Iterator[bytes]:
    """Return a table of figures as a file, each column with its words; None is an empty cell, moments are in UTC."""
    return _book("figures", _table([name for name, _ in columns], rows), columns, thresholds)


def _book(
    name: str, first: Iterable[bytes], columns: Iterable[tuple[str, str]], thresholds: Thresholds
) -> Iterator[bytes]:
    with temporary_file() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=2) as book:
            for path, text in xlsx_parts.parts(name).items():
                book.writestr(zipfile.ZipInfo(path), text)
            with book.open(_part("xl/worksheets/sheet1.xml"), "w") as part:
                size = 0
                for piece in first:
                    size += part.write(piece)
                    if size > MOST_BYTES:
                        raise Invalid("too_many_rows", "This is more than a sheet holds; narrow the filter or use CSV.")
            book.writestr(_part("xl/worksheets/sheet2.xml"), _definitions(columns, thresholds))
        yield from read(file)


def _part(name: str) -> zipfile.ZipInfo:
    """A part of the workbook, without a date, so that equal rows make equal files."""
    part = zipfile.ZipInfo(name)
    part.compress_type = zipfile.ZIP_DEFLATED
    return part


def _feedback(pages: Iterable[Columns]) -> Iterator[bytes]:
    yield xlsx_parts.opening([(head(name, kind), WIDTHS[kind]) for name, kind in zip(COLUMNS, KINDS, strict=True)])
    number = 2
    for page in pages:
        rows = len(page[0])
        if number - 2 + rows > MOST:
            raise Invalid("too_many_rows", f"A sheet holds {MOST:,} rows; narrow the filter or use CSV.")
        yield _lines(page, range(number, number + rows))
        number += rows
    yield xlsx_parts.ENDING


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    yield xlsx_parts.opening([(name, WIDTHS["text"]) for name in heads])
    places = [xlsx_parts.letters(at) for at in range(len(heads))]
    for number, row in enumerate(rows, 2):
        told = [(place, value) for place, value in zip(places, row, strict=True) if value is not None]
        cells = "".join(f'<c r="{place}{number}{_any(value)}' for place, value in told)
        yield f'<row r="{number}">{cells}</row>'.encode()
    yield xlsx_parts.ENDING


def _any(value: Any) -> str:
    """A cell of whatever this is."""
    if isinstance(value, datetime):
        return _time(to_micros(value))
    return SHOWN["flag" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"](value)


def head(name: str, kind: str) -> str:
    """A column's head: sheets know no zones, so it tells that of a time."""
    return f"{name} (UTC)" if kind == "time" else name


def _lines(page: Columns, numbers: range) -> bytes:
    places = [xlsx_parts.letters(at) for at in range(len(COLUMNS))]
    kept = {kind: ValueCache(shown, "") for kind, shown in SHOWN.items()}
    cells = [
        _cells(kept[kind].__getitem__ if name in REPEATED else SHOWN[kind], place, column, numbers)
        for name, kind, place, column in zip(COLUMNS, KINDS, places, page, strict=True)
    ]
    rows = zip(numbers, map("".join, zip(*cells, strict=True)), strict=False)
    return "".join([f'<row r="{number}">{row}</row>' for number, row in rows]).encode()


def _cells(shown: Callable[[Any], str], place: str, column: Iterable[Any], numbers: range) -> list[str]:
    opened = f'<c r="{place}'
    return ["" if each is None else f"{opened}{at}{shown(each)}" for each, at in zip(column, numbers, strict=False)]


def _text(value: str) -> str:
    return f'" t="inlineStr"><is><t xml:space="preserve">{escaped(value)}</t></is></c>'


def _time(value: int) -> str:
    return f'" s="{xlsx_parts.TIME}"><v>{value / DAY + DAYS_BEFORE_1970!r}</v></c>'


SHOWN: dict[str, Callable[[Any], str]] = {
    "text": _text,
    "list": lambda value: _text(", ".join(value)),
    "time": _time,
    "number": lambda value: f'"><v>{value}</v></c>',
    "flag": lambda value: f'" t="b"><v>{1 if value else 0}</v></c>',
}


def escaped(text: str) -> str:
    """Text for XML, cut at a cell's limit; what XML cannot hold is written as Excel does."""
    if len(text) > LONGEST // 2:
        text = _cut(text)
    if FORBIDDEN.search(text):
        text = FORBIDDEN.sub(lambda match: f"_x{ord(match[0]):04X}_", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str) -> str:
    units = text.encode("utf-16-le")
    if len(units) <= 2 * LONGEST:
        return text
    return units[: 2 * (LONGEST - len(CUT))].decode("utf-16-le", "ignore") + CUT


def _definitions(columns: Iterable[tuple[str, str]], thresholds: Thresholds) -> bytes:
    """What each column is, and how our figures are calculated from such rows."""
    figures = [
        (each.title, f"{each.formula} Left out, and limits: {each.exclusions}") for each in define(thresholds).values()
    ]
    rows = [*columns, *figures]
    body = "".join(
        f'<row r="{at}"><c r="A{at}{_text(name)}<c r="B{at}{_text(says)}</row>'
        for at, (name, says) in enumerate(rows, 2)
    )
    return xlsx_parts.opening([("column or figure", 24), ("what it is", 110)]) + body.encode() + xlsx_parts.ENDING
