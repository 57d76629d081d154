"""What a request may be before any view sees it: the size of a body, a path that can be looked up, a readable login.

Refuses before the body is read, a form before it is parsed. A view that accepts more than a few lines says so with
`takes(...)`.
"""

from collections.abc import Callable
from typing import Any

import flask

from service.errors import BadRequest, NotAuthenticated, NotFound, TooLarge, UnknownEncoding

SMALL = 64 * 1024
FILES, FORM = "multipart/form-data", "application/x-www-form-urlencoded"
MOST_FIELDS = 250  # of a form: 64 kB hold 16,000, which are a tenth of a second's work, and no form of ours has fifty


def takes(size: int, *, reads_itself: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Say that a view's body may have `size` bytes, and whether it reads them itself, whatever they are said to be."""

    def mark(view: Callable[..., Any]) -> Callable[..., Any]:
        view.largest_body = size  # type: ignore[attr-defined]  # read below
        view.reads_body = reads_itself  # type: ignore[attr-defined]  # the same
        return view

    return mark


def register_bounds(app: flask.Flask) -> None:
    """Bound every request of the application."""
    app.before_request(_bound)


def largest_body(app: flask.Flask, endpoint: str | None) -> int:
    """Return how many bytes a route's body may have."""
    return int(getattr(app.view_functions.get(endpoint or ""), "largest_body", SMALL))


def _bound() -> None:
    request, app = flask.request, flask.current_app
    limit = largest_body(app, request.endpoint)
    if (request.content_length or 0) > limit:
        raise TooLarge("body_too_large", f"A body may have at most {limit} bytes here.")
    request.max_content_length = limit + 1  # of one without a declared length; the extra byte proves it too large
    request.environ["wsgi.input"] = GuardedBody(request.environ["wsgi.input"])
    if not getattr(app.view_functions.get(request.endpoint or ""), "reads_body", False):
        _demand_readable_form(request)
    if any("\0" in str(value) for value in (request.view_args or {}).values()):
        raise NotFound("not_found", "An address must not contain a NUL character.")
    _demand_readable_login(request)


def _demand_readable_form(request: flask.Request) -> None:
    """Refuse files and many fields; not where a view reads the body itself: what is read before is gone."""
    if request.mimetype == FILES:
        raise UnknownEncoding("no_files", "Files are not accepted here; send JSON, or a form without them.")
    if request.mimetype == FORM and request.get_data().count(b"&") >= MOST_FIELDS:
        raise TooLarge("too_many_fields", f"A form may have at most {MOST_FIELDS} fields here.")


def _demand_readable_login(request: flask.Request) -> None:
    try:
        _ = request.authorization
    except ValueError as error:  # what base64 cannot hold
        raise NotAuthenticated("login_unreadable", "The Authorization header is malformed.") from error


class GuardedBody:
    """The body as it arrives. Whatever interrupts it, a bad chunk or a lost connection, is the client's mistake."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes. Raises BadRequest."""
        try:
            return bytes(self._stream.read(size))
        except (OSError, ValueError):
            raise  # werkzeug knows these
        except Exception as error:  # the server's own kinds, which we do not know
            raise BadRequest(
                "broken_body", "The body does not match its announced length or encoding; send it again."
            ) from error
