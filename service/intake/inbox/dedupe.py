"""How a delivery is known again: in, the sender's ids, a body's digest; out, one digest that outlives erasure.

Nothing may be read from it. Where neither id nor time is in the delivery, the same bytes may tell of a second end: then
every delivery is new, and the conversation decides - until its person is erased. From then on the bytes themselves are
known: a repeat would else bring back a conversation that nobody may know any more.
"""

import hashlib
from collections.abc import Iterable


def by_content(ids: Iterable[str], body_digest: str) -> str:
    """The digest of a delivery that says which event it is, or of one whose person was erased."""
    return _digest("\n".join(ids) + ":" + body_digest)


def by_arrival(body_digest: str, delivery_id: str) -> str:
    """The digest of a delivery that is like no other, because nothing in it tells two ends apart."""
    return _digest(f":{body_digest}:{delivery_id}")


def body_digest(body: bytes) -> str:
    """SHA-256 of a body, in hex, as `Inbound.digest`."""
    return hashlib.sha256(body).hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
