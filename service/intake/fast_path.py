"""The fast path of a delivery: WSGI in, answer out, without a web framework in between.

Two thirds of what a framework does per request is of no use to a delivery, which has one address, no cookie, no form
and no page. A plain POST to a source's address, with a length and no login to take apart, goes straight to the
reception. Everything else takes routes.py to the same reception and gets the same answer.
"""

import re
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import structlog

from service.intake.delivery.inbound import DELIVERIES, Inbound, make_inbound
from service.intake.reception import Reception, Unsettled, headers_of, truncated
from service.web.bounds import GuardedBody
from service.web.deferred import DeferredBody, ResponseStart
from service.web.headers import always, id_of
from service.web.response_times import count

ROUTE = f"{DELIVERIES}<source>"  # counted like the framework's
ADDRESS = re.compile(rf"{DELIVERIES}[\w.-]+", re.ASCII)
LENGTH = re.compile("[0-9]{1,15}")  # more digits are no plausible length, and Python refuses thousands of them
NEEDS_NO_READING = "Bearer "
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def with_fast_path(reception: Reception, framework: Wsgi) -> Wsgi:
    """Return the application with a fast path for plain deliveries."""
    public_url = reception.settings.service.public_url

    def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not _is_plain(environ, reception.largest):
            return framework(environ, start_response)
        request_id = id_of(environ.get("HTTP_X_REQUEST_ID", ""))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(http_request_id=request_id)
        headers = always(request_id, secure=environ["wsgi.url_scheme"] == "https")
        counted = partial(count, "POST", ROUTE, time.monotonic())
        answer = ResponseStart(start_response, list(headers.items()), counted)
        try:
            definition = reception.find(environ["PATH_INFO"].removeprefix(DELIVERIES))
            found = reception.receive(definition, _inbound(environ, public_url), request_id)
        except Exception as error:  # noqa: BLE001 - told to the caller and logged, as in the framework
            return answer.tell(error)
        return DeferredBody(answer, found, reception.settle) if isinstance(found, Unsettled) else answer.tell(found)

    return call


def _is_plain(environ: dict[str, Any], limit: int) -> bool:
    """Whether the framework is not needed. Ignores whether the source exists, which timing would reveal."""
    length = environ.get("CONTENT_LENGTH") or ""
    return (
        environ["REQUEST_METHOD"] == "POST"
        and ADDRESS.fullmatch(environ["PATH_INFO"]) is not None
        and LENGTH.fullmatch(length) is not None
        and int(length) <= limit
        and environ.get("HTTP_AUTHORIZATION", NEEDS_NO_READING).startswith(NEEDS_NO_READING)
    )


def _inbound(environ: dict[str, Any], public_url: str) -> Inbound:
    length = int(environ["CONTENT_LENGTH"])
    try:
        body = GuardedBody(environ["wsgi.input"]).read(length)
    except (OSError, ValueError) as error:
        raise truncated() from error
    if len(body) < length:
        raise truncated()
    query = environ.get("QUERY_STRING", "")
    return make_inbound("POST", public_url, environ["PATH_INFO"], query, headers_of(environ), body)
