"""What the verifier kinds share: which bytes are signed, where the signature stands, how old the request may be.

In: an `Inbound` and a frozen description. Out: bytes and candidates, or `Refusal`. Knows no key and compares nothing.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service.intake.inbound import Inbound
from service.intake.times import parse_time


@dataclass(frozen=True, slots=True)
class Verified:
    """The request is the source's. `key_index` counts the source's keys; None where no key was needed."""

    key_index: int | None
    verifier: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The request is not proven to be the source's. `code` is for our log, never for the sender."""

    code: str
    sentence: str


class Refusal(Exception):
    """Raised inside a verifier; becomes a `Refused`."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class SignatureAt:
    """Where the signature stands: the whole header, a field of `k=v,k=v`, or the entries of a list."""

    header: str
    prefix: str = ""
    kv: str | None = None
    list: str | None = None


@dataclass(frozen=True, slots=True)
class SignedTime:
    """A signed timestamp: `source` is `header:NAME` or `sig:FIELD`."""

    source: str
    format: str
    tolerance: timedelta
    required: bool = True


@dataclass(frozen=True, slots=True)
class Signed:
    """The signed bytes, in order: `literal:…`, `header:…`, `sig:…`, `method`, `url`, `body`, `body_compact`."""

    parts: tuple[str, ...]
    signature: SignatureAt
    encoding: str  # hex | base64
    timestamp: SignedTime | None


def header(inbound: Inbound, name: str, what: str) -> str:
    """Return the one value of a header. Raises Refusal where it is missing, empty or repeated."""
    if name in inbound.repeated_headers:
        raise Refusal(f"{what}_repeated", f"The header {name} came more than once.")
    value = inbound.headers.get(name, "")
    if not value:
        raise Refusal(f"{what}_missing", f"The header {name} is missing or empty.")
    return value


def candidates(inbound: Inbound, place: SignatureAt) -> list[str]:
    """Return every signature the request offers, without prefixes. Raises Refusal where there is none."""
    value = header(inbound, place.header, "signature")
    if place.kv is not None:
        offered = [v for k, v in key_values(value) if k == place.kv]
    elif place.list is not None:
        offered = value.split(place.list)
    else:
        offered = [value]
    found = [each.removeprefix(place.prefix) for each in offered if each.startswith(place.prefix)]
    if not any(found):
        raise Refusal("signature_unreadable", f"The header {place.header} holds no signature of the expected form.")
    return found


def signed_bytes(signed: Signed, inbound: Inbound) -> bytes:
    """Put together the bytes the sender signed. Raises Refusal where a part of them is missing."""
    return b"".join(_part(part, signed.signature, inbound) for part in signed.parts)


def check_age(signed: Signed, inbound: Inbound, now: datetime) -> None:
    """Raise Refusal where the signed time is missing, unreadable, or further from `now` than the tolerance."""
    time = signed.timestamp
    if time is None:
        return
    try:
        given = _from(time.source, signed.signature, inbound, "timestamp").decode()
    except Refusal as refusal:
        if time.required or refusal.code != "timestamp_missing":
            raise
        return
    moment = parse_time(given, time.format)
    if moment is None:
        raise Refusal("timestamp_unreadable", f"The signed time is not of the form {time.format}.")
    if abs(now - moment) > time.tolerance:
        seconds = int((now - moment).total_seconds())
        raise Refusal("timestamp_stale", f"The request was signed {seconds} s before now; the clocks may differ.")


def encode(digest: bytes, encoding: str) -> str:
    """Write a digest the way the sender does."""
    return digest.hex() if encoding == "hex" else base64.b64encode(digest).decode("ascii")


def decode(text: str, encoding: str) -> bytes | None:
    """Read a digest strictly; None where it is not of this encoding."""
    try:
        return bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None


def key_values(value: str) -> list[tuple[str, str]]:
    """Read `t=1,v1=abc` in order."""
    pairs = (each.strip().partition("=") for each in value.split(","))
    return [(name, text) for name, _, text in pairs]


def _part(part: str, place: SignatureAt, inbound: Inbound) -> bytes:
    if part == "body":
        return inbound.body
    if part == "body_compact":
        return _compact(inbound.body)
    if part == "method":
        return inbound.method.encode()
    if part == "url":
        return inbound.url.encode()
    kind, _, rest = part.partition(":")
    return rest.encode() if kind == "literal" else _from(part, place, inbound, "timestamp")


def _from(source: str, place: SignatureAt, inbound: Inbound, what: str) -> bytes:
    kind, _, name = source.partition(":")
    if kind == "header":
        return header(inbound, name, what).encode("utf-8", "replace")
    given = [v for k, v in key_values(header(inbound, place.header, "signature")) if k == name]
    if len(given) != 1:
        # two times in one signature: the one that is checked need not be the one that was signed
        raise Refusal(f"{what}_{'missing' if not given else 'repeated'}", f"The signature needs one '{name}='.")
    return given[0].encode("utf-8", "replace")


def _compact(body: bytes) -> bytes:
    """Write the body as compact JSON, for senders that sign what their JSON library would write."""
    try:
        return json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refusal("body_unreadable", "The body is not JSON, and the signature covers compact JSON.") from error


def jsonable(value: Any) -> str | None:
    """Return a scalar as the text it is compared as; None for anything else."""
    if isinstance(value, bool) or value is None or isinstance(value, (dict, list)):
        return None
    return str(value)
