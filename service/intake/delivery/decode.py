"""Bytes as their sender meant them: in, a request as it came; out, the same request unpacked, its charset known.

`Content-Encoding` is undone only after the signature was checked, and never beyond the size a body may have: a bomb of
50 kB would be 50 MB. What cannot be read without something we do not know is refused, not kept: nobody could mend it
afterwards. Never looks into the text.
"""

import codecs
import zlib
from collections.abc import Callable
from dataclasses import replace

from service.errors import TooLarge, UnknownEncoding
from service.intake.delivery.inbound import Inbound

GZIP_OR_ZLIB, RAW = 47, -15  # zlib's own words for "either header" and "none"
PLAIN = frozenset({"", "identity", "utf-8", "aws-chunked"})  # what some senders write where nothing is packed
MOST_LAYERS = 2
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def packed(inbound: Inbound) -> list[str]:
    """The encodings of the body, outermost first; empty where it came as it is."""
    named = inbound.headers.get("content-encoding", "").lower().split(",")
    return [each.strip() for each in reversed(named) if each.strip() not in PLAIN]


def unpacked(inbound: Inbound, limit: int) -> Inbound:
    """Return the request with a body as its sender wrote it. Raises TooLarge and UnknownEncoding."""
    charset_of(inbound)
    encodings = packed(inbound)
    if not encodings:
        return inbound
    if len(encodings) > MOST_LAYERS:
        raise UnknownEncoding("unknown_encoding", f"A body may be packed at most {MOST_LAYERS} times.")
    body = inbound.body
    for each in encodings:
        body = _undone(each, body, limit)
    headers = {name: value for name, value in inbound.headers.items() if name != "content-encoding"}
    return replace(inbound, headers=headers, body=body)


def charset_of(inbound: Inbound) -> str | None:
    """Return the codec of the declared charset, or the one its first bytes declare. Raises UnknownEncoding."""
    declared = inbound.charset
    if declared is None:
        return next((codec for bom, codec in BOMS if inbound.body.startswith(bom)), None)
    try:
        codec = codecs.lookup(declared)
        text = isinstance(b" ".decode(declared, "replace"), str)  # base64 and the like are codecs, too
    except (LookupError, ValueError, UnicodeError):
        text = False
    if not text:
        sentence = "The charset of the Content-Type is none we know; send UTF-8."
        raise UnknownEncoding("unknown_charset", sentence)
    return "utf-8-sig" if codec.name == "utf-8" else codec.name


def _undone(encoding: str, body: bytes, limit: int) -> bytes:
    undo = ENCODINGS.get(encoding)
    try:
        if undo is not None:
            return undo(body, limit)
    except zlib.error:
        pass
    if _is_text(body):
        return body  # a proxy unpacked it and left the header
    sentence = f"The body is packed as '{encoding[:40]}', which cannot be undone; send it plain, as gzip or deflate."
    raise UnknownEncoding("unknown_encoding", sentence)


def _is_text(body: bytes) -> bool:
    try:
        return bool(body.decode("utf-8").strip())
    except UnicodeDecodeError:
        return False


def _gzip(body: bytes, limit: int) -> bytes:
    found = b""
    while body:  # a file of gzip may have several members
        one = zlib.decompressobj(GZIP_OR_ZLIB)
        found += one.decompress(body, limit + 1 - len(found))
        if len(found) > limit:
            raise TooLarge("unpacked_too_large", f"Unpacked, a delivery may have at most {limit} bytes.")
        if not one.eof:
            raise zlib.error
        body = one.unused_data
    return found


def _deflate(body: bytes, limit: int) -> bytes:
    try:
        return _gzip(body, limit)
    except zlib.error:
        raw = zlib.decompressobj(RAW)
        found = raw.decompress(body, limit + 1)
        if len(found) > limit:
            raise TooLarge("unpacked_too_large", f"Unpacked, a delivery may have at most {limit} bytes.") from None
        if not raw.eof:
            raise
        return found


ENCODINGS: dict[str, Callable[[bytes, int], bytes]] = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate}
