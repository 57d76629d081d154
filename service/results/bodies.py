"""The bodies X sends us: in, a request; out, its bytes, at most so many, and unpacked where X packed them.

Read before anything is checked and unpacked after the signature was: a bomb of 50 kB would be 50 MB. What is packed in
a way nobody here knows is refused, not taken for empty.
"""

import zlib

from flask import Request

from service.errors import BadRequest, TooLarge, UnknownEncoding

CHUNK = 64 * 1024
GZIP_OR_ZLIB = 47  # zlib's own word for "either header"


def read(given: Request, limit: int) -> bytes:
    """At most `limit` bytes. One more is asked for: Werkzeug cuts a chunked body at its limit without a word."""
    parts: list[bytes] = []
    left = limit + 1
    while left and (part := given.stream.read(min(left, CHUNK))):
        parts.append(part)
        left -= len(part)
    if not left:
        raise TooLarge("body_too_large", f"A body may have {limit} bytes.")
    return b"".join(parts)


def unpacked(raw: bytes, encoding: str | None, limit: int) -> bytes:
    """The body as X wrote it."""
    named = (encoding or "").strip().lower()
    if named in {"", "identity"}:
        return raw
    if named not in {"gzip", "x-gzip", "deflate"}:
        raise UnknownEncoding("unknown_encoding", "Send the body as it is, or packed by gzip or deflate.")
    unpacker = zlib.decompressobj(GZIP_OR_ZLIB)
    try:
        body = unpacker.decompress(raw, limit + 1)
    except zlib.error:
        raise BadRequest("broken_encoding", f"The body is not what {named} packs.") from None
    if len(body) > limit:
        raise TooLarge("unpacked_too_large", f"Unpacked, a body may have {limit} bytes.")
    if not unpacker.eof:
        raise BadRequest("broken_encoding", "The packed body ends too early.")
    return body
