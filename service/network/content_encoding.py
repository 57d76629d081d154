"""Decompresses request bodies as their `Content-Encoding` says, never beyond the size a body may have.

Without that bound, 50 kB could unpack to 50 MB. An unknown encoding is refused rather than stored: nobody could make
sense of it later. A proxy may lose the header: gzip shows by its first bytes, which begin no text.
"""

import zlib
from collections.abc import Callable
from contextlib import suppress

from service.errors import TooLarge, UnknownEncoding
from service.network.charset import is_utf_8

GZIP = b"\x1f\x8b"  # how each such body begins
GZIP_OR_ZLIB, RAW = 47, -15  # zlib's window bits for "either header" and "no header"
PLAIN = frozenset({"", "identity", "utf-8", "aws-chunked"})  # what some senders write where nothing is packed
MOST_LAYERS = 2
MOST_MEMBERS = 64  # of a gzip file: each costs a copy of all that follows, and an empty one has only twenty bytes


def layers(written: str | None, body: bytes) -> list[str]:
    """The encodings a header names, else the one the body shows, outermost first; empty if there are none."""
    named = (each.partition(";")[0].strip() for each in reversed((written or "").lower().split(",")))
    return [each for each in named if each not in PLAIN] or _shown(body)


def _shown(body: bytes) -> list[str]:
    return ["gzip"] if body.startswith(GZIP) else []


def undone(encodings: list[str], body: bytes, limit: int) -> bytes:
    """Return the body without these layers, nor any that shows beneath. Raises TooLarge and UnknownEncoding."""
    left = MOST_LAYERS
    while encodings:
        if len(encodings) > left:
            raise UnknownEncoding("unknown_encoding", f"A body may be compressed at most {MOST_LAYERS} times.")
        body = _undone(encodings[0], body, limit)
        encodings, left = encodings[1:] or _shown(body), left - 1
    return body


def _undone(encoding: str, body: bytes, limit: int) -> bytes:
    undo = ENCODINGS.get(encoding)
    try:
        if undo is not None:
            return undo(body, limit)
    except zlib.error:
        pass
    if is_utf_8(body):
        return body  # a proxy unpacked it and left the header
    sentence = f"The body cannot be unpacked as '{encoding[:40]}'; send it whole: plain, or as gzip or deflate."
    raise UnknownEncoding("unknown_encoding", sentence)


def _gzip(body: bytes, limit: int) -> bytes:
    found, members = b"", 0
    while body:
        one = zlib.decompressobj(GZIP_OR_ZLIB)
        found += one.decompress(body, limit + 1 - len(found))
        members += 1
        _demand_fits(found, limit)
        if not one.eof or members > MOST_MEMBERS:
            raise zlib.error
        body = one.unused_data
    return found


def _deflate(body: bytes, limit: int) -> bytes:
    with suppress(zlib.error):
        return _gzip(body, limit)
    raw = zlib.decompressobj(RAW)
    found = raw.decompress(body, limit + 1)
    _demand_fits(found, limit)
    if not raw.eof:
        raise zlib.error
    return found


def _demand_fits(found: bytes, limit: int) -> None:
    if len(found) > limit:
        raise TooLarge("unpacked_too_large", f"Unpacked, a body may have at most {limit} bytes.")


ENCODINGS: dict[str, Callable[[bytes, int], bytes]] = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate}
