"""Parses query strings and bodies strictly: values, or a refusal that names each mistake.

An unknown name is an error, and so is a value given twice where one is meant: the frameworks' own parser takes the
first and says nothing.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NoReturn

import flask
import flask_smorest
from marshmallow import RAISE, Schema, ValidationError, fields
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import UnsupportedMediaType

from service.errors import BadRequest
from service.web.validation_errors import refused


@cache
def made(schema: type[Schema]) -> Schema:
    """Make one of each kind: to copy all its fields, as each does at first, takes longer than to read a request."""
    return schema()


class StrictParser(FlaskParser):
    """webargs with our errors and without its leniency."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {  # noqa: RUF012 - webargs declares it so
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "query": RAISE,
        "json": RAISE,
    }

    def _get_schema(self, argmap: Any, req: flask.Request) -> Schema:
        """Read by the one that is there; the framework makes one for each request."""
        return made(argmap) if isinstance(argmap, type) else super()._get_schema(argmap, req)

    def load_querystring(self, req: flask.Request, schema: Schema) -> Any:
        """Refuse a second value where one is meant, then load as usual."""
        for name, values in req.args.lists():
            field = schema.fields.get(name)
            if field is not None and len(values) > 1 and not isinstance(field, fields.List):
                raise ValidationError({name: ["may be given once"]})
        return super().load_querystring(req, schema)

    def load_json(self, req: flask.Request, schema: Schema) -> Any:
        """Refuse a body that is not declared as JSON; webargs would only say that every field is missing."""
        if req.content_length and not req.is_json:
            raise UnsupportedMediaType("Send the body as application/json.")
        return super().load_json(req, schema)

    def _raw_load_json(self, req: flask.Request) -> Any:
        """Refuse what Python's parser gives up on: brackets too deep, numbers too long."""
        try:
            return super()._raw_load_json(req)
        except (RecursionError, ValueError) as error:
            self._handle_invalid_json_error(error)

    def handle_error(
        self,
        error: ValidationError,
        req: flask.Request,
        schema: Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        """Refuse with every mistake at once."""
        del req, schema, error_status_code, error_headers
        messages: Mapping[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]  # marshmallow's
        raise refused(next(iter(messages.values())) if len(messages) == 1 and _nested(messages) else messages)

    def _handle_invalid_json_error(self, error: Any, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse a body that is no JSON."""
        raise BadRequest(
            "not_json", "The body is not JSON in UTF-8, or is nested too deeply, or has too long a number."
        ) from error


class StrictSchema(Schema):
    """What clients ask or send: unknown names are mistakes. Without a field it refuses everything."""

    class Meta:
        """Said too in the description of the API."""

        unknown = RAISE


class Blueprint(flask_smorest.Blueprint):
    """A blueprint of the API with the strict parser."""

    ARGUMENTS_PARSER = StrictParser()

    def response(self, status_code: int, schema: type[Schema] | None = None, **told: Any) -> Any:
        """Answer by the one that is there."""
        return super().response(status_code, schema and made(schema), **told)

    @staticmethod
    def _make_doc_response_schema(schema: Schema | None) -> type[Schema] | None:
        """Describe an answer by its class: an instance would be copied, field by field, by each decorator."""
        return None if schema is None else type(schema)


def _nested(messages: Mapping[str, Any]) -> bool:
    """Whether the errors are grouped by location (query, json …)."""
    (place, inner), *_ = messages.items()
    return place in StrictParser.DEFAULT_UNKNOWN_BY_LOCATION and isinstance(inner, Mapping)
