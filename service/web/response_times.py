"""How long answers took: counts by route and status, and nothing of who asked for what.

An answer that waits for a commit is counted when it is known, a stream when it begins.
"""

import time
from functools import partial

import flask

from service.telemetry.counters import PROCESS_COUNTS
from service.web.deferred import DeferredResponse

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNKNOWN = "other"  # methods that strangers make up must not become labels


def register_timing(app: flask.Flask) -> None:
    """Count every answer."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    flask.g.began = time.monotonic()


def _end(response: flask.Response) -> flask.Response:
    route = flask.request.url_rule.rule if flask.request.url_rule is not None else UNKNOWN
    method = flask.request.method if flask.request.method in METHODS else UNKNOWN
    counted = partial(count, method, route, flask.g.began)
    if isinstance(response, DeferredResponse):
        response.counted = counted
    else:
        counted(response.status_code)
    return response


def count(method: str, route: str, began: float, status: int) -> None:
    """Count an answer that began at this monotonic time."""
    PROCESS_COUNTS.add("http_requests", method, route, str(status))
    PROCESS_COUNTS.observe("http_request_seconds", time.monotonic() - began, method, route)
