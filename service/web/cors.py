"""CORS: lets scripts on pages of the origins in `web.origins` read answers of the API.

Off unless set. Reading only, and never with credentials a browser sends by itself: such a page brings its key in the
Authorization header, so `Access-Control-Allow-Credentials` is not sent.
"""

from collections.abc import Sequence

import flask

API = "/v1/"
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "Authorization, If-None-Match, X-Request-Id",
    "Access-Control-Max-Age": "600",
}
READABLE = (
    "Content-Disposition, Data-Behind, ETag, Link, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, "
    "X-Request-Id"
)


def register_cors(app: flask.Flask, origins: Sequence[str]) -> None:
    """Let pages of these origins read the API."""
    if not origins:
        return
    allowed = frozenset(origins)

    @app.before_request
    def preflight() -> flask.Response | None:
        """What a browser asks before a call with a key; this request itself has none."""
        asks = flask.request.method == "OPTIONS" and "Access-Control-Request-Method" in flask.request.headers
        return flask.Response(status=204, headers=PREFLIGHT) if asks and _origin() in allowed else None

    @app.after_request
    def readable(response: flask.Response) -> flask.Response:
        if not flask.request.path.startswith(API):
            return response
        response.vary.add("Origin")  # a cache must not give one origin's answer to another
        if _origin() in allowed:
            response.headers["Access-Control-Allow-Origin"] = _origin()
            response.headers["Access-Control-Expose-Headers"] = READABLE
        return response


def _origin() -> str:
    """The origin of the page that calls the API; empty elsewhere."""
    return flask.request.headers.get("Origin", "") if flask.request.path.startswith(API) else ""
