"""The verifiers that share a secret over signed bytes: in, keys and an `Inbound`; out, the index of the key that fits.

`hmac` covers nearly every CRM; `twilio` signs its address and sorted form fields instead of the body. Each compares in
constant time and raises Refusal otherwise.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from service.intake.inbound import Inbound
from service.intake.verify_parts import Refusal, Signed, candidates, check_age, encode, header, signed_bytes

FORM = "application/x-www-form-urlencoded"
DEFAULT_PORTS = {"https": 443, "http": 80}
MAX_FORM_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class Key:
    """A key and its place in the source's list, so that the log can say which one is still in use."""

    index: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hmac:
    """HMAC over an ordered list of parts."""

    digest: str
    signed: Signed
    keys: tuple[Key, ...]
    kind: str = "hmac"


@dataclass(frozen=True, slots=True)
class Twilio:
    """HMAC-SHA1 over the address and, for forms, every field sorted by name."""

    keys: tuple[Key, ...]
    kind: str = "twilio"


def check_hmac(verifier: Hmac, inbound: Inbound, now: datetime) -> int:
    """Return the index of the key that made a signature of these bytes. Raises Refusal."""
    offered = candidates(inbound, verifier.signed.signature)
    message = signed_bytes(verifier.signed, inbound)
    encoding = verifier.signed.encoding
    expected = [
        (key.index, encode(hmac.digest(key.secret, message, verifier.digest), encoding)) for key in verifier.keys
    ]
    index = _matching(expected, [each.lower() for each in offered] if encoding == "hex" else offered)
    check_age(verifier.signed, inbound, now)
    return index


def check_twilio(verifier: Twilio, inbound: Inbound, _now: datetime) -> int:
    """Return the index of the token that signed this address. Raises Refusal."""
    offered = header(inbound, "x-twilio-signature", "signature")
    ending = _twilio_ending(inbound)
    expected = [
        (key.index, encode(hmac.digest(key.secret, (url + ending).encode("utf-8", "replace"), "sha1"), "base64"))
        for key in verifier.keys
        for url in _with_and_without_port(inbound.url)
    ]
    return _matching(expected, [offered])


def _twilio_ending(inbound: Inbound) -> str:
    """Return what follows the address; for JSON nothing, as the address carries the body's digest."""
    if "bodySHA256" in inbound.query:
        if "bodySHA256" in inbound.repeated_query:
            raise Refusal("signature_repeated", "The query names bodySHA256 more than once.")
        claimed = inbound.query["bodySHA256"].lower().encode("utf-8", "replace")
        if not hmac.compare_digest(hashlib.sha256(inbound.body).hexdigest().encode(), claimed):
            raise Refusal("signature_wrong", "The body is not the one bodySHA256 was made of.")
        return ""
    if inbound.content_type != FORM:
        raise Refusal("body_not_covered", "A JSON body needs bodySHA256 in the address, or nothing vouches for it.")
    try:
        fields = parse_qsl(inbound.body.decode(), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS)
    except ValueError as error:
        raise Refusal("body_unreadable", "The body is no form.") from error
    return "".join(name + value for name, value in sorted(set(fields)))


def _with_and_without_port(url: str) -> Iterable[str]:
    """Twilio's own validators try both, as proxies add and drop the port."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    yield url
    if parts.port is None:
        yield urlunsplit(parts._replace(netloc=f"{host}:{DEFAULT_PORTS[parts.scheme]}"))
    else:
        yield urlunsplit(parts._replace(netloc=host))


def _matching(expected: Iterable[tuple[int, str]], offered: Iterable[str]) -> int:
    raw = [each.encode("utf-8", "replace") for each in offered]
    # every pair is compared, so that time tells neither which key nor which signature fits
    hits = [index for index, text in expected for each in raw if hmac.compare_digest(text.encode(), each)]
    if not hits:
        raise Refusal("signature_wrong", "No key of the source makes this signature of these bytes.")
    return hits[0]
