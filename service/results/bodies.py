"""The body of a request from X: its bytes, limited in size, decompressed and in UTF-8.

Read and unpacked before its signature is checked. An unknown compression is refused, not taken for an empty body.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from flask import Request
from sqlalchemy.exc import SQLAlchemyError

from service.db.outages import is_away
from service.errors import BadRequest, TooLarge, Unavailable, UnknownEncoding
from service.network.charset import UTF_8, charset_of
from service.network.content_encoding import layers, undone
from service.x_api.webhook import TOKEN

CHUNK = 64 * 1024
UNPROVEN = 256 * 1024  # bytes that are unpacked for whoever sends them, and quickly; no push of X's is as long
log = structlog.get_logger(__name__)


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


def signable(given: Request, raw: bytes, limit: int) -> Iterator[bytes]:
    """What may have been signed: the body as it came, and as it was before a proxy compressed it.

    Raises TooLarge and UnknownEncoding.
    """
    yield raw
    body = _unpacked(given, raw, min(limit, UNPROVEN))
    if body is not raw:
        yield body


def plain(given: Request, raw: bytes, limit: int) -> bytes:
    """The body decompressed and in UTF-8. Raises TooLarge and UnknownEncoding.

    It keeps a charset that nobody knows: the characters break, and a score does not.
    """
    body = _unpacked(given, raw, limit)
    try:
        charset = charset_of(given.mimetype_params.get("charset"), body)
    except UnknownEncoding:
        return body
    return body if charset == UTF_8 else body.decode(charset, "replace").encode("utf-8", "replace")


def _unpacked(given: Request, raw: bytes, limit: int) -> bytes:
    return undone(layers(given.headers.get("Content-Encoding"), raw), raw, limit)


def crc_token(given: Request) -> str:
    """The token of X's challenge. Raises BadRequest."""
    token = given.args.get("crc_token", "")
    if TOKEN.fullmatch(token) is None:
        raise BadRequest("crc_token", "A crc_token is required: 1 to 256 letters, digits and + / = _ . ~ -")
    return token


@contextmanager
def sent_again_while_away(event: str, account: str) -> Iterator[None]:
    """Have X send again what cannot be stored because the database is away. Raises Unavailable."""
    try:
        yield
    except SQLAlchemyError as error:
        if not is_away(error):
            raise
        log.error(event, account=account, kind=type(error).__name__)  # noqa: TRY400 - it quotes what we tried to store
        raise Unavailable(
            "store_away", "The database does not answer; send the delivery again.", headers={"Retry-After": "5"}
        ) from None
