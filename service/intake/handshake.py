"""What CRMs ask before they send: in, a definition and an `Inbound`; out, the answer's headers or body, or None.

Echoes and pings are answered only after the signature is checked. A CloudEvents sender is welcomed only where its
origin is on the list, and its callback address is never fetched: that would let a stranger choose whom we call.
"""

from typing import Any

from service.errors import NotAllowed
from service.intake.body import BodyProblem
from service.intake.expressions import Expression, ExpressionError
from service.intake.inbound import Inbound
from service.intake.mapping import base_context, parse_items
from service.intake.shapes import Definition

ALLOW = "GET, HEAD, OPTIONS, POST"
MAX_ECHO = 512


def signed_answer(definition: Definition, inbound: Inbound) -> dict[str, Any] | None:
    """Return the JSON to answer a verified question with; None where the delivery is no question."""
    handshake = definition.grammar.handshake
    echo = handshake.echo
    if echo is not None and echo.header.lower() in inbound.headers and _matches(definition, inbound, echo.when):
        return {echo.reply_key: inbound.headers[echo.header.lower()][:MAX_ECHO]}
    if handshake.acknowledge is not None and _matches(definition, inbound, handshake.acknowledge):
        return {}
    return None


def options_headers(definition: Definition, inbound: Inbound) -> dict[str, str]:
    """Return the headers of the answer to OPTIONS. Raises NotAllowed for an origin that is not listed."""
    origin = inbound.headers.get("webhook-request-origin")
    if origin is None:
        return {"Allow": ALLOW}
    if origin.lower() not in definition.grammar.handshake.cloudevents_origins:
        raise NotAllowed(
            "origin_not_allowed", "This origin may not send here; list it under handshake.cloudevents_origins."
        )
    headers = {"Allow": ALLOW, "WebHook-Allowed-Origin": origin}
    asked = inbound.headers.get("webhook-request-rate")
    if asked is not None:
        headers["WebHook-Allowed-Rate"] = str(_rate(asked, definition.grammar.handshake.cloudevents_rate))
    return headers


def _rate(asked: str, most: int) -> int:
    return min(int(asked), most) if asked.isascii() and asked.isdigit() and 0 < len(asked) < 10 and int(asked) else most  # noqa: PLR2004 - nobody sends a thousand million a minute


def _matches(definition: Definition, inbound: Inbound, when: Expression) -> bool:
    try:
        root, _ = parse_items(definition, inbound)
        return when.matches({**base_context(definition, inbound, root), "b": root})
    except (BodyProblem, ExpressionError):
        return False
