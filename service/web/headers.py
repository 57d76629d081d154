"""Headers of every answer, for browsers and clients.

A page may set its own value first; only what is missing is added. Never reads a body.
"""

import re
import secrets

import flask
import structlog
from flask.sessions import SessionInterface

from service.auth import came_from
from service.web.replica_lag import behind_header

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
ALWAYS = {
    "Content-Security-Policy": CSP,
    # not no-referrer: browsers would send our own forms with `Origin: null`, which the dashboard's door refuses
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
ONE_YEAR = "max-age=31536000"
GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)


def register_headers(app: flask.Flask) -> None:
    """Give every request an id and every response its headers."""
    app.session_interface = NoSessions()
    app.before_request(_begin)
    app.after_request(_finish)


def request_id() -> str:
    """Return the id of the current request: the caller's if it is harmless, else a new one."""
    if "request_id" not in flask.g:
        flask.g.request_id = id_of(flask.request.headers.get("X-Request-Id", ""))
    return str(flask.g.request_id)


def id_of(given: str) -> str:
    """Return the id a caller gave if it is harmless, else a new one."""
    return given if GIVEN_ID.fullmatch(given) else secrets.token_hex(8)


def always(request_id: str, *, secure: bool) -> dict[str, str]:
    """Return the headers of every answer."""
    headers = {**ALWAYS, "X-Request-Id": request_id}
    return {**headers, "Strict-Transport-Security": ONE_YEAR} if secure else headers


def _begin() -> None:
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(http_request_id=request_id())
    came_from(flask.request.remote_addr)


def _finish(response: flask.Response) -> flask.Response:
    _stay_here(response)
    headers = always(request_id(), secure=flask.request.is_secure) | flask.g.get("rate_headers", {}) | behind_header()
    if flask.request.path.startswith("/v1/"):
        headers |= {"Cache-Control": "no-store"}
        response.vary.add("Authorization")
    response.headers.extend({name: value for name, value in headers.items() if name not in response.headers})
    return response


def _stay_here(response: flask.Response) -> None:
    """Redirect to another spelling of a path without naming a host: the framework takes the host from the client."""
    host, location = flask.request.host_url, response.headers.get("Location", "")
    if location.startswith(host):
        response.headers["Location"] = "/" + location.removeprefix(host).lstrip("/")
        response.set_data("")


class NoSessions(SessionInterface):
    """Disables Flask's signed session cookie, which nobody here uses: the dashboard's sessions are rows."""

    def open_session(self, app: flask.Flask, request: flask.Request) -> None:
        """Open none, and read no cookie for it."""
