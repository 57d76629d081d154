"""The rows of a CSV file that a spreadsheet saved, or what is wrong with it. Knows no column, opens no file.

A line break inside a cell stays: dropped, it would make one number of two.
"""

import csv
import io
from collections.abc import Iterator, Mapping

from service.errors import Invalid

Rows = Iterator[tuple[int, Mapping[str, str]]]


def read_rows(text: str) -> tuple[list[str], Rows]:
    """Return the column names and, with their line numbers, the rows that are not empty. Raises Invalid, also later."""
    lines = _lines(text)
    heads = [each.strip().lower() for each in next(lines, (0, []))[1]]
    return heads, _named(heads, lines)


def _named(heads: list[str], lines: Iterator[tuple[int, list[str]]]) -> Rows:
    for number, cells in lines:
        if any(cells[len(heads) :]):
            raise Invalid("wrong_csv", f"line {number} has more cells than the first. Nothing was kept.")
        if any(each.strip() for each in cells):
            missing = [""] * (len(heads) - len(cells))
            yield number, dict(zip(heads, [each.strip() for each in cells] + missing, strict=False))


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    separator = ";" if ";" in text.partition("\n")[0] else ","  # a spreadsheet writes it after its language
    found = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in found:
            yield found.line_num, cells
    except csv.Error as error:
        said = f"The file is no CSV after line {found.line_num}: {error}. Nothing was kept."
        raise Invalid("wrong_csv", said) from error
