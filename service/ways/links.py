"""The link to a request's question page: a 128-bit token, its hash, and the address.

The token is a keyed hash of the request's id, so it can be made again after a crash, and the database holds nothing
that opens a page. Texts are frozen with `{page}` in them; only the message that leaves, and what it is compared with,
has the link. Does not decide whether a token is still valid.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

BYTES = 16
SHAPE = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
PLACE = "{page}"


@dataclass(frozen=True, slots=True)
class Links:
    """What links are made with: the key, and the address at which customers reach us."""

    key: str
    public_url: str

    def to(self, request_id: str) -> str:
        """Return the link a customer gets."""
        return f"{self.public_url.rstrip('/')}/f/{token(self.key, request_id)}"

    def written_into(self, text: str, request_id: str) -> str:
        """Return the text as it leaves."""
        return text.replace(PLACE, self.to(request_id))


def token(key: str, request_id: str) -> str:
    """Return the token of a request: 22 characters that need no escaping in a URL."""
    mac = hmac.digest(key.encode(), f"page:{request_id}".encode(), "sha256")[:BYTES]
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def hash_of(key: str, request_id: str) -> str:
    """Return what the link of a request is found by."""
    return hashlib.sha256(token(key, request_id).encode()).hexdigest()


def token_hash(given: str) -> str | None:
    """Return what a token is found by, its SHA-256 in hex (128 random bits need no stretching); None: not a token."""
    if SHAPE.fullmatch(given) is None:
        return None
    return hashlib.sha256(given.encode()).hexdigest()
