"""Which bytes of a request are signed, where the signature stands, and how old it is: bytes and texts, or `Refusal`.

What all verifiers of signatures share, with its table in a definition. Knows no key and compares nothing.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType
from urllib.parse import unquote

from marshmallow import ValidationError

from service.intake.delivery.inbound import Inbound
from service.intake.values.times import FORMATS, parse_time
from service.intake.verify.verifier import HeaderName, Keyed, Refusal
from service.settings.declare import REQUIRED, setting
from service.settings.values import NOT_EMPTY, one_of

ENCODINGS = ("hex", "base64", "base64url")
BODY_PARTS = frozenset({"body", "body_compact"})
WHOLE_PARTS: Mapping[str, Callable[[Inbound], bytes]] = {
    "method": lambda inbound: inbound.method.encode(),
    "url": lambda inbound: inbound.url.encode(),
    "body": lambda inbound: inbound.body,
    "body_compact": lambda inbound: _compact(inbound.body),
    "body_sha256": lambda inbound: hashlib.sha256(inbound.body).digest(),
    "body_sha256:hex": lambda inbound: inbound.digest.encode(),
    "body_sha256:base64": lambda inbound: encode(hashlib.sha256(inbound.body).digest(), "base64").encode(),
}
PLAIN_PARTS = WHOLE_PARTS.keys() | {"key"}
PREFIXED_PARTS = ("literal:", "header:", "sig:", "url_decoded:")
PARTS = f"literal:…, header:…, sig:…, url_decoded:%3A…, {', '.join(WHOLE_PARTS)}; key for `hash`"
UNPROVEN_AT_MOST = 256 * 1024
"""Of a body that is parsed before it is proven: a megabyte of tiny values takes a second, and is 1.5 kB as gzip."""
Part = NewType("Part", str)


@dataclass(frozen=True, slots=True)
class SignatureAt:
    """Where the signature is: the whole header, a field of `k=v,k=v`, or the entries of a list."""

    header: HeaderName = setting(REQUIRED, "the header that carries the signature", NOT_EMPTY)
    prefix: str = setting("", "a prefix before the signature, such as `sha256=`")
    kv: str | None = setting(None, "the field that holds it, if the header is `k=v,k=v`")
    list: str | None = setting(None, "what separates several signatures")
    names: tuple[str, ...] = setting([], "names for the entries of a header without any, such as `t;hash`")
    separator: str = setting(",", "what separates fields or named entries", NOT_EMPTY)


def _header_or_field(value: str) -> None:
    if not value.startswith(("header:", "sig:")):
        raise ValidationError("must be header:… or sig:…")


@dataclass(frozen=True, slots=True)
class SignedTime:
    """The time the signature covers."""

    from_: Part = setting(REQUIRED, "`header:NAME` or `sig:FIELD`", _header_or_field)
    format: str = setting("digits_auto", "how it is written", one_of(*FORMATS))
    tolerance: timedelta = setting("300s", "how far it may differ from our clock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing(Keyed):
    """A signature over an ordered list of parts."""

    key_prefix: str = setting("", "use only keys with this prefix, and strip it; other verifiers ignore these keys")
    prefixed_only: bool = setting(default=False, sentence="do not use keys without the prefix")
    signed: tuple[Part, ...] = setting(["body"], f"the signed bytes, in order: {PARTS}")
    signature: SignatureAt = setting(REQUIRED, "where the signature stands: a header's name, or a table")
    encoding: str = setting("hex", "how it is written", one_of(*ENCODINGS))
    timestamp: SignedTime | None = setting(None, "the time the signature covers")

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """Settings that would accept somebody else's bytes: a key, and what would be right."""
        if not any(part.startswith("body") for part in self.signed):
            yield "signed", "does not cover the body: anybody could put another one under it"
        if self.timestamp and self.timestamp.from_ not in self.signed:
            yield "timestamp", f"'{self.timestamp.from_}' is not among the signed parts, so anybody could change it"


def header(inbound: Inbound, name: str, what: str) -> str:
    """Return the one value of a header. Raises Refusal if it is missing, empty or repeated."""
    if name in inbound.repeated_headers:
        raise Refusal(f"{what}_repeated", f"The header {name} came more than once.")
    value = inbound.headers.get(name, "")
    if not value:
        raise Refusal(f"{what}_missing", f"The header {name} is missing or empty.")
    return value


def as_sent(value: str) -> bytes:
    """Return the bytes of a header: WSGI turns each into one character."""
    return value.encode("latin-1", "replace")


def behind(scheme: str, inbound: Inbound, name: str) -> str:
    """Return the token behind a scheme in a header. Raises Refusal."""
    given = header(inbound, name, "token")
    if given[: len(scheme)].lower() != scheme.lower():
        raise Refusal("token_unreadable", f"The header {name} must begin with '{scheme}'.")
    return given[len(scheme) :].strip(" \t")


def asked(inbound: Inbound, name: str, what: str) -> str:
    """Return the one value of a query parameter. Raises Refusal if it is missing, empty or repeated."""
    if name in inbound.repeated_query:
        raise Refusal(f"{what}_repeated", f"The query names {name} more than once.")
    if not inbound.query.get(name):
        raise Refusal(f"{what}_missing", f"The query has no {name}.")
    return inbound.query[name]


def candidates(inbound: Inbound, place: SignatureAt) -> list[str]:
    """Return every signature the request offers, without prefixes. Raises Refusal if there is none."""
    value = header(inbound, place.header, "signature")
    if place.kv is not None:
        offered = [v for k, v in named_values(value, place) if k == place.kv]
    elif place.list is not None:
        offered = value.split(place.list)
    else:
        offered = [value]
    found = [each.removeprefix(place.prefix) for each in offered if each.startswith(place.prefix)]
    if not any(found):
        raise Refusal("signature_unreadable", f"The header {place.header} has no signature of the expected form.")
    return found


def signed_bytes(by: Signing, inbound: Inbound, key: bytes = b"") -> bytes:
    """Put together the bytes the sender signed. Raises Refusal if a part of them is missing."""
    return b"".join(key if part == "key" else _part(part, by.signature, inbound) for part in by.signed)


def check_age(by: Signing, inbound: Inbound, now: datetime) -> None:
    """Raise Refusal if the signed time is missing, unreadable, or further from `now` than the tolerance."""
    time = by.timestamp
    if time is None:
        return
    moment = parse_time(_signed_value(time.from_, by.signature, inbound).decode("utf-8", "replace"), time.format)
    if moment is None:
        raise Refusal("timestamp_unreadable", f"The signed time does not have the format {time.format}.")
    demand_fresh(moment, now, time.tolerance)


def demand_fresh(moment: datetime, now: datetime, tolerance: timedelta) -> None:
    """Raise Refusal if a signed time is too far from our clock."""
    if abs(now - moment) > tolerance:
        seconds = int((now - moment).total_seconds())
        raise Refusal("timestamp_stale", f"The request was signed {seconds} s before now; the clocks may differ.")


def encode(digest: bytes, encoding: str) -> str:
    """Write a digest the way the sender does."""
    if encoding == "base64url":
        return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
    return digest.hex() if encoding == "hex" else base64.b64encode(digest).decode("ascii")


def usual(text: str, encoding: str) -> str:
    """Write an offered digest as `encode` would: hex in either case, base64url with or without padding."""
    return {"hex": text.lower(), "base64url": text.rstrip("=")}.get(encoding, text)


def decode(text: str, encoding: str) -> bytes | None:
    """Decode a digest strictly; None if it is not in this encoding."""
    try:
        if encoding == "base64url":
            return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None


def named_values(value: str, place: SignatureAt) -> list[tuple[str, str]]:
    """Read `t=1,v1=abc`, or `1;abc` by the names of its places, in order."""
    entries = [each.strip() for each in value.split(place.separator)]
    if place.names:
        return list(zip(place.names, entries, strict=True)) if len(entries) == len(place.names) else []
    return [(name, text) for name, _, text in (each.partition("=") for each in entries)]


def _part(part: str, place: SignatureAt, inbound: Inbound) -> bytes:
    if part in WHOLE_PARTS:
        return WHOLE_PARTS[part](inbound)
    kind, _, rest = part.partition(":")
    if kind == "url_decoded":
        return "".join(_decoded(inbound.url, rest.upper())).encode()
    return rest.encode() if kind == "literal" else _signed_value(part, place, inbound)


def _decoded(url: str, escapes: str) -> Iterator[str]:
    """The address with just these escapes undone, as some vendors do before signing."""
    first, *rest = url.split("%")
    yield first
    for each in rest:
        escape = f"%{each[:2]}"
        yield unquote(escape) + each[2:] if escape.upper() in escapes else f"%{each}"


def _signed_value(source: str, place: SignatureAt, inbound: Inbound) -> bytes:
    kind, _, name = source.partition(":")
    if kind == "header":
        return as_sent(header(inbound, name, "timestamp"))
    given = [v for k, v in named_values(header(inbound, place.header, "signature"), place) if k == name]
    if len(given) != 1:
        # two times in one signature: the one that is checked need not be the one that was signed
        raise Refusal(
            f"timestamp_{'missing' if not given else 'repeated'}", f"The signature needs exactly one '{name}'."
        )
    return given[0].encode("utf-8", "replace")


def demand_short(body: bytes) -> None:
    """Raise Refusal for a body that may take long to parse, while nobody has vouched for it."""
    if len(body) > UNPROVEN_AT_MOST:
        raise Refusal("body_too_large", f"Until it is verified, a body may have at most {UNPROVEN_AT_MOST} bytes.")


def _compact(body: bytes) -> bytes:
    """Write the body as compact JSON, for senders that sign what their JSON library would write."""
    demand_short(body)
    try:
        return json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refusal("body_unreadable", "The body is not JSON, and the signature covers compact JSON.") from error
