"""Rows as Parquet, typed: times in UTC microseconds, whole numbers, flags, lists.

pyarrow is loaded when first asked for. Memory holds one group of rows; the file is written to a temporary place.
"""

import importlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import structlog

from service.errors import Unavailable
from service.reports.rows.row import COLUMNS, KINDS, Columns

PIECE = 1 << 16
GROUP = 16  # pages a row group: a group of one page would be read slowly, and written so
log = structlog.get_logger(__name__)


def pieces(pages: Iterable[Columns]) -> Iterator[bytes]:
    """Return the file in pieces."""
    arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    arrow.set_memory_pool(arrow.system_memory_pool())  # the default pool keeps twice as much
    schema = arrow.schema([(name, _type(arrow, kind)) for name, kind in zip(COLUMNS, KINDS, strict=True)])
    with temporary_file() as file:
        with parquet.ParquetWriter(file, schema) as writer:
            group = []
            for page in pages:
                group.append(_batch(arrow, schema, page))
                if len(group) == GROUP:
                    writer.write_table(arrow.Table.from_batches(group, schema))
                    group = []
            writer.write_table(arrow.Table.from_batches(group, schema))
        yield from read(file)


@contextmanager
def temporary_file() -> Iterator[IO[bytes]]:
    """A file that is gone with the block. Raises Unavailable where none can be made, or not be written to its end."""
    try:
        with tempfile.TemporaryFile() as file:
            yield file
    except OSError as error:
        log.error("temporary_file_not_written", error=error.strerror)  # noqa: TRY400 - no bug
        sentence = "No temporary file can be written here, which this format needs: ask for CSV or JSON lines."
        raise Unavailable("no_temporary_file", f"{sentence} An operator makes room, or sets TMPDIR.") from error


def read(file: IO[bytes]) -> Iterator[bytes]:
    """Return a file from its beginning, in pieces."""
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece


def _batch(arrow: Any, schema: Any, page: Columns) -> Any:
    """Booleans come as 0 and 1 from SQLite, and as booleans from PostgreSQL."""
    whole = [
        [bool(each) for each in column] if kind == "flag" else column for kind, column in zip(KINDS, page, strict=True)
    ]
    arrays = [arrow.array(column, type=each.type) for column, each in zip(whole, schema, strict=True)]
    return arrow.record_batch(arrays, schema=schema)


def _type(arrow: Any, kind: str) -> Any:
    return {
        "time": arrow.timestamp("us", tz="UTC"),
        "number": arrow.int64(),
        "flag": arrow.bool_(),
        "list": arrow.list_(arrow.string()),
        "text": arrow.string(),
    }[kind]
