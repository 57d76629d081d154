"""X's two webhook proofs: that we own the address (CRC), and that a body came from X (signature).

Never parses a body: the signature covers the raw bytes, and the same JSON written differently is a different message.
"""

import base64
import hmac
import re

SIGNATURE_HEADER = "x-twitter-webhooks-signature"
TOKEN = re.compile(r"[A-Za-z0-9+/=_.~-]{1,256}")
"""A challenge. One that could be the body of a webhook is none: the answer to it would be that body's signature."""

CHALLENGE = re.compile(TOKEN.pattern.encode())


def crc_response(consumer_secret: str, crc_token: str) -> str:
    """The `response_token` for X's challenge, `sha256=<base64>`."""
    return _proof(consumer_secret, crc_token.encode("utf-8", "replace"))


def verify_signature(consumer_secret: str, raw: bytes, header: str | None) -> bool:
    """Whether `header` is X's signature of exactly these bytes; compared in constant time.

    No body is what could be a challenge, for anybody can have that signed: packed, it may hold anything.
    """
    if not consumer_secret or not header or CHALLENGE.fullmatch(raw):
        return False
    return hmac.compare_digest(_proof(consumer_secret, raw).encode(), header.strip().encode("utf-8", "replace"))


def _proof(consumer_secret: str, message: bytes) -> str:
    if not consumer_secret:
        # An empty key would be a signature anybody can make.
        raise ValueError("There is no consumer secret to prove anything with.")
    digest = hmac.digest(consumer_secret.encode(), message, "sha256")
    return "sha256=" + base64.b64encode(digest).decode("ascii")
