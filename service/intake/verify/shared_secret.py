"""Verifies a secret-based signature over the bytes and returns the index of the key that matched.

`hmac` covers nearly every CRM; `hash` is the older habit of hashing the secret along with the bytes. Both compare in
constant time and raise Refusal otherwise.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Self

from service.intake.delivery.inbound import Inbound
from service.intake.verify.signed_parts import BODY_PARTS, Signing, candidates, check_age, encode, signed_bytes, usual
from service.intake.verify.verifier import Key, Refusal, secrets_of
from service.settings.declare import REQUIRED, setting
from service.settings.values import one_of

DIGESTS = ("sha1", "sha256", "sha384", "sha512")
KEY_ENCODINGS = ("utf8", "hex", "base64")
CUT = frozenset({"sha384"})  # a part of the hash is left out, so nobody can extend it


@dataclass(frozen=True, slots=True, kw_only=True)
class Hmac(Signing):
    """HMAC over an ordered list of parts."""

    kind: ClassVar[str] = "hmac"
    digest: str = setting(REQUIRED, "the hash", one_of(*DIGESTS))
    key_encoding: str = setting("utf8", "how the key is written", one_of(*KEY_ENCODINGS))

    def keyed(self, keys: Sequence[tuple[int, str]]) -> Self:
        """Give it its keys. Raises ValueError with what is wrong with one."""
        secret_headers = frozenset({self.signature.header})
        return replace(self, secrets=secrets_of(keys, self.key_encoding), secret_headers=secret_headers)

    def check(self, inbound: Inbound, now: datetime) -> int:
        """Return the index of the key that made a signature of these bytes. Raises Refusal."""
        offered = [usual(each, self.encoding) for each in candidates(inbound, self.signature)]
        made = [(key.index, encode(self.made(key, inbound), self.encoding)) for key in self.secrets]
        index = matching(made, offered)
        check_age(self, inbound, now)
        return index

    def covered(self, inbound: Inbound) -> str:
        """Say which bytes the signature covers. Raises Refusal."""
        return signed_bytes(self, inbound, b"KEY").decode("utf-8", "backslashreplace")

    def made(self, key: Key, inbound: Inbound) -> bytes:
        """The signature a key makes of these bytes. Raises Refusal if a part of them is missing."""
        return hmac.digest(key.secret, signed_bytes(self, inbound), self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hash(Hmac):
    """A plain hash over parts including the key, such as `sha256(key + body)`."""

    kind: ClassVar[str] = "hash"

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """What would let anybody sign."""
        yield from Signing.mistakes(self)
        if "key" not in self.signed:
            yield "signed", "has no 'key' among its parts: anybody could make this hash"

    def advice(self) -> Iterator[str]:
        """A hash can be extended by whoever knows it and the key's length."""
        if self.signed[-1] in BODY_PARTS and self.digest not in CUT:
            yield "is hashed before the body: whoever sees a delivery may add to it; ask the sender for an HMAC"

    def made(self, key: Key, inbound: Inbound) -> bytes:
        """The same with the key among the bytes."""
        return hashlib.new(self.digest, signed_bytes(self, inbound, key.secret)).digest()


def made_by(secrets: Iterable[Key], digest: str, message: bytes, signature: bytes) -> list[int]:
    """Return the indices of the keys whose HMAC of the message this is."""
    made = [(key.index, hmac.digest(key.secret, message, digest)) for key in secrets]
    return [index for index, each in made if hmac.compare_digest(each, signature)]


def matching(expected: Iterable[tuple[int, str]], offered: Iterable[str]) -> int:
    """Return the index of the key whose signature was offered. Raises Refusal."""
    raw = [each.encode("utf-8", "replace") for each in offered]
    # every pair is compared, so that timing reveals neither key nor signature
    hits = [index for index, text in expected for each in raw if hmac.compare_digest(text.encode(), each)]
    if not hits:
        raise Refusal("signature_wrong", "The signature of these bytes matches no key of the source.")
    return hits[0]
