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
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml's, which writes the same in a quarter of the time
ABOUT = (
    "Feedback on customer service over X Direct Messages, for supervisors only. Send the API key in the "
    "Authorization header (`Bearer dmf_…`), never in a URL. Spreadsheets may read with HTTP Basic, using "
    "the key as the password. Times are RFC 3339 in UTC. Ids are strings. Periods are half-open: `[since, "
    "until)`. Web pages of other origins may read if the setting `web.origins` lists them. Unknown "
    "parameters are errors. Every error is a problem document (RFC 9457) with a stable `code`. Lists are "
    "JSON only: `Accept: text/csv` returns 406. Rows are available as files at /v1/results.csv, .jsonl, "
    ".xlsx and .parquet. Responses are compressed with zstd or gzip if `Accept-Encoding` allows it."
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
        "RateLimit-Limit": "Requests that the key may make per minute",
        "RateLimit-Remaining": "Requests left in the current minute",
        "RateLimit-Reset": "Seconds until the current minute ends",
    }.items()
}
ETAG = {
    "ETag": _header("Send it back as If-None-Match to get a 304 while nothing has changed. Streamed files have none")
}
LINK = {"Link": _header("The next page (rel=next), if there is one")}
UNCHANGED = "Nothing has changed since the response with that ETag"
AGAIN = {"Retry-After": _header("Seconds to wait before repeating the request")}
OF_ERRORS = {"401": {"WWW-Authenticate": _header("How to authenticate")}, "429": AGAIN, "503": AGAIN}
SIGNED = ("conversation_ended", "401")
"""A source signs, and is told of no key."""


class ProblemSchema(Schema):
    """What every error looks like."""

    type = fields.String(required=True, metadata={"description": "URL on this host of a page that explains the code"})
    title = fields.String(required=True, metadata={"description": "The status in words"})
    status = fields.Integer(strict=True, required=True, metadata={"description": "The HTTP status"})
    code = fields.String(required=True, metadata={"description": "Stable error code that programs may rely on"})
    detail = fields.String(required=True, metadata={"description": "What is wrong, and what would be right"})
    request_id = fields.String(
        required=True, metadata={"description": "Id of this HTTP request. Quote it to your operator"}
    )
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={
            "description": "All errors, by parameter or by field of the body. A field of a list item is named with its "
            "index, counted from 0: `items.3.id`. `body` is the body as a whole"
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
            "key", {"type": "http", "scheme": "bearer", "description": "A key created with `dm-feedback keys create`"}
        )
        basic = (
            "Only for reading, for clients such as spreadsheets that support nothing else. The key is the "
            "password; any user name works"
        )
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
    spec["paths"] = {**{path: _with_errors(path, each) for path, each in spec["paths"].items()}, **_handwritten()}
    answers = {**spec["components"].get("responses", {}), **_error_responses()}
    answers[component(304)] = {"description": UNCHANGED, "headers": {**RATE_HEADERS, **ETAG, **LINK}}
    spec["components"]["responses"] = dict(sorted(answers.items()))
    spec["security"] = [{"key": []}, {"basic": []}]
    spec["servers"] = [{"url": "/", "description": "The server that this description was read from"}]
    spec["tags"] = [*spec.get("tags", []), *TAGS]
    plain: dict[str, Any] = _plain(spec)
    plain["components"]["schemas"].pop("PaginationMetadata", None)  # smorest's own; our pages have cursors
    complete(plain)
    return plain


def openapi_yaml(app: flask.Flask) -> str:
    """Return the description as YAML, the same for the same routes."""
    text: str = yaml.dump(document(app), Dumper=DUMPER, sort_keys=False, allow_unicode=True, width=110)
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
            responses.setdefault("304", reference(304))
        operation["responses"] = dict(sorted(responses.items()))
    return found


def _handwritten() -> dict[str, Any]:
    found = deepcopy(PATHS)
    for operation in (each for of_path in found.values() for each in of_path.values() if "responses" in each):
        for status in OF_ERRORS.keys() & operation["responses"].keys():
            response = operation["responses"][status]
            if PROBLEM_JSON in response["content"] and (operation["operationId"], status) != SIGNED:
                response["headers"] = OF_ERRORS[status]
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
            "headers": {**RATE_HEADERS, **OF_ERRORS.get(status, {})} if status != "401" else OF_ERRORS[status],
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
