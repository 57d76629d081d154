"""Exports rows: a filter in, bytes or a file and a manifest out. What the list hides is hidden here.

Read in short pages and never in one long transaction, which would keep SQLite's log from being truncated. Sorted by the
end of the conversation, which never changes, and bounded by the moment of the start, so no row is lost or repeated
while others change.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from sqlalchemy.engine import Connection, Engine

from service import replica
from service.auth import log_access
from service.auth.keys import Reader
from service.clock import rfc3339
from service.db import writing
from service.replica import ReadFrom
from service.reports.completeness import completeness_of
from service.reports.filters import Filter
from service.reports.rows import as_jsonl, query
from service.reports.rows.as_csv import Form
from service.reports.rows.atomic_file import appearing, demand_file
from service.reports.rows.formats import PLAIN, writer_of
from service.reports.rows.order import Order
from service.reports.rows.position import Erased, Page, Position
from service.reports.rows.row import COLUMNS, Columns
from service.reports.rows.search import with_words
from service.reports.rows.select import Selection
from service.reports.statistics.definitions import DEFINITION_VERSION
from service.reports.thresholds import thresholds
from service.reports.visible import View, view_of
from service.settings import Settings

PAGE = 1000
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export contains, so that two people can prove that their files hold the same data.

    `as_of`: rows known at this moment; `complete_until`: every answer up to then is in it.
    """

    format: Annotated[str, "csv, jsonl, xlsx or parquet"]
    columns: Annotated[tuple[str, ...], "Column names, in order"]
    filter: Annotated[Mapping[str, Any], "The filter as requested"]
    accounts: Annotated[tuple[str, ...], "X accounts whose rows the file contains"]
    as_of: Annotated[datetime, "The rows are as they were at this time"]
    complete_until: Annotated[datetime | None, "The file contains every answer given before this time. null: not known"]
    visible_until: Annotated[
        datetime | None, "Only answers up to this time are visible, because of the embargo. null: no embargo"
    ]
    rows: Annotated[int, "Number of rows"]
    bytes: Annotated[int, "Size of the file in bytes"]
    sha256: Annotated[str, "SHA-256 of the file, in hexadecimal"]
    definition_version: Annotated[str, "Version of the definitions, as in /v1/definitions"]
    withheld: Annotated[
        bool, "Whether rows of small groups were left out, because the filter names agents, teams or conversations"
    ]
    time_zone: Annotated[str, "Time zone of the times in the file"] = "UTC"

    def as_json(self) -> str:
        """Return the manifest as JSON, keys in a fixed order."""
        document = {
            name: rfc3339(value) if isinstance(value, datetime) else value for name, value in asdict(self).items()
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def source_of(engine: Engine, filter: Filter) -> ReadFrom:
    """Choose where an export reads: changes since a moment come from the primary, as a mirror continues there."""
    return ReadFrom(engine) if filter.updated_since is not None else replica.source_of(engine)


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported, and from where: every page of it comes from one source and one view."""

    source: ReadFrom
    settings: Settings
    view: View
    filter: Filter
    now: datetime

    def pages(self, gone: list[Erased] | None = None) -> Iterator[Columns]:
        """Read it page by page, each in a transaction of its own. Erased rows go into `gone`."""
        after: Position | None = None
        while True:
            page = self.source.read(partial(self._page, after=after, tombstones=gone is not None))
            if gone is not None:
                gone.extend(page.erased)
            yield with_words(page.columns, self.filter.q)
            if page.next is None:
                return
            after = page.next

    def _page(self, connection: Connection, *, after: Position | None, tombstones: bool) -> Page:
        order = Order("ended_at", "results" if self.filter.answered else "both")
        until = self.source.as_of(self.now)
        wanted = Selection(self.filter, order, tombstones=tombstones, received_until=until)
        return query.page(connection, self.settings, self.view, wanted, after=after, limit=PAGE)

    def written(
        self, format: str, form: Form, through: Callable[[Iterator[Columns]], Iterator[Columns]] = iter
    ) -> Iterator[bytes]:
        """Return the file in pieces; JSON Lines of changes include a tombstone for each erased answer."""
        told = format == "jsonl" and self.filter.updated_since is not None
        gone: list[Erased] | None = [] if told else None
        yield from writer_of(format, form, thresholds(self.settings))(through(self.pages(gone)))
        if gone:
            yield as_jsonl.tombstones([(each.request_id, each.erased_at) for each in gone])

    def stream(self, format: str, form: Form = PLAIN) -> Iterator[bytes]:
        """Return the file in pieces of about a page. Raises Invalid for a format we do not have.

        The first piece is made at once, so that an invalid question is refused before the answer has begun.
        """
        pieces = self.written(format, form)
        return _begun(next(pieces, b""), pieces)

    def described(
        self,
        format: str,
        form: Form = PLAIN,
        *,
        sink: Callable[[bytes], Any] | None = None,
        progress: Progress | None = None,
    ) -> Manifest:
        """Make the file, pass its bytes to `sink` if there is one, and return its manifest."""
        counted = _Counted(progress)
        # before the first page: what comes while it is written must not count as being in it
        until = self.source.read(lambda connection: completeness_of(connection, self.view, self.filter))
        digest, size = hashlib.sha256(), 0
        for piece in self.written(format, form, counted.through):
            digest.update(piece)
            size += len(piece)
            if sink is not None:
                sink(piece)
        return Manifest(
            format=format,
            columns=COLUMNS,
            filter=self.filter.described(),
            accounts=tuple(map(str, self.filter.of("account"))) or self.view.accounts,
            as_of=self.source.as_of(self.now),
            complete_until=until.complete_until,
            visible_until=until.visible_until,
            rows=counted.rows,
            bytes=size,
            sha256=digest.hexdigest(),
            definition_version=DEFINITION_VERSION,
            withheld=self.source.read(lambda connection: query.withholds(connection, self.view, self.filter)),
        )


def export_of(source: ReadFrom, settings: Settings, reader: Reader, filter: Filter, now: datetime) -> Export:
    """Begin an export. Raises Invalid for an account we do not have."""
    view = source.read(lambda connection: view_of(connection, settings, reader, now, filter.of("account")))
    return Export(source, settings, view, filter, now)


def write_file(
    engine: Engine,
    settings: Settings,
    reader: Reader,
    filter: Filter,
    path: Path,
    format: str,
    now: datetime,
    progress: Progress | None = None,
    *,
    form: Form = PLAIN,
) -> Manifest:
    """Write the export to `path`, the manifest beside it (`….manifest.json`). Files appear only when complete."""
    beside = path.with_name(path.name + ".manifest.json")
    demand_file(path)
    demand_file(beside)
    with writing(engine) as connection:
        log_access(connection, reader.actor, "export.file", {"format": format, "filter": filter.logged()}, now)
    with appearing(beside) as about, appearing(path) as file:
        export = export_of(source_of(engine, filter), settings, reader, filter, now)
        manifest = export.described(format, form, sink=file.write, progress=progress)
        about.write(manifest.as_json().encode())
        beside.unlink(missing_ok=True)  # none says more than a wrong one, whenever we are stopped from here on
    return manifest


def _begun(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


class _Counted:
    """Counts rows on their way, and reports progress."""

    def __init__(self, progress: Progress | None) -> None:
        self.rows, self._progress = 0, progress

    def through(self, found: Iterable[Columns]) -> Iterator[Columns]:
        """Pass the pages on."""
        for page in found:
            self.rows += len(page[0])
            yield page
            if self._progress is not None:
                self._progress(self.rows)
