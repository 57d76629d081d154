"""Ids and keyed hashes. Never reads the clock and never keeps a secret.

A keyed hash (HMAC-SHA256) recognises a person, or draws a sample, without anybody being able to predict it.
"""

import hashlib
import hmac
import secrets
from datetime import datetime

DRAW_BITS = 53  # what a float holds exactly


def new_id(prefix: str, now: datetime) -> str:
    """Return e.g. `fr_0192f3c1a2b34c5d6e7f8091`: milliseconds, then 64 random bits, so that new rows are adjacent."""
    return f"{first_id(prefix, now)}{secrets.token_hex(8)}"


def first_id(prefix: str, moment: datetime) -> str:
    """Return an id that sorts before all of this moment and after all older ones."""
    return f"{prefix}_{int(moment.timestamp() * 1000):012x}"


def person(hash_key: str, x_user_id: str) -> str:
    """Return the keyed hash by which an X user is recognised once the id itself is gone."""
    return _keyed(hash_key, "person", x_user_id).hexdigest()


def customer(hash_key: str, source: str, customer_ref: str) -> str:
    """Return the keyed hash by which a CRM's customer is recognised without keeping the CRM's id."""
    return _keyed(hash_key, "customer", source, customer_ref).hexdigest()


def secret_digest(secret: str) -> str:
    """Return the SHA-256 of a random secret, to recognise it without keeping it; so many bits need no stretching."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def draw(hash_key: str, purpose: str, *parts: str) -> float:
    """Return a number in [0, 1) that depends only on the key and the parts: the same input gives the same number."""
    digest = _keyed(hash_key, f"draw:{purpose}", *parts).digest()
    return (int.from_bytes(digest[:8]) >> (64 - DRAW_BITS)) / float(1 << DRAW_BITS)


def _keyed(hash_key: str, purpose: str, *parts: str) -> "hmac.HMAC":
    message = "\x1f".join((purpose, *parts))
    return hmac.new(hash_key.encode(), message.encode(), hashlib.sha256)
