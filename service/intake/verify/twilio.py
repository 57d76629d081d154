"""Verifies Twilio's signature and returns the index of the token that matched.

An HMAC over the address and, for forms, every field sorted by name; for JSON the address carries the body's digest. By
the account's token it is SHA-1, by a key of a Webhook Rule SHA-256 (D): whichever a key of ours makes is right.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from service.intake.delivery.formats import FORM, MAX_FIELDS
from service.intake.delivery.inbound import Inbound
from service.intake.verify.shared_secret import matching
from service.intake.verify.signed_parts import encode, header
from service.intake.verify.verifier import Keyed, Refusal

DEFAULT_PORTS = {"https": 443, "http": 80}
SIGNATURE = "x-twilio-signature"
HASHES = ("sha1", "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Twilio(Keyed):
    """An HMAC over the address and the fields of a form, as Twilio signs."""

    kind: ClassVar[str] = "twilio"
    secret_headers: frozenset[str] = frozenset({SIGNATURE})

    def check(self, inbound: Inbound, _now: datetime) -> int:
        """Return the index of the token that signed this address. Raises Refusal."""
        offered = header(inbound, SIGNATURE, "signature")
        behind = ending(inbound)
        expected = [
            (key.index, encode(hmac.digest(key.secret, (url + behind).encode("utf-8", "replace"), by), "base64"))
            for key in self.secrets
            for url in _with_and_without_port(inbound.url)
            for by in HASHES
        ]
        return matching(expected, [offered])

    def covered(self, inbound: Inbound) -> str:
        """Say what the signature covers."""
        return f"the address {inbound.url} and the form's fields"


def ending(inbound: Inbound) -> str:
    """Return what follows the address; nothing for JSON, where the address carries the body's digest."""
    if "bodySHA256" in inbound.query:
        if "bodySHA256" in inbound.repeated_query:
            raise Refusal("signature_repeated", "The query names bodySHA256 more than once.")
        claimed = inbound.query["bodySHA256"].lower().encode("utf-8", "replace")
        if not hmac.compare_digest(inbound.digest.encode(), claimed):
            raise Refusal("signature_wrong", "bodySHA256 was made for a different body.")
        return ""
    if inbound.content_type != FORM:
        raise Refusal("body_not_covered", "A JSON body needs bodySHA256 in the address; nothing else protects it.")
    try:
        fields = parse_qsl(inbound.body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise Refusal("body_unreadable", "The body is not a form.") from error
    return "".join(name + value for name, value in sorted(set(fields)))


def _with_and_without_port(url: str) -> Iterable[str]:
    """Both forms, as Twilio's own validators try them: proxies add and drop the port."""
    parts = urlsplit(url)
    yield url
    if parts.port is None:
        yield urlunsplit(parts._replace(netloc=f"{parts.hostname}:{DEFAULT_PORTS[parts.scheme]}"))
    else:
        yield urlunsplit(parts._replace(netloc=str(parts.hostname)))
