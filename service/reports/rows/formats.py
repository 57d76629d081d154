"""Rows in, bytes out: CSV, JSON Lines, XLSX, Parquet. Column names never change and are never translated.

CSV is RFC 4180: UTF-8, CRLF, a header row, no footer, empty means none. Text that a spreadsheet would take for a
formula gets an apostrophe in front. XLSX and Parquet need an extra package, which is loaded when first asked for.
"""

import csv
import importlib
import io
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from typing import IO, Any

from service.errors import Invalid
from service.reports.rows.query import Row

Pages = Iterable[tuple[Row, ...]]
Writer = Callable[[Pages], Iterator[bytes]]

COLUMNS = tuple(field.name for field in fields(Row))
GUARDED = ("=", "+", "-", "@", "\t", "\r", "\n")
BOM = b"\xef\xbb\xbf"
PIECE = 1 << 16
MOST_IN_XLSX = 1_048_575  # the sheet's rows without the header
CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
FORMATS = tuple(CONTENT_TYPES)
NEEDS = {"xlsx": "xlsxwriter", "parquet": "pyarrow"}  # packages, loaded when first asked for
KIND_OF = {
    "datetime": ("ended_at", "sent_at", "score_at", "text_at", "updated_at"),
    "int": ("question_variant_id", "score", "score_after_s", "text_after_s", "update_count"),
    "bool": ("test", "suppressed"),
}


def writer_of(format: str, *, bom: bool = False) -> Writer:
    """Return what turns pages into bytes. Raises Invalid for a format we do not have, or not installed."""
    writers: dict[str, Writer] = {
        "csv": lambda found: _csv(found, bom=bom),
        "jsonl": _jsonl,
        "xlsx": _xlsx,
        "parquet": _parquet,
    }
    if format not in writers:
        raise Invalid("unknown_format", f"There is no format '{format}'; there are {', '.join(FORMATS)}.")
    if format in NEEDS:
        _installed(NEEDS[format], format)
    return writers[format]


def moment(value: datetime) -> str:
    """RFC 3339 in UTC, with Z."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def guarded(text: str) -> str:
    """Text that no spreadsheet calculates."""
    return f"'{text}" if text.startswith(GUARDED) else text


def _csv(found: Pages, *, bom: bool) -> Iterator[bytes]:
    yield (BOM if bom else b"") + _lines([COLUMNS])
    for page in found:
        if page:
            yield _lines([_csv_cell(value) for value in _values(row)] for row in page)


def _lines(lines: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, str):
        return guarded(value)
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return moment(value) if isinstance(value, datetime) else value


def _jsonl(found: Pages) -> Iterator[bytes]:
    for page in found:
        lines = (json.dumps(_json_row(row), ensure_ascii=False) + "\n" for row in page)
        yield "".join(lines).encode()


def _json_row(row: Row) -> dict[str, Any]:
    return {
        name: moment(value) if isinstance(value, datetime) else value
        for name, value in zip(COLUMNS, _values(row), strict=True)
    }


def _xlsx(found: Pages) -> Iterator[bytes]:
    xlsxwriter = importlib.import_module("xlsxwriter")
    with tempfile.TemporaryFile() as file:
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        book = xlsxwriter.Workbook(file, options)
        sheet = book.add_worksheet("feedback")
        sheet.write_row(0, 0, COLUMNS)
        number = 0
        for page in found:
            for row in page:
                number += 1
                if number > MOST_IN_XLSX:
                    raise Invalid("too_many_rows", "A sheet holds 1,048,575 rows; narrow the filter or take CSV.")
                sheet.write_row(number, 0, [_plain(value) for value in _values(row)])
        book.close()
        yield from _pieces(file)


def _parquet(found: Pages) -> Iterator[bytes]:
    arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    arrow.set_memory_pool(arrow.system_memory_pool())  # the default pool keeps twice as much
    schema = arrow.schema([(name, _arrow_type(arrow, name)) for name in COLUMNS])
    with tempfile.TemporaryFile() as file:
        with parquet.ParquetWriter(file, schema) as writer:
            for page in found:
                columns = list(zip(*(_values(row) for row in page), strict=True)) or [()] * len(COLUMNS)
                arrays = [arrow.array(column, type=each.type) for column, each in zip(columns, schema, strict=True)]
                writer.write_batch(arrow.record_batch(arrays, schema=schema))
        yield from _pieces(file)


def _arrow_type(arrow: Any, name: str) -> Any:
    if name in KIND_OF["datetime"]:
        return arrow.timestamp("us", tz="UTC")
    if name in KIND_OF["int"]:
        return arrow.int64()
    return arrow.bool_() if name in KIND_OF["bool"] else arrow.string()


def _values(row: Row) -> list[Any]:
    return [getattr(row, name) for name in COLUMNS]


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece


def _installed(package: str, format: str) -> None:
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise Invalid(
            "format_not_installed",
            f"'{format}' needs the package '{package}', which is not installed here (see pyproject.toml); or take csv.",
        ) from error
