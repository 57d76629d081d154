"""The address a CRM calls: in, an HTTP request; out, a small answer, after everything it says is stored.

The order is fixed: size, source, signature, handshake, reading, storing, answer. Answers follow what CRMs make of
them: a duplicate is 200 (409 is repeated), a wrong signature 401 without a reason (410 would unsubscribe us for ever).
An address without a source answers like one with a wrong signature: strangers do not learn which sources there are,
but for those whose CRM asks unsigned; the log says which of the two it was. Never logs a body, a query or a header.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from flask import Blueprint, Request, Response, jsonify, request
from sqlalchemy.engine import Engine
from werkzeug.exceptions import ClientDisconnected

from service.counts import HERE
from service.errors import BadRequest, NotAuthenticated, TooLarge
from service.intake.accept import Accepted, arrive
from service.intake.decode import packed, unpacked
from service.intake.definition_tables import Definition
from service.intake.events import Unmappable
from service.intake.group import commit
from service.intake.handshake import Reply, options_headers, signed_answer, unsigned_answer
from service.intake.inbound import Inbound, make_inbound
from service.intake.mapping import read
from service.intake.stored import Arrived
from service.intake.verify import Refused, Verified, is_test, verify
from service.settings.sections import Settings
from service.web.headers import request_id
from service.web.later import Later, Outcome, PlainText, Settle

PATHS = ("/webhooks/crm/<source>", "/webhooks/crm/<source>/")  # no redirect: senders follow none with a body
CHUNK = 64 * 1024
BARE = ("CONTENT_TYPE", "CONTENT_LENGTH")  # the two headers WSGI names without HTTP_
log = structlog.get_logger("intake")


def blueprint(
    settings: Settings, engine: Engine, definitions: Mapping[str, Definition], clock: Callable[[], datetime]
) -> Blueprint:
    """Build the routes for every source in `definitions`."""
    room = Blueprint("intake", __name__)

    def settle(deliveries: Sequence[_Received]) -> list[Outcome]:
        """Store what came at the same time in one commit, and say to each what became of it."""
        outcomes = commit(engine, [each.arrived for each in deliveries])
        return [_told(each, outcome) for each, outcome in zip(deliveries, outcomes, strict=True)]

    def receive(source: str) -> Response:
        """Receive a delivery of a source."""
        definition, largest = _found(definitions, source), settings.web.max_body_bytes
        inbound = _inbound(request, settings, _read_body(request, largest))
        if definition is None:
            unpacked(inbound, largest)  # what could not be read from anybody is told to everybody
            raise _not_proven()
        return _receive(
            settle, definition, inbound, min(definition.grammar.endpoint.max_bytes or largest, largest), clock()
        )

    def greet(source: str) -> Response:
        """Say that the address is there: some CRMs ask with HEAD or GET before they save it."""
        definition = _found(definitions, source)
        answer = unsigned_answer(definition, _inbound(request, settings, b"?")) if definition else None
        return Response(status=200) if answer is None else _say(answer)

    def consent(source: str) -> Response:
        """Answer a CloudEvents sender that asks whether it may deliver."""
        headers = options_headers(_found(definitions, source), _inbound(request, settings, b""))
        if "webhook-request-callback" in {name.lower() for name in request.headers.keys()}:  # noqa: SIM118 - werkzeug's headers iterate as pairs
            log.info("intake.callback_not_fetched", source=source)
        return Response(status=200, headers=headers)

    receive.largest_body = settings.web.max_body_bytes  # type: ignore[attr-defined]  # read by web/bounds.py
    for view, methods in ((receive, ["POST"]), (greet, ["GET", "HEAD"]), (consent, ["OPTIONS"])):
        view.authentication = "source signature"  # type: ignore[attr-defined]  # read by the test of all routes
        for path in PATHS:
            room.add_url_rule(path, view_func=view, methods=methods, provide_automatic_options=False)
    return room


@dataclass(frozen=True, slots=True)
class _Received:
    """A verified delivery that waits for its commit."""

    arrived: Arrived
    request_id: str


def _receive(settle: Settle, definition: Definition, inbound: Inbound, limit: int, now: datetime) -> Response:
    answer = unsigned_answer(definition, inbound)
    proof, inbound = (None, inbound) if answer is not None else _proven(definition, inbound, limit, now)
    if proof is not None:
        answer = signed_answer(definition, inbound)
    if proof is None or answer is not None:
        log.info("intake.handshake", source=definition.name)
        return _say(answer or {})
    arrived = arrive(definition, inbound, proof, read(definition, inbound, now), now)
    return Later(_Received(arrived, request_id()), settle)


def _proven(definition: Definition, inbound: Inbound, limit: int, now: datetime) -> tuple[Verified | None, Inbound]:
    """Return the proof and the request unpacked; no proof for the vendor's test button.

    A sender may have signed the bytes before it packed them.
    """
    verdict = verify(definition, inbound, now)
    if isinstance(verdict, Refused) and packed(inbound):
        inbound = unpacked(inbound, limit)
        verdict = verify(definition, inbound, now)
    if isinstance(verdict, Verified):
        if len(inbound.body) > limit:
            raise _too_large(limit)
        return verdict, unpacked(inbound, limit)
    if is_test(definition, inbound, now):
        return None, inbound
    HERE.add("deliveries", definition.name, "refused")
    log.warning("intake.refused", source=definition.name, code=verdict.code, bytes=len(inbound.body))
    raise _not_proven()


def _not_proven() -> NotAuthenticated:
    return NotAuthenticated("signature_refused", "The request is not proven to come from a source of this address.")


def _say(answer: Reply) -> Response:
    return Response(answer, content_type="text/plain; charset=utf-8") if isinstance(answer, str) else jsonify(answer)


def _told(delivery: _Received, outcome: Accepted | Exception) -> Outcome:
    """Write the log's line and the answer's body."""
    told = delivery.arrived.told
    if isinstance(outcome, Exception):
        HERE.add("deliveries", told.definition.name, "not_stored", by=len(told.readings))
        return outcome
    for word, number in outcome.counts.items():
        HERE.add("deliveries", told.definition.name, word, by=number)
    reasons = sorted({each.reason for each in told.readings if isinstance(each, Unmappable)})
    log.info(
        "intake.received",
        http_request_id=delivery.request_id,
        source=told.definition.name,
        delivery_id=outcome.delivery_id,
        repeated=outcome.duplicate,
        key_index=delivery.arrived.key_index,
        reasons=reasons,
        **outcome.counts,
    )
    endpoint = told.definition.grammar.endpoint
    if endpoint.answer is not None:
        return PlainText(endpoint.answer, endpoint.answer_type)
    return {**outcome.counts, **({"reasons": reasons} if reasons else {})}


def _found(definitions: Mapping[str, Definition], source: str) -> Definition | None:
    """Return the source of an address, also of one typed with capitals: names have none."""
    found = definitions.get(source.lower())
    if found is None:
        log.warning("intake.unknown_source", source=source[:64])
    return found


def _read_body(incoming: Request, limit: int) -> bytes:
    """Read at most `limit` bytes, however they come.

    The framework's own limit silently cuts a chunked body, and a cut body is a wrong signature at best.
    """
    announced = incoming.content_length
    incoming.max_content_length = limit + 1  # room for the byte that proves it too large
    if announced is not None and announced > limit:
        raise _too_large(limit)
    chunks, size = [], 0
    try:
        while chunk := incoming.stream.read(min(CHUNK, limit + 1 - size)):
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
    except (ClientDisconnected, OSError) as error:
        raise _truncated() from error
    if announced is not None and size < announced:
        raise _truncated()
    return b"".join(chunks)


def _truncated() -> BadRequest:
    return BadRequest("truncated_body", "The body ended before its announced length; send it again.")


def _too_large(limit: int) -> TooLarge:
    return TooLarge("body_too_large", f"A delivery may have at most {limit} bytes.")


def _inbound(incoming: Request, settings: Settings, body: bytes) -> Inbound:
    query = incoming.query_string.decode("latin-1")
    return make_inbound(
        incoming.method, settings.service.public_url, incoming.path, query, _headers(incoming.environ), body
    )


def _headers(environ: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The headers as WSGI has them; to let werkzeug spell each name again costs more than to verify the signature."""
    found = [(name[5:].replace("_", "-"), value) for name, value in environ.items() if name.startswith("HTTP_")]
    return found + [(name.replace("_", "-"), environ[name]) for name in BARE if environ.get(name)]
