"""Recognises a repeated delivery: the sender's ids and the body's digest become one digest that outlives erasure.

Nothing can be read from it. Without an id or a time in the delivery, equal bytes may report a second end: then every
delivery counts as new and the conversation decides. Once the person is erased the bytes themselves are remembered,
because a repeat would bring back a conversation nobody may know any more.
"""

import hashlib
from collections.abc import Iterable


def by_content(ids: Iterable[str], body_digest: str) -> str:
    """The digest of a delivery that names its event, or whose person was erased."""
    return _digest("\n".join(ids) + ":" + body_digest)


def by_arrival(body_digest: str, delivery_id: str) -> str:
    """The digest of a delivery that must count as unique, because nothing in it tells two ends apart."""
    return _digest(f":{body_digest}:{delivery_id}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
