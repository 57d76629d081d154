"""The address a CRM calls, as Flask routes that answer what the reception says.

Ordinary deliveries take the fast path (fast_path.py) and never get here. This handles bodies without a length, the
questions CRMs ask before they send, and anything else unusual.
"""

import structlog
from flask import Blueprint, Request, Response, jsonify, request
from werkzeug.exceptions import ClientDisconnected

from service.auth import declares
from service.intake.delivery.inbound import DELIVERIES, Inbound, make_inbound
from service.intake.handshake import Reply, options_headers, unsigned_answer
from service.intake.reception import Reception, Unsettled, headers_of, too_large, truncated
from service.web.bounds import takes
from service.web.deferred import DeferredResponse, PlainText
from service.web.headers import request_id

PATHS = (f"{DELIVERIES}<source>", f"{DELIVERIES}<source>/")  # no redirect: senders do not follow one with a body
CHUNK = 64 * 1024
log = structlog.get_logger("intake")


def blueprint(reception: Reception) -> Blueprint:
    """Build the routes for every source of the reception."""
    room = Blueprint("intake", __name__)
    find, largest = reception.find, reception.largest
    public_url = reception.settings.service.public_url

    @takes(largest, reads_itself=True)
    def receive(source: str) -> Response:
        """Receive a delivery of a source."""
        inbound = _inbound(request, public_url, _read_body(request, largest))
        found = reception.receive(find(source), inbound, request_id())
        return DeferredResponse(found, reception.settle) if isinstance(found, Unsettled) else _say(found)

    def greet(source: str) -> Response:
        """Say that the address exists: some CRMs ask with HEAD or GET before they save it."""
        definition = find(source)
        answer = unsigned_answer(definition, _inbound(request, public_url, b"?")) if definition else None
        return Response(status=200) if answer is None else _say(answer)

    def consent(source: str) -> Response:
        """Answer a CloudEvents sender that asks whether it may deliver."""
        definition = find(source)
        headers = options_headers(definition, _inbound(request, public_url, b""))
        if definition and "webhook-request-callback" in {name.lower() for name in request.headers.keys()}:  # noqa: SIM118 - werkzeug's headers iterate as pairs
            log.info("intake.callback_not_fetched", source=definition.name)
        return Response(status=200, headers=headers)

    for view, methods in ((receive, ["POST"]), (greet, ["GET", "HEAD"]), (consent, ["OPTIONS"])):
        declares("source signature")(view)
        for path in PATHS:
            room.add_url_rule(path, view_func=view, methods=methods, provide_automatic_options=False)
    return room


def _read_body(incoming: Request, limit: int) -> bytes:
    """Read at most `limit` bytes, however they come.

    The framework's own limit silently truncates a chunked body, and that is a wrong signature at best.
    """
    announced = incoming.content_length
    incoming.max_content_length = limit + 1  # room for the byte that proves it too large
    if announced is not None and announced > limit:
        raise too_large(limit)
    chunks, size = [], 0
    try:
        while chunk := incoming.stream.read(min(CHUNK, limit + 1 - size)):
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                raise too_large(limit)
    except (ClientDisconnected, OSError) as error:
        raise truncated() from error
    if announced is not None and size < announced:
        raise truncated()
    return b"".join(chunks)


def _inbound(incoming: Request, public_url: str, body: bytes) -> Inbound:
    query = incoming.query_string.decode("latin-1")
    return make_inbound(incoming.method, public_url, incoming.path, query, headers_of(incoming.environ), body)


def _say(answer: Reply) -> Response:
    return Response(answer.text, content_type=answer.content_type) if isinstance(answer, PlainText) else jsonify(answer)
