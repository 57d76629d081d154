"""Answers the questions CRMs ask before they send deliveries; None if a request is no such question.

Most are answered only after the signature was checked. Unsigned ones are answered only if the definition names them, by
header and query, and store nothing. A CloudEvents sender is accepted only if its origin is listed, and its callback
address is never fetched: that would let a stranger choose whom we call.
"""

import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from service.crm_api.get import NoAnswer, fetch_text
from service.errors import NotAllowed, Unavailable
from service.intake.definition.tables import Challenge, Definition
from service.intake.delivery.formats import BodyProblem
from service.intake.delivery.inbound import Inbound
from service.intake.expressions.compiled import find
from service.intake.mapping.readings import base_context, root_of
from service.intake.verify.sns import subscription
from service.web.deferred import PlainText

ALLOW = "GET, HEAD, OPTIONS, POST"
MAX_ECHO = 512
NO_BODY = (b"", b"{}")
PLAIN_TEXT = "text/plain; charset=utf-8"
Reply = dict[str, Any] | PlainText  # JSON, or plain text


def signed_answer(definition: Definition, inbound: Inbound) -> Reply | None:
    """Return the answer to a verified question; None if the delivery is no question."""
    handshake = definition.grammar.handshake
    if handshake.empty and inbound.body.strip() in NO_BODY:
        return {}
    if handshake.subscribe and (address := subscription(inbound)):
        return _confirmed(address)
    if not handshake.acknowledge and not any(each.signed for each in handshake.answers):
        return None
    context = _context(definition, inbound)
    if context is None:
        return None
    found = _answer((each for each in handshake.answers if each.signed), context, definition.words)
    if found is None and find(handshake.acknowledge, context) is True:
        return {}
    return found


def unsigned_answer(definition: Definition, inbound: Inbound) -> Reply | None:
    """Return the answer to an unsigned question. Its body is not even parsed."""
    handshake = definition.grammar.handshake
    if handshake.empty and inbound.body.strip() in NO_BODY and not _claims_a_proof(definition, inbound):
        return {}
    if all(each.signed for each in handshake.answers):
        return None
    context = base_context(definition, inbound, {}) | {"h": inbound.headers, "q": inbound.query, "b": {}}
    known = (each for each in handshake.answers if not each.signed and _knows_a_key(definition, each, context))
    return _answer(known, context)


def _confirmed(address: str) -> Reply:
    """Call the address of a subscription that is verified to be ours and Amazon's. Raises Unavailable."""
    try:
        fetch_text(address)
    except NoAnswer as error:
        raise Unavailable(
            "subscription_unconfirmed", f"{error} The subscription is not confirmed yet; it is tried again."
        ) from error
    return {}


def _answer(answers: Iterable[Challenge], context: Mapping[str, Any], words: tuple[bytes, ...] = ()) -> Reply | None:
    """Answer the first question that is asked. Without `words`, the source's keys, nothing is signed."""
    for each in answers:
        value = find(each.value, context) if find(each.when, context) is True else None
        if isinstance(value, str) and value:
            return _reply(each, value[:MAX_ECHO], words)
    return None


def _reply(answer: Challenge, value: str, words: tuple[bytes, ...]) -> Reply:
    if answer.key is None:
        return PlainText(value, PLAIN_TEXT)
    proof = [hmac.digest(word, value.encode("utf-8", "replace"), "sha256").hex() for word in words[:1]]
    return {answer.key: value, **({answer.proof: proof[0]} if answer.proof and proof else {})}


def _claims_a_proof(definition: Definition, inbound: Inbound) -> bool:
    """Whether it carries a signature: a wrong one with an empty body is no connection test."""
    return bool(definition.secret_headers & inbound.headers.keys() or definition.secret_query & inbound.query.keys())


def _knows_a_key(definition: Definition, answer: Challenge, context: Mapping[str, Any]) -> bool:
    if answer.token is None:
        return True
    given = find(answer.token, context)
    raw = given.encode("utf-8", "replace") if isinstance(given, str) else b""
    return any([hmac.compare_digest(each, raw) for each in definition.words])  # noqa: C419 - compares all


def options_headers(definition: Definition | None, inbound: Inbound) -> dict[str, str]:
    """Return the headers of the answer to OPTIONS. Raises NotAllowed for an origin that no source lists."""
    origin = inbound.headers.get("webhook-request-origin")
    if origin is None:
        return {"Allow": ALLOW}
    if definition is None or origin.lower() not in definition.grammar.handshake.cloudevents_origins:
        raise NotAllowed(
            "origin_not_allowed", "This origin may not send here; add it to handshake.cloudevents_origins."
        )
    headers = {"Allow": ALLOW, "WebHook-Allowed-Origin": origin}
    asked = inbound.headers.get("webhook-request-rate")
    if asked is not None:
        headers["WebHook-Allowed-Rate"] = str(_rate(asked, definition.grammar.handshake.cloudevents_rate))
    return headers


def _rate(asked: str, most: int) -> int:
    return min(int(asked), most) if asked.isascii() and asked.isdigit() and 0 < len(asked) < 10 and int(asked) else most  # noqa: PLR2004 - nobody sends a thousand million a minute


def _context(definition: Definition, inbound: Inbound) -> dict[str, Any] | None:
    """What expressions see of a question, which is never split: it holds no list of events."""
    try:
        root = root_of(definition, inbound)
    except BodyProblem:
        return None
    return {**base_context(definition, inbound, root), "b": root}
