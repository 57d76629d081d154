"""The service's own errors, and the one shape in which they leave over HTTP (RFC 9457 problem+json).

Each has a sentence that says what would be right, a status and a stable `code`. None carries a stack trace, a secret or
a customer's words.

    ServiceError
    |-- BadRequest 400        |-- NotFound 404  |-- TooLarge 413         |-- TooMany 429
    |-- NotAuthenticated 401  |-- Conflict 409  |-- UnknownEncoding 415  |
    `-- NotAllowed 403        `-- Gone 410      `-- Invalid 422          `-- Unavailable 503
"""

from collections.abc import Mapping, Sequence
from typing import Any

PROBLEM_JSON = "application/problem+json"


class ServiceError(Exception):
    """Something a caller can be told. `code` is stable; `sentence` says what is wrong and what would be right."""

    status = 500
    title = "Internal error"

    def __init__(
        self,
        code: str,
        sentence: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.headers = dict(headers or {})
        self.errors = errors


class BadRequest(ServiceError):
    """The request cannot be read."""

    status, title = 400, "Bad request"


class NotAuthenticated(ServiceError):
    """No valid key, token or signature came with the request."""

    status, title = 401, "Not authenticated"


class NotAllowed(ServiceError):
    """The key is valid but may not do this."""

    status, title = 403, "Not allowed"


class NotFound(ServiceError):
    """There is no such thing, or the key may not know of it."""

    status, title = 404, "Not found"


class Conflict(ServiceError):
    """The thing is in a state that does not allow this."""

    status, title = 409, "Conflict"


class Gone(ServiceError):
    """What was once given is no longer valid."""

    status, title = 410, "Gone"


class TooLarge(ServiceError):
    """The body is larger than the limit."""

    status, title = 413, "Too large"


class UnknownEncoding(ServiceError):
    """The body is compressed or encoded in a way that we cannot read."""

    status, title = 415, "Unsupported media type"


class Invalid(ServiceError):
    """The request can be read but its values are wrong."""

    status, title = 422, "Invalid"


class TooMany(ServiceError):
    """The caller's allowance is used up; `Retry-After` says when to come back."""

    status, title = 429, "Too many requests"


class Unavailable(ServiceError):
    """A dependency is away; the same request may succeed soon."""

    status, title = 503, "Unavailable"


def problem(error: ServiceError, request_id: str) -> dict[str, Any]:
    """Return the problem document of `error`, ready to be dumped as JSON."""
    document: dict[str, Any] = {
        "type": f"/docs/problems/{error.code}",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.sentence,
        "request_id": request_id,
    }
    if error.errors:
        document["errors"] = error.errors
    return document
