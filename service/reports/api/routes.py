"""What every view of reports shares, and a short way to declare one. Knows flask; decides nothing."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import flask
from marshmallow import Schema
from sqlalchemy.engine import Connection, Engine

from service.auth import Guard, Reader, log_access
from service.clock import Clock
from service.db import writing
from service.reports.filters import Filter, from_values
from service.reports.report_query import ReportQuery
from service.settings import Settings
from service.web import Blueprint, reads
from service.web.parameters import made

View = Callable[..., Any]
EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Routes:
    """The collaborators of every view."""

    pages: Blueprint
    settings: Settings
    engine: Engine
    guard: Guard
    clock: Clock

    @property
    def reader(self) -> Reader:
        """Who reads."""
        reader: Reader = flask.g.reader
        return reader

    def get(
        self,
        path: str,
        asked: type[Schema],
        told: type[Schema],
        roles: tuple[str, ...],
        says: str,
        slot: Callable[[View], View] = reads,
        **doc: Any,
    ) -> Callable[[View], View]:
        """Declare a GET with query parameters and one schema for its answer. The key is checked first."""

        def declare(view: View) -> View:
            described = self.pages.doc(operationId=view.__name__, summary=says, description=_roles(roles), **doc)
            built = described(self.pages.response(200, told)(view))
            built = self.pages.arguments(asked, location="query")(built)
            declared: View = self.pages.route(path, methods=["GET"])(self.guard.requires(*roles)(slot(built)))
            return declared

        return declare

    def filter(self, values: Mapping[str, Any]) -> Filter:
        """Return the filter in the parameters; the others belong to the view."""
        return from_values(values, self.reader, self.settings)

    def query(self, connection: Connection, wanted: Filter = EVERYTHING) -> ReportQuery:
        """Return the reader's question, at this moment."""
        return ReportQuery(connection, self.settings, self.reader, wanted, self.clock())

    def log(self, action: str, detail: Mapping[str, Any]) -> None:
        """Record in the access log that somebody is about to read answers."""
        with writing(self.engine) as connection:
            log_access(connection, self.reader.actor, action, detail, self.clock())


def link_next(cursor: str) -> None:
    """Name the next page in a header, for clients that follow links."""
    if not cursor:
        return
    query = flask.request.args.copy()
    query.setlist("cursor", [cursor])
    address = f"{flask.request.path}?{urlencode(list(query.items(multi=True)))}"

    @flask.after_this_request
    def linked(response: flask.Response) -> flask.Response:
        response.headers.add("Link", f'<{address}>; rel="next"')
        return response


def conditional(schema: type[Schema], value: Any) -> flask.Response:
    """Return a figure with its ETag, or 304 for a client that has it."""
    body = flask.json.dumps(made(schema).dump(value))
    response = flask.Response(body, content_type="application/json")
    # of the bytes alone: who gets an ETag has got them, and equal figures of two keys tell nothing new
    response.set_etag(hashlib.sha256(body.encode()).hexdigest()[:32])
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization"
    response.make_conditional(flask.request)
    return response


def _roles(roles: tuple[str, ...]) -> str:
    return f"For keys with the role {', '.join(roles[:-1])}{' or ' if roles[1:] else ''}{roles[-1]}."
