"""Packed bodies: in, bytes and the words of their `Content-Encoding`; out, the bytes as they were written.

Undone never beyond the size a body may have: a bomb of 50 kB would be 50 MB. What cannot be read without something we
do not know is refused, not kept: nobody could mend it afterwards. Never looks into the text.
"""

import zlib
from collections.abc import Callable

from service.errors import TooLarge, UnknownEncoding

GZIP_OR_ZLIB, RAW = 47, -15  # zlib's own words for "either header" and "none"
PLAIN = frozenset({"", "identity", "utf-8", "aws-chunked"})  # what some senders write where nothing is packed
MOST_LAYERS = 2
MOST_MEMBERS = 64  # of a file of gzip: each costs a copy of all behind it, and an empty one has twenty bytes


def layers(written: str | None) -> list[str]:
    """The encodings a header names, outermost first; empty where the body came as it is."""
    named = (each.partition(";")[0].strip() for each in reversed((written or "").lower().split(",")))
    return [each for each in named if each not in PLAIN]


def undone(encodings: list[str], body: bytes, limit: int) -> bytes:
    """Return the body without these layers. Raises TooLarge and UnknownEncoding."""
    if len(encodings) > MOST_LAYERS:
        raise UnknownEncoding("unknown_encoding", f"A body may be packed at most {MOST_LAYERS} times.")
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
    sentence = f"The body is packed as '{encoding[:40]}', which cannot be undone; send it plain, as gzip or deflate."
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
