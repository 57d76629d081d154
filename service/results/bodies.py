"""The body of a request from X: its bytes, limited in size and decompressed.

Read before anything is checked, decompressed after the signature was. An unknown compression is refused, not taken for
an empty body.
"""

from flask import Request

from service.errors import BadRequest, TooLarge, Unavailable
from service.network.content_encoding import layers, undone
from service.x_api.webhook import TOKEN

CHUNK = 64 * 1024


def read(given: Request, limit: int) -> bytes:
    """At most `limit` bytes. Asks for one more, because Werkzeug silently truncates a chunked body at its limit."""
    parts: list[bytes] = []
    left = limit + 1
    while left and (part := given.stream.read(min(left, CHUNK))):
        parts.append(part)
        left -= len(part)
    if not left:
        raise TooLarge("body_too_large", f"A body may have at most {limit} bytes.")
    return b"".join(parts)


def unpacked(raw: bytes, encoding: str | None, limit: int) -> bytes:
    """The decompressed body. Raises TooLarge and UnknownEncoding."""
    return undone(layers(encoding), raw, limit)


def crc_token(given: Request) -> str:
    """The token of X's challenge. Raises BadRequest."""
    token = given.args.get("crc_token", "")
    if TOKEN.fullmatch(token) is None:
        raise BadRequest("crc_token", "A crc_token is required: 1 to 256 letters, digits and + / = _ . ~ -")
    return token


def store_away() -> Unavailable:
    """The answer to X while the database is away."""
    return Unavailable(
        "store_away", "The database does not answer; send the delivery again.", headers={"Retry-After": "5"}
    )
