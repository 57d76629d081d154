"""The keys that encrypt values: AES-256-GCM, with each value bound to its table, column and row.

An encrypted value names its key by an id that is derived from the key and reveals nothing about it. Its place is
authenticated with it: moved to another row or column, it does not decrypt. Knows no database.
"""

import hmac
import secrets
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from service.errors import Unavailable

MARK = "dmf1."
MARK_OF_IDS, HANDLE = "dmi1.", "x_handle"
ID_LENGTH = 8
HEAD_LENGTH = len(MARK) + ID_LENGTH + 1
NONCE = 12
MOST_TOLD = 5000
BLINDED = "k"  # a digest under our own key; one without begins with a hexadecimal digit
Held = str | bytes
T = TypeVar("T", str, bytes)


@dataclass(frozen=True)
class CipherKey:
    """One key of the settings. Never shown in a repr."""

    secret: str = field(repr=False)

    @cached_property
    def id(self) -> str:
        """The key's id, which encrypted values name."""
        return _derived(self.secret, b"id", ID_LENGTH // 2).hex()

    @cached_property
    def head(self) -> str:
        """The beginning of a value encrypted under it."""
        return f"{MARK}{self.id}."

    @cached_property
    def cipher(self) -> AESGCM:
        """AES-256-GCM under it."""
        return AESGCM(_derived(self.secret, b"values", 32))


class Ring:
    """The keys a process holds. `under` encrypts new values; None: they are stored in plain text.

    `settled`: every value is under it. Until then a plain text may happen to begin like an encrypted one.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.keys = {key.id: key for key in map(CipherKey, texts)}
        self.first = next(iter(self.keys), "")
        self.under: str | None = None
        self.digest_key: bytes | None = None
        self.locks_ids = False
        self.settled = False
        self._told: set[str] = set()

    def is_news(self, place: str) -> bool:
        """Whether this process has not logged this place yet; it logs the first few thousand."""
        news = place not in self._told and len(self._told) < MOST_TOLD  # a table full of them floods no log
        if news:
            self._told.add(place)
        return news

    def lock(self, plain: bytes, place: str, under: str) -> bytes:
        """Encrypt a value for its place; the result is ASCII text followed by bytes."""
        nonce = secrets.token_bytes(NONCE)
        return nonce + self.keys[under].cipher.encrypt(nonce, plain, place.encode())

    def lock_text(self, plain: str, place: str, under: str) -> str:
        """Encrypt a text as a text."""
        locked = self.lock(plain.encode("utf-8", "surrogatepass"), place, under)
        return self.keys[under].head + b2a_base64(locked, newline=False).decode()

    def lock_bytes(self, plain: bytes, place: str, under: str) -> bytes:
        """Encrypt bytes as bytes."""
        return self.keys[under].head.encode() + self.lock(plain, place, under)

    def key_of(self, held: Held) -> CipherKey | None:
        """Return the key a value is encrypted under; None if it is under none that we hold."""
        head = held[:HEAD_LENGTH]
        said = head if isinstance(head, str) else head.decode("latin-1")
        if not said.startswith(MARK):
            return None
        key = self.keys.get(said[len(MARK) : -1])
        return key if key is not None and key.head == said else None

    def open_text(self, held: str, place: str) -> str:
        """Return a text, encrypted or not. Raises Unavailable if it was encrypted for another place."""
        key = self.key_of(held)
        if key is None:
            return self._plain(held, MARK, place)
        try:
            return _opened(key, a2b_base64(held[HEAD_LENGTH:]), place).decode("utf-8", "surrogatepass")
        except ValueError:
            raise damaged(place) from None

    def open_bytes(self, held: bytes, place: str) -> bytes:
        """Return bytes, likewise."""
        key = self.key_of(held)
        if key is None:
            return self._plain(held, MARK.encode(), place)
        return _opened(key, held[HEAD_LENGTH:], place)

    def _plain(self, held: T, mark: T, place: str) -> T:
        """Return a plain value. Raises Unavailable if it claims to be encrypted under a key nobody has."""
        if self.settled and held.startswith(mark):
            raise damaged(place)
        return held

    def lock_id(self, plain: str, kind: str) -> str:
        """Encrypt an id, always to the same word. Handles are compared and stored in lower case."""
        plain = plain.lower() if kind == HANDLE else plain
        locked = _of_ids(self.digest_key or b"").encrypt(plain.encode("utf-8", "surrogatepass"), [kind.encode()])
        return MARK_OF_IDS + locked.hex()

    def open_id(self, held: str, kind: str) -> str:
        """Return an id, encrypted or not. Raises Unavailable if it is not an id of this kind."""
        if not held.startswith(MARK_OF_IDS):
            return held
        if self.digest_key is None:
            raise damaged(kind)
        try:
            locked = bytes.fromhex(held.removeprefix(MARK_OF_IDS))
            return _of_ids(self.digest_key).decrypt(locked, [kind.encode()]).decode("utf-8", "surrogatepass")
        except (InvalidTag, ValueError):
            raise damaged(kind) from None

    def forms(self, plain: str, kind: str) -> list[str]:
        """Return every form in which an id may be stored."""
        return [plain] if self.digest_key is None or not plain else [plain, self.lock_id(plain, kind)]

    def blinded(self, digest: str) -> str:
        """Return a digest that cannot be searched for without our key: a plain one of a short text could be guessed."""
        if self.digest_key is None:
            return digest
        return BLINDED + hmac.new(self.digest_key, digest.encode(), sha256).hexdigest()[1:]


def damaged(place: str) -> Unavailable:
    """Return the error for a value that was not written for its place."""
    table, _, row = place.partition("\x1f")
    return Unavailable(
        "encrypted_value_refused",
        f"A value of {table} (row {row.replace(chr(31), ', ')}) was changed or moved in the database, and cannot be "
        "read: restore this row from a backup. `dm-feedback privacy check` names all such rows.",
    )


def _opened(key: CipherKey, locked: bytes, place: str) -> bytes:
    try:
        return key.cipher.decrypt(locked[:NONCE], locked[NONCE:], place.encode())
    except (InvalidTag, ValueError):
        raise damaged(place) from None


@lru_cache(maxsize=8)
def _of_ids(digest_key: bytes) -> AESSIV:
    """AES-256-SIV for ids, under a key of their own."""
    return AESSIV(HKDF(SHA256(), 64, salt=None, info=b"dm-feedback at rest: ids").derive(digest_key))


def _derived(secret: str, of: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=b"dm-feedback at rest: " + of).derive(secret.encode())
