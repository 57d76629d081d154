"""Answers requests that never reach the application, in the same shape and with the same headers as everywhere.

Never repeats what the client sent, which may be a secret.
"""

import json
import secrets
from collections.abc import Mapping

from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.util import http_date

from service.errors import PROBLEM_JSON, ServiceError, problem
from service.listening.chunks import CHUNKS_AT_MOST, TooManyChunks
from service.listening.framing import HEAD_AT_MOST, LINE_AT_MOST, BodyTooLarge
from service.web.headers import ALWAYS
from service.web.problems import FAULT_OF_OURS

Refusal = tuple[int, str, str, str]  # status, title, code, sentence
SLOW: Refusal = (
    408,
    "Request timeout",
    "request_timeout",
    "The request did not come to its end in time; send it again.",
)
UNREADABLE: Refusal = (400, "Bad request", "bad_request", "This is no HTTP request that can be read; check its syntax.")
FAULT: Refusal = (500, "Internal error", "internal_error", FAULT_OF_OURS)
KINDS: Mapping[type[Exception], Refusal] = {
    LimitRequestLine: (
        414, "URI too long", "uri_too_long", f"An address may have at most {LINE_AT_MOST} bytes; ask for less at once."
    ),
    LimitRequestHeaders: (
        431, "Headers too large", "headers_too_large",
        f"At most 100 headers, {HEAD_AT_MOST} bytes in all, 8190 in one.",
    ),
    BodyTooLarge: (413, "Too large", "body_too_large", "The body is larger than anything here takes."),
    TooManyChunks: (
        413, "Too large", "body_too_large", f"A body may come in at most {CHUNKS_AT_MOST} chunks; send larger ones."
    ),
    ExpectationFailed: (417, "Expectation failed", "expectation_failed", "Nothing but 100-continue can be expected."),
    UnsupportedTransferCoding: (501, "Not implemented", "transfer_coding", "Send the body as it is, or in chunks."),
}  # fmt: skip


def refusal_of(error: ParseException) -> Refusal:
    """Say what an error of gunicorn's parser means to the client."""
    return next((refusal for kind, refusal in KINDS.items() if isinstance(error, kind)), UNREADABLE)


def written(refusal: Refusal) -> bytes:
    """Return the answer as bytes; the connection ends with it."""
    status, title, code, sentence = refusal
    told = ServiceError(code, sentence)
    told.status, told.title = status, title
    request_id = secrets.token_hex(8)
    body = json.dumps(problem(told, request_id)).encode()
    headers = {
        "Date": http_date(), "Connection": "close", "Content-Type": PROBLEM_JSON, "Content-Length": str(len(body)),
        "Cache-Control": "no-store", "X-Request-Id": request_id, **ALWAYS,
    }  # fmt: skip
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {title}\r\n{head}\r\n".encode() + body
