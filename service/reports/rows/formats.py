"""What a download can be: a format's name becomes what turns pages into bytes.

Column names never change and are never translated.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator

from service.errors import Invalid
from service.reports.rows import as_csv, as_jsonl, as_parquet, as_xlsx
from service.reports.rows.as_csv import Form
from service.reports.rows.row import Columns
from service.reports.thresholds import DEFAULT, Thresholds

Writer = Callable[[Iterable[Columns]], Iterator[bytes]]

PLAIN = Form()
CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
FORMATS = tuple(CONTENT_TYPES)
NEEDS = {"parquet": "pyarrow"}  # packages, loaded when first asked for


def writer_of(format: str, form: Form = PLAIN, thresholds: Thresholds = DEFAULT) -> Writer:
    """Return what turns pages into bytes. Raises Invalid for a format that is unknown or not installed."""
    writers: dict[str, Writer] = {
        "csv": lambda pages: as_csv.lines(pages, form),
        "jsonl": as_jsonl.lines,
        "xlsx": lambda pages: as_xlsx.pieces(pages, thresholds),
        "parquet": as_parquet.pieces,
    }
    if format not in writers:
        raise Invalid("unknown_format", f"There is no format '{format}'; there are {', '.join(FORMATS)}.")
    if format in NEEDS:
        _installed(NEEDS[format], format)
    return writers[format]


def _installed(package: str, format: str) -> None:
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise Invalid(
            "format_not_installed",
            f"'{format}' needs {package}: pip install 'dm-feedback[{format}]', or in a checkout '.[{format}]'.",
        ) from error
