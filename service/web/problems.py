"""Every refusal and every fault in one shape: problem+json with a stable code (RFC 9457).

The dashboard's paths keep HTML. A fault of ours is logged with its stack trace and answered without. Headers that
belong to an error (Allow, WWW-Authenticate, Retry-After) always go with it.
"""

from collections.abc import Mapping
from html import escape
from typing import Any

import flask
import structlog
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from service.db.deadline import is_out_of_time
from service.db.outages import is_away, why_away
from service.errors import PROBLEM_JSON, Invalid, ServiceError, Unavailable, problem
from service.web.headers import request_id
from service.web.validation_errors import by_place

HTML_UNDER = "/dashboard"
RETRY_AFTER_S = 30
CODES = {
    400: "bad_request",
    401: "not_authenticated",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    409: "conflict",
    410: "gone",
    411: "length_required",
    413: "too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    417: "expectation_failed",
    422: "invalid",
    429: "rate_limited",
    431: "headers_too_large",
    501: "transfer_coding",
}
SENTENCES = {
    404: "There is no such address; /docs lists those of the API.",
    405: "This address takes other methods; the header Allow names them.",
}
"""In place of Werkzeug's own, which say nothing of ours."""
FAULT_OF_OURS = "Something went wrong here. Tell your operator the request id."
log = structlog.get_logger(__name__)


def register_errors(app: flask.Flask) -> None:
    """Answer every exception of the application in one shape."""
    app.register_error_handler(ServiceError, answer)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def answer(error: ServiceError) -> Response:
    """Return the response for a refusal."""
    if flask.request.path == HTML_UNDER or flask.request.path.startswith(f"{HTML_UNDER}/"):
        response = flask.Response(_page(error), error.status, content_type="text/html; charset=utf-8")
    else:
        body = flask.json.dumps(problem(error, request_id()))
        response = flask.Response(body, error.status, content_type=PROBLEM_JSON)
    response.headers.update(error.headers)
    return response


def _http(error: HTTPException) -> Response | HTTPException:
    """Flask's and Werkzeug's own errors. Redirects and ready-made responses are not errors."""
    status = error.code or 0
    if status < 400 or error.response is not None:  # noqa: PLR2004 - where errors begin
        return error
    given: Mapping[str, Any] = getattr(error, "data", None) or {}
    complaints = given.get("messages") or given.get("errors")
    if isinstance(complaints, Mapping):  # of a body or query that did not come from the strict parser
        sentence = "Some values are wrong; 'errors' names them."
        refusal: ServiceError = Invalid("invalid", sentence, errors=by_place(complaints))
    else:
        refusal = _plain(error, status)
    kept = dict(error.get_headers(flask.request.environ)) | dict(given.get("headers") or {})
    kept.pop("Content-Type", None)
    refusal.headers = {**kept, **refusal.headers}
    return answer(refusal)


def _plain(error: HTTPException, status: int) -> ServiceError:
    is_own = error.description != type(error).description
    sentence = error.description if is_own else SENTENCES.get(status, error.description)
    refusal = ServiceError(CODES.get(status, "http_error"), sentence or error.name)
    refusal.status, refusal.title = status, error.name
    return refusal


def _unexpected(error: Exception) -> Response:
    return answer(refusal_of(error, path=_where(), method=flask.request.method))


def refusal_of(error: Exception, **where: str) -> ServiceError:
    """Turn an exception into a refusal; an unexpected one is logged with its trace and `where`."""
    if isinstance(error, ServiceError):
        return error
    again = {"Retry-After": str(RETRY_AFTER_S)}
    if is_out_of_time(error):
        log.warning("question_too_long", **where)
        sentence = "The database was stopped: this takes too long. Ask for a shorter period or fewer groups."
        return Unavailable("question_too_long", sentence, headers=again)
    if is_away(error):
        log.warning("database_away", why=why_away(error))
        sentence = f"The database does not answer right now; try again in {RETRY_AFTER_S} s."
        return Unavailable("database_away", sentence, headers=again)
    log.error("unexpected_error", exc_info=error, **where)
    return ServiceError("internal_error", FAULT_OF_OURS)


def _where() -> str:
    """The address for the log, as a route pattern: some contain a secret (feeds, the question page)."""
    return "no route" if flask.request.url_rule is None else flask.request.url_rule.rule


def _page(error: ServiceError) -> str:
    """A page for browsers when the dashboard has no template of its own (a wrong address, a fault)."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(error.title)}</title></head>'
        f"<body><main><h1>{escape(error.title)}</h1><p>{escape(error.sentence)}</p>"
        f"<p>Request {escape(request_id())}</p></main></body></html>"
    )
