"""Decompresses request bodies as their `Content-Encoding` says, never beyond the size a body may have.

Without that bound, 50 kB could unpack to 50 MB. An unknown encoding is refused rather than stored: nobody could make
sense of it later.
"""

import zlib
from collections.abc import Callable

from service.errors import TooLarge, UnknownEncoding

GZIP_OR_ZLIB, RAW = 47, -15  # zlib's window bits for "either header" and "no header"
PLAIN = frozenset({"", "identity", "utf-8", "aws-chunked"})  # what some senders write where nothing is packed
MOST_LAYERS = 2
MOST_MEMBERS = 64  # of a gzip file: each costs a copy of all that follows, and an empty one has only twenty bytes


def layers(written: str | None) -> list[str]:
    """The encodings a header names, outermost first; empty if there are none."""
    named = (each.partition(";")[0].strip() for each in reversed((written or "").lower().split(",")))
    return [each for each in named if each not in PLAIN]


def undone(encodings: list[str], body: bytes, limit: int) -> bytes:
    """Return the body without these layers. Raises TooLarge and UnknownEncoding."""
    if len(encodings) > MOST_LAYERS:
        raise UnknownEncoding("unknown_encoding", f"A body may be compressed at most {MOST_LAYERS} times.")
    for each in encodings:
        body = _undone(each, body, limit)
    return body


def _undone(encoding: str, body: bytes, limit: int) -> bytes:
    undo = ENCODINGS.get(encoding)
    try:
        if undo is not None:
            return undo(body, limit)
    except zlib.error:
        pass
    if _is_text(body):
        return body  # a proxy unpacked it and left the header
    sentence = (
        f"The body is compressed as '{encoding[:40]}', which is not supported; send it plain, as gzip or deflate."
    )
    raise UnknownEncoding("unknown_encoding", sentence)


def _is_text(body: bytes) -> bool:
    try:
        return bool(body.decode("utf-8").strip())
    except UnicodeDecodeError:
        return False


def _gzip(body: bytes, limit: int) -> bytes:
    found, members = b"", 0
    while body:
        one = zlib.decompressobj(GZIP_OR_ZLIB)
        found += one.decompress(body, limit + 1 - len(found))
        members += 1
        if len(found) > limit:
            raise TooLarge("unpacked_too_large", f"Unpacked, a body may have at most {limit} bytes.")
        if not one.eof or members > MOST_MEMBERS:
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
            raise TooLarge("unpacked_too_large", f"Unpacked, a body may have at most {limit} bytes.") from None
        if not raw.eof:
            raise
        return found


ENCODINGS: dict[str, Callable[[bytes, int], bytes]] = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate}
