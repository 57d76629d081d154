"""The body of a request from X: its bytes, limited in size and decompressed.

Read before anything is checked, decompressed after the signature was. An unknown compression is refused, not taken for
an empty body.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from flask import Request
from sqlalchemy.exc import SQLAlchemyError

from service.db.outages import is_away
from service.errors import BadRequest, TooLarge, Unavailable
from service.network.content_encoding import layers, undone
from service.x_api.webhook import TOKEN

CHUNK = 64 * 1024
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


def unpacked(raw: bytes, encoding: str | None, limit: int) -> bytes:
    """The decompressed body. Raises TooLarge and UnknownEncoding."""
    return undone(layers(encoding), raw, limit)


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
