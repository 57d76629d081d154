"""The keys that encrypt values: AES-256-GCM, with each value bound to its table, column and row.

An encrypted value names its key by an id that is derived from the key and reveals nothing about it. Its place is
authenticated with it: moved to another row or column, it does not decrypt. Knows no database.
"""

import hmac
import secrets
from base64 import urlsafe_b64encode
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from service.errors import Unavailable

MARK = "dmf1."
ID_MARK, HANDLE = "dmi1.", "x_handle"
ID_LENGTH = 8
HEAD_LENGTH = len(MARK) + ID_LENGTH + 1
NONCE = 12
BETWEEN = "\x1f"  # in a place: between table.column and each column of the row's key
MOST_TOLD = 5000
KEYED_MARK = "k"  # a digest under our own key; one without begins with a hexadecimal digit
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

    def encrypt(self, plain: bytes, place: str) -> bytes:
        """Return a nonce and the value, encrypted for its place."""
        nonce = secrets.token_bytes(NONCE)
        return nonce + self.cipher.encrypt(nonce, plain, place.encode())

    def decrypt(self, encrypted: bytes, place: str) -> bytes:
        """Return the value. Raises Unavailable if it was encrypted for another place, or is damaged."""
        try:
            return self.cipher.decrypt(encrypted[:NONCE], encrypted[NONCE:], place.encode())
        except (InvalidTag, ValueError):
            raise damaged(place) from None


class Keyring:
    """The keys a process holds. `active` is the id of the one that encrypts new values; None: they stay plain.

    `settled`: every value is under it. Until then a plain text may happen to begin like an encrypted one.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.keys = {key.id: key for key in map(CipherKey, texts)}
        self.first = next(iter(self.keys), "")
        self.active: str | None = None
        self.digest_key: bytes | None = None
        self.encrypts_ids = False
        self.settled = False
        self._told: set[str] = set()

    def is_news(self, place: str) -> bool:
        """Whether this process has not logged this place yet; it logs the first few thousand."""
        news = place not in self._told and len(self._told) < MOST_TOLD  # a table full of them floods no log
        if news:
            self._told.add(place)
        return news

    def encrypt_text(self, plain: str, place: str, key_id: str) -> str:
        """Encrypt a text as a text, for its place."""
        key = self.keys[key_id]
        encrypted = key.encrypt(plain.encode("utf-8", "surrogatepass"), place)
        return key.head + b2a_base64(encrypted, newline=False).decode()

    def encrypt_bytes(self, plain: bytes, place: str, key_id: str) -> bytes:
        """Encrypt bytes as bytes, for their place."""
        key = self.keys[key_id]
        return key.head.encode() + key.encrypt(plain, place)

    def key_of(self, stored: str | bytes) -> CipherKey | None:
        """Return the key a value is encrypted under; None if it is under none that we hold."""
        start = stored[:HEAD_LENGTH]
        head = start if isinstance(start, str) else start.decode("latin-1")
        if not head.startswith(MARK):
            return None
        key = self.keys.get(head[len(MARK) : -1])
        return key if key is not None and key.head == head else None

    def decrypt_text(self, stored: str, place: str) -> str:
        """Return a text, encrypted or not. Raises Unavailable if it was encrypted for another place."""
        key = self.key_of(stored)
        if key is None:
            return self._plain(stored, MARK, place)
        try:
            return key.decrypt(a2b_base64(stored[HEAD_LENGTH:]), place).decode("utf-8", "surrogatepass")
        except ValueError:
            raise damaged(place) from None

    def decrypt_bytes(self, stored: bytes, place: str) -> bytes:
        """Return bytes, likewise."""
        key = self.key_of(stored)
        if key is None:
            return self._plain(stored, MARK.encode(), place)
        return key.decrypt(stored[HEAD_LENGTH:], place)

    def _plain(self, stored: T, mark: T, place: str) -> T:
        """Return a plain value. Raises Unavailable if it claims to be encrypted under a key nobody has."""
        if self.settled and stored.startswith(mark):
            raise damaged(place)
        return stored

    def encrypt_id(self, plain: str, kind: str) -> str:
        """Encrypt an id, always to the same word. Handles are compared and stored in lower case."""
        plain = plain.lower() if kind == HANDLE else plain
        encrypted = _id_cipher(self.digest_key or b"").encrypt(plain.encode("utf-8", "surrogatepass"), [kind.encode()])
        return ID_MARK + encrypted.hex()

    def decrypt_id(self, stored: str, kind: str) -> str:
        """Return an id, encrypted or not. Raises Unavailable if it is not an id of this kind."""
        if not stored.startswith(ID_MARK):
            return stored
        if self.digest_key is None:
            raise damaged(kind)
        try:
            encrypted = bytes.fromhex(stored.removeprefix(ID_MARK))
            return _id_cipher(self.digest_key).decrypt(encrypted, [kind.encode()]).decode("utf-8", "surrogatepass")
        except (InvalidTag, ValueError):
            raise damaged(kind) from None

    def forms(self, plain: str, kind: str) -> list[str]:
        """Return every form in which an id may be stored."""
        return [plain] if self.digest_key is None or not plain else [plain, self.encrypt_id(plain, kind)]

    def keyed_digest(self, digest: str) -> str:
        """Return a digest under a key of our own: a plain one of a short text could be guessed."""
        if self.digest_key is None:
            return digest
        return KEYED_MARK + hmac.new(self.digest_key, digest.encode(), sha256).hexdigest()[1:]


def damaged(place: str) -> Unavailable:
    """Return the error for a value that was not written for its place."""
    table, _, row = place.partition(BETWEEN)
    return Unavailable(
        "encrypted_value_refused",
        f"A value of {table} (row {row.replace(BETWEEN, ', ')}) was changed or moved in the database and cannot be "
        "decrypted. Restore this row from a backup. `dm-feedback privacy check` names all such rows.",
    )


@lru_cache(maxsize=8)
def _id_cipher(digest_key: bytes) -> AESSIV:
    """AES-256-SIV for ids, under a key of their own."""
    return AESSIV(HKDF(SHA256(), 64, salt=None, info=b"dm-feedback at rest: ids").derive(digest_key))


def fernet_of(purpose: str, secret: str) -> Fernet:
    """Return what encrypts a secret of ours under another one, as text, for this purpose alone."""
    return Fernet(urlsafe_b64encode(sha256(f"{purpose}\x1f{secret}".encode()).digest()))


def _derived(secret: str, of: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=b"dm-feedback at rest: " + of).derive(secret.encode())
