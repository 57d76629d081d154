"""The public keys a sender publishes, fetched from an address in the settings and cached.

Fetched when an unknown key id turns up, or a signature without an id fits no key, at most once a minute, and again
every hour, so a sender can rotate its keys without us. While the address is away, known keys keep working; a request
with an unknown one is not refused but has to come again. Keys are never taken from the request.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from service.crm_api.get import NoAnswer, fetch_json
from service.intake.verify.public_key import PublicKey, right_kind
from service.intake.verify.signed_parts import decode
from service.intake.verify.verifier import NotNow, Refusal

FRESH, PAUSE = timedelta(hours=1), timedelta(minutes=1)
MOST_KEYS = 50


class KeySet:
    """The keys behind one address. Threads share it; one fetches at a time."""

    def __init__(self, url: str, fetch: Callable[[str], Any] = fetch_json) -> None:
        self._url = url
        self._fetch = fetch
        self._lock = threading.Lock()
        self._known: list[dict[str, Any]] = []
        self._fetched_at: datetime | None = None
        self._asked_at: datetime | None = None

    def keys(self, kid: str | None, algorithm: str, now: datetime, *, newer: bool) -> Sequence[PublicKey]:
        """Return the keys with that id, or all where there is none, that fit an algorithm. Raises Refusal if none is.

        `newer`: those that are known were tried, and a token that names none may be signed with a new one.
        """
        with self._lock:
            # a moment ahead was written before our clock was set back
            old = self._fetched_at is None or abs(now - self._fetched_at) > FRESH
            may_ask = self._asked_at is None or abs(now - self._asked_at) >= PAUSE
            unknown = newer if kid is None else not self._named(kid)
            if (old or unknown) and may_ask:
                self._refresh(now)
            asked_just_now = self._fetched_at == now
            wanted = self._named(kid)
        if not wanted and not asked_just_now:
            raise NotNow("token_keys_away", "The sender's published keys cannot be fetched now; this is tried again.")
        if not wanted:
            raise Refusal("token_key_unknown", "The sender has published no key with this id.")
        return [key for each in wanted for key in _readable(each, algorithm)]

    def _named(self, kid: str | None) -> list[dict[str, Any]]:
        """Several may share an id (one a key type); a token that names none may be signed with any."""
        return [each for each in self._known if kid is None or each.get("kid") == kid]

    def _refresh(self, now: datetime) -> None:
        self._asked_at = now
        try:
            found = self._fetch(self._url)
        except NoAnswer:
            return
        keys = found.get("keys") if isinstance(found, dict) else None
        if isinstance(keys, list):
            self._known = [each for each in keys[:MOST_KEYS] if isinstance(each, dict)]
            self._fetched_at = now


def _readable(key: dict[str, Any], algorithm: str) -> list[PublicKey]:
    try:
        return [right_kind(_loaded(key), algorithm)]
    except (ValueError, TypeError, KeyError):
        return []


def _loaded(key: dict[str, Any]) -> object:
    if key["kty"] == "RSA":
        return RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
    if key["kty"] == "EC" and key["crv"] == "P-256":
        return EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), SECP256R1()).public_key()
    if key["kty"] == "OKP" and key["crv"] == "Ed25519":
        return Ed25519PublicKey.from_public_bytes(_raw(key["x"]))
    raise ValueError


def _number(text: str) -> int:
    return int.from_bytes(_raw(text))


def _raw(text: str) -> bytes:
    found = decode(text, "base64url")
    if found is None:
        raise ValueError
    return found
