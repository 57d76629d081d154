"""Exports over the API: CSV, JSON Lines, XLSX, Parquet, or the manifest. Logged before the first byte leaves."""

from datetime import datetime
from typing import Any

import flask

from service.reports.api.figure_schemas import schema_of
from service.reports.api.routes import Routes
from service.reports.api.schemas import ExportSchema
from service.reports.filters import Filter
from service.reports.roles import READERS_OF_ANSWERS
from service.reports.rows.as_csv import Form
from service.reports.rows.export import Manifest, export_of, source_of
from service.reports.rows.formats import CONTENT_TYPES, writer_of
from service.web import in_a_slot
from service.web.replica_lag import tell_behind

TEXT = ("csv",)
BYTES = "application/octet-stream"
ManifestSchema = schema_of(Manifest)


def add(routes: Routes) -> None:
    """Register one route a format."""
    for name, content_type in CONTENT_TYPES.items():
        _add(routes, name, content_type)


def _add(routes: Routes, format: str, content_type: str) -> None:
    answers = {
        "200": {
            "description": "The rows or, with manifest=true, their manifest",
            "content": {
                content_type.partition(";")[0]: {"schema": _file(format)},
                **({} if format == "csv" else {BYTES: {"schema": _file(format)}}),
                "application/json": {"schema": ManifestSchema},
            },
        }
    }

    @routes.pages.route(f"/results.{format}", methods=["GET"], endpoint=f"export_{format}")
    @routes.guard.requires(*READERS_OF_ANSWERS)
    @routes.pages.arguments(ExportSchema, location="query")
    @routes.pages.doc(
        operationId=f"export_{format}",
        summary=f"Export one row per conversation as {format}. answered=true selects answered ones only.",
        description="For keys with the role admin or supervisor. Column names never change and are never translated.",
        responses=answers,
    )
    def download(asked: dict[str, Any]) -> flask.Response:
        wanted, now = routes.filter(asked), routes.clock()
        writer_of(format)
        return in_a_slot(lambda: _made(routes, format, asked, wanted, now))


def _made(routes: Routes, format: str, asked: dict[str, Any], wanted: Filter, now: datetime) -> flask.Response:
    detail = {"format": format, "filter": wanted.logged(), "manifest": asked["manifest"]}
    routes.log("results.export", detail)
    form = Form(asked["bom"], asked["separator"], asked["raw"])
    source = source_of(routes.engine, wanted)
    tell_behind(source.behind)
    export = export_of(source, routes.settings, routes.reader, wanted, now)
    if asked["manifest"]:
        return flask.jsonify(ManifestSchema().dump(export.described(format, form)))
    response = flask.Response(export.stream(format, form), content_type=_content_type(format))
    response.headers["Content-Disposition"] = f'attachment; filename="feedback-{now:%Y%m%dT%H%M%SZ}.{format}"'
    return response


def _content_type(format: str) -> str:
    """The format's own, or plain bytes if those are asked for: some generated clients know no other files."""
    accepts = flask.request.accept_mimetypes
    own = CONTENT_TYPES[format]
    plain = format not in TEXT and BYTES in accepts.values() and own.partition(";")[0] not in accepts.values()
    return BYTES if plain else own


def _file(format: str) -> dict[str, str]:
    """A file as clients should take it: text, or bytes."""
    return {"type": "string"} if format in TEXT else {"type": "string", "format": "binary"}
