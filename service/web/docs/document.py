"""The description of the API as OpenAPI 3.1, from the registered blueprints.

The committed openapi.yaml is exactly what this returns.
"""

import threading
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import flask
import flask_smorest
import yaml
from apispec import APISpec
from flask_smorest.utils import prepare_response
from marshmallow import Schema, fields

from service.errors import PROBLEM_JSON
from service.web.docs.completion import complete
from service.web.docs.handwritten import PATHS, TAGS
from service.web.statuses import PHRASES, component, reference

TITLE, VERSION = "dm-feedback", "1"
ABOUT = (
    "Feedback on customer service over X Direct Messages, for supervisors only. Keys come in the Authorization "
    "header (`Bearer dmf_…`), never in an address; spreadsheets may read with HTTP Basic, the key as the password. "
    "Times are RFC 3339 in UTC; ids are strings. Periods are half-open: `[since, until)`. "
    "Pages of other origins may read where the setting `web.origins` names them. Unknown parameters are errors. "
    "Every error is a problem document (RFC 9457) with a stable `code`. Lists are JSON alone: `Accept: text/csv` is "
    "answered 406, and rows as files are at /v1/results.csv, .jsonl, .xlsx and .parquet. Answers leave as zstd or gzip "
    "where `Accept-Encoding` names it."
)
SHARED = {"401", "403", "406", "422", "429", "503"}
OF_BODIES = {"400", "413", "415"}
OF_MIRRORS = {"list_changes", "list_results", "list_requests"}
CONFLICTING = {"complete_identity", "hand_over_link", "erase_customer"}
"""What may come too late, or alone where two must ask."""
ALWAYS_THERE = "/v1/customers/{x_user_id}"


def _header(says: str) -> dict[str, Any]:
    return {"description": says, "schema": {"type": "string"}}


RATE_HEADERS = {
    name: {"description": says, "schema": {"type": "integer"}}
    for name, says in {
        "RateLimit-Limit": "Calls a key may make in a minute",
        "RateLimit-Remaining": "Calls left in this minute",
        "RateLimit-Reset": "Seconds until the minute is over",
    }.items()
}
ETAG = {
    "ETag": _header("Send it as If-None-Match to be answered 304 while nothing has changed; not of a streamed file")
}
LINK = {"Link": _header("The next page, rel=next, where there is one")}
OF_ERRORS = {
    "401": {"WWW-Authenticate": _header("How a key is sent")},
    "429": {"Retry-After": _header("Seconds to wait before the same call")},
    "503": {"Retry-After": _header("Seconds to wait before the same call")},
}


class ProblemSchema(Schema):
    """What every error looks like."""

    type = fields.String(required=True, metadata={"description": "the address of what the code means, on this host"})
    title = fields.String(required=True, metadata={"description": "the status in words"})
    status = fields.Integer(strict=True, required=True, metadata={"description": "the HTTP status once more"})
    code = fields.String(required=True, metadata={"description": "stable; programs may rely on it"})
    detail = fields.String(required=True, metadata={"description": "what is wrong and what would be right"})
    request_id = fields.String(required=True, metadata={"description": "tell it to your operator"})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={
            "description": "every mistake, by parameter or by the field of the body; a field of a list's item by its "
            "place, counted from 0: `items.3.id`; `body`: the body as a whole"
        },
    )


class ProblemApi(flask_smorest.Api):
    """smorest without its error handler, and with ours in the description."""

    ERROR_SCHEMA = ProblemSchema
    spec: APISpec

    def __init__(self, app: flask.Flask) -> None:
        about = {"description": ABOUT, "license": {"name": "MIT", "identifier": "MIT"}}
        options = {"title": TITLE, "version": VERSION, "openapi_version": "3.1.0", "info": about}
        self._undescribed: list[flask_smorest.Blueprint] = []
        self._one_at_a_time = threading.Lock()
        self._has_responses = False
        super().__init__(app, spec_kwargs=options)
        self.spec.components.security_scheme(
            "key", {"type": "http", "scheme": "bearer", "description": "A key made with `dm-feedback keys create`"}
        )
        basic = "For reading: the key as the password, any user. Spreadsheets know no other way"
        self.spec.components.security_scheme("basic", {"type": "http", "scheme": "basic", "description": basic})

    def register_blueprint(self, blp: flask_smorest.Blueprint, **options: Any) -> None:
        """Route it; its routes are described only when somebody asks, because that costs more than all the rest."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp, **options)
        self._undescribed.append(blp)

    def describe(self) -> dict[str, Any]:
        """Return what smorest knows of every route."""
        with self._one_at_a_time:
            self._add_responses()
            for blueprint in self._undescribed:
                blueprint.register_views_in_doc(self, self._app, self.spec, name=blueprint.name, parameters=None)
                self.spec.tag({"name": blueprint.name, "description": blueprint.description})
            self._undescribed.clear()
            return deepcopy(self.spec.to_dict())

    def _register_error_handlers(self) -> None:
        """Leave errors to problems.py: smorest's handler drops headers and would handle the dashboard's errors too."""

    def _register_responses(self) -> None:
        """Leave the common answers until somebody asks, too."""

    def _add_responses(self) -> None:
        if self._has_responses:
            return
        self._has_responses = True
        for status, phrase in PHRASES.items():
            response: dict[str, Any] = {"description": phrase}
            if status >= 400:  # noqa: PLR2004 - where errors begin
                response["schema"] = self.ERROR_SCHEMA
            prepare_response(response, self.spec, PROBLEM_JSON)
            self.spec.components.response(component(status), response, lazy=True)
        default = {"description": "Any other error", "schema": self.ERROR_SCHEMA}
        prepare_response(default, self.spec, PROBLEM_JSON)
        self.spec.components.response(self.DEFAULT_ERROR_RESPONSE_NAME, default, lazy=True)


def document(app: flask.Flask) -> dict[str, Any]:
    """Return the whole description as plain data."""
    api: ProblemApi = app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    spec = api.describe()
    spec["paths"] = {**{path: _with_errors(path, each) for path, each in spec["paths"].items()}, **deepcopy(PATHS)}
    answers = {**spec["components"].get("responses", {}), **_error_responses()}
    spec["components"]["responses"] = dict(sorted(answers.items()))
    spec["security"] = [{"key": []}, {"basic": []}]
    spec["servers"] = [{"url": "/", "description": "Where this description was read"}]
    spec["tags"] = [*spec.get("tags", []), *TAGS]
    plain: dict[str, Any] = _plain(spec)
    plain["components"]["schemas"].pop("PaginationMetadata", None)  # smorest's own; our pages have cursors
    complete(plain)
    return plain


def openapi_yaml(app: flask.Flask) -> str:
    """Return the description as YAML, the same for the same routes."""
    text: str = yaml.safe_dump(document(app), sort_keys=False, allow_unicode=True, width=110)
    return text


def _with_errors(path: str, operations: Mapping[str, Any]) -> dict[str, Any]:
    """Add the errors and headers that operations of the API share."""
    found = deepcopy(dict(operations))
    for method, operation in found.items():
        if method == "parameters":
            continue
        if method != "get":
            operation.setdefault("security", [{"key": []}])
        responses = operation.setdefault("responses", {})
        for status, response in responses.items():
            if "$ref" in response and str(status).isdigit():
                responses[status] = reference(int(status))  # smorest names it by the interpreter's table
            elif str(status).startswith("2"):
                response["headers"] = {**response.get("headers", {}), **RATE_HEADERS, **_headers(method, operation)}
        for status in SHARED | _met(path, operation):
            responses.setdefault(status, reference(int(status)))
        if method == "get":
            responses.setdefault("304", {"description": "What the sent ETag names is still so", "headers": dict(ETAG)})
        operation["responses"] = dict(sorted(responses.items()))
    return found


def _headers(method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    return {**(ETAG if method == "get" else {}), **(LINK if "sort" in _parameters(operation) else {})}


def _met(path: str, operation: Mapping[str, Any]) -> set[str]:
    """The errors that parts of this operation bring: a body, an id, a place in a feed, what is done but once."""
    name, given = operation.get("operationId"), _parameters(operation)
    return {
        *(OF_BODIES if "requestBody" in operation else ()),
        *({"404"} if "{" in path and path != ALWAYS_THERE else ()),
        *({"409"} if name in CONFLICTING or "Idempotency-Key" in given else ()),
        *({"410"} if name in OF_MIRRORS else ()),
    }


def _parameters(operation: Mapping[str, Any]) -> set[str]:
    return {each.get("name", "") for each in operation.get("parameters", ())}


def _error_responses() -> dict[str, Any]:
    body = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        component(int(status)): {
            "description": PHRASES[int(status)],
            "content": deepcopy(body),
            **({"headers": OF_ERRORS[status]} if status in OF_ERRORS else {}),
        }
        for status in SHARED | OF_BODIES | {"404", "409", "410"}
    }


def _plain(value: Any) -> Any:
    """Reduce to what YAML knows: string keys, lists, no subclasses of str."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, str) else value
