"""Exports over the API: CSV, JSON Lines, XLSX, Parquet, streamed; or the manifest. Each is logged before it begins."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import flask

from service.errors import TooMany
from service.reports import export
from service.reports.filters import Filter
from service.reports.formats import CONTENT_TYPES, writer_of
from service.reports.routes import READERS_OF_ANSWERS, Routes
from service.reports.schemas import ExportSchema, ManifestSchema

AT_ONCE = 2  # of one process: a slow client holds a thread as long as it reads
WAIT_S = 10


def add(routes: Routes) -> None:
    """Register one route a format."""
    slots = threading.BoundedSemaphore(AT_ONCE)
    for name, content_type in CONTENT_TYPES.items():
        _add(routes, slots, name, content_type)


def _add(routes: Routes, slots: threading.BoundedSemaphore, format: str, content_type: str) -> None:
    answers = {
        "200": {
            "description": "The rows, or with manifest=true what they are",
            "content": {
                content_type.partition(";")[0]: {"schema": {"type": "string"}},
                "application/json": {"schema": ManifestSchema},
            },
        }
    }

    @routes.pages.route(f"/results.{format}", methods=["GET"], endpoint=f"export_{format}")
    @routes.guard.requires(*READERS_OF_ANSWERS)
    @routes.pages.arguments(ExportSchema, location="query")
    @routes.pages.doc(
        operationId=f"export_{format}",
        summary=f"One row a conversation as {format}; answered=true for answered ones only.",
        description="For keys with the role admin or supervisor. Columns never change and are never translated.",
        responses=answers,
    )
    def download(asked: dict[str, Any]) -> flask.Response:
        return _download(routes, slots, format, asked)


def _download(routes: Routes, slots: threading.BoundedSemaphore, format: str, asked: dict[str, Any]) -> flask.Response:
    wanted, now = routes.filter(asked, "bom", "manifest"), routes.clock()
    writer_of(format)
    if not slots.acquire(blocking=False):
        raise TooMany(
            "exports_busy",
            f"{AT_ONCE} exports are running; try again in {WAIT_S} s.",
            headers={"Retry-After": str(WAIT_S)},
        )
    free = _Once(slots.release)
    try:
        detail = {"format": format, "filter": wanted.described(), "manifest": asked["manifest"]}
        routes.log("results.export", detail)
        response = _made(routes, format, asked, wanted, now, free)
    except BaseException:
        free()
        raise
    response.call_on_close(free)
    return response


def _made(
    routes: Routes, format: str, asked: dict[str, Any], wanted: Filter, now: datetime, free: Callable[[], None]
) -> flask.Response:
    who = (routes.engine, routes.settings, routes.reader, wanted, now, format)
    if asked["manifest"]:
        body = ManifestSchema().dump(export.described(*who, bom=asked["bom"]))
        return flask.jsonify(body)
    pieces = _then(export.stream(*who, bom=asked["bom"]), free)
    response = flask.Response(pieces, content_type=CONTENT_TYPES[format])
    response.headers["Content-Disposition"] = f'attachment; filename="feedback-{now:%Y%m%dT%H%M%SZ}.{format}"'
    return response


class _Once:
    """Gives the slot back when the last byte is read or the client goes away, whichever comes first."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release, self._lock = release, threading.Lock()

    def __call__(self) -> None:
        """Give it back, once."""
        if self._lock.acquire(blocking=False):
            self._release()


def _then(pieces: Iterator[bytes], free: Callable[[], None]) -> Iterator[bytes]:
    try:
        yield from pieces
    finally:
        free()
