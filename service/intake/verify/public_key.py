"""Verifies a public-key signature and returns the index of the key that matched.

RSA (PKCS#1 v1.5 and PSS), ECDSA on P-256 and Ed25519. A public key cannot sign, so it need not be kept secret.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from service.intake.delivery.inbound import Inbound
from service.intake.verify.signed_parts import Signing, candidates, check_age, decode, signed_bytes
from service.intake.verify.verifier import Refusal
from service.settings.declare import REQUIRED, setting
from service.settings.values import one_of

RSA, RSA_512 = "rsa-pkcs1v15-sha256", "rsa-pkcs1v15-sha512"
PSS_256, PSS_512 = "rsa-pss-sha256", "rsa-pss-sha512"
P256, ED25519 = "ecdsa-p256-sha256", "ed25519"
ED25519_BYTES = 32
P256_BYTES = 64  # r and s side by side, as JOSE writes them; others send them as DER
SMALLEST_RSA, STRONG_RSA = 1024, 2048
ARMOUR = re.compile(r"-----(?:BEGIN|END) [A-Z ]+-----")
PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
Check = Callable[[PublicKey, bytes, bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKeys(Signing):
    """A signature by a private key we never see."""

    kind: ClassVar[str] = "public_key"
    algorithm: str = setting(REQUIRED, "the signature", one_of(RSA, RSA_512, PSS_256, PSS_512, P256, ED25519))
    loaded: tuple[tuple[int, PublicKey], ...] = ()

    def keyed(self, keys: Sequence[tuple[int, str]]) -> Self:
        """Give it its public keys. Raises ValueError with what is wrong with one."""
        loaded = tuple((index, load_public_key(text, self.algorithm)) for index, text in keys)
        return replace(self, loaded=loaded, secret_headers=frozenset({self.signature.header}))

    def check(self, inbound: Inbound, now: datetime) -> int:
        """Return the index of the key whose owner signed these bytes. Raises Refusal."""
        offered = [decode(each, self.encoding) for each in candidates(inbound, self.signature)]
        message = signed_bytes(self, inbound)
        hits = [i for i, key in self.loaded for each in offered if each and fits(self.algorithm, key, each, message)]
        if not hits:
            raise Refusal("signature_wrong", "The signature of these bytes matches no public key of the source.")
        check_age(self, inbound, now)
        return hits[0]

    def covered(self, inbound: Inbound) -> str:
        """Say which bytes the signature covers. Raises Refusal."""
        return signed_bytes(self, inbound).decode("utf-8", "backslashreplace")

    def advice(self) -> Iterator[str]:
        """A key that others may break one day."""
        sizes = [key.key_size for _, key in self.loaded if isinstance(key, RSAPublicKey)]
        if any(size < STRONG_RSA for size in sizes):
            yield f"holds an RSA key of {min(sizes)} bits; ask the sender for one of at least {STRONG_RSA}"


def fits(algorithm: str, key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether the key's owner signed the message by this algorithm."""
    try:
        CHECKS[algorithm](right_kind(key, algorithm), signature, message)  # a token says by which it would be checked
    except (InvalidSignature, ValueError):
        return False
    return True


def _rsa(digest: HashAlgorithm) -> Check:
    return lambda key, signature, message: key.verify(signature, message, PKCS1v15(), digest)  # type: ignore[call-arg,arg-type]


def _pss(digest: HashAlgorithm) -> Check:
    padding = PSS(MGF1(digest), PSS.AUTO)
    return lambda key, signature, message: key.verify(signature, message, padding, digest)  # type: ignore[call-arg,arg-type]


def _p256(key: PublicKey, signature: bytes, message: bytes) -> None:
    if len(signature) == P256_BYTES:
        half = P256_BYTES // 2
        r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
        signature = encode_dss_signature(r, s)
    key.verify(signature, message, ECDSA(SHA256()))  # type: ignore[call-arg,arg-type]


def _ed25519(key: PublicKey, signature: bytes, message: bytes) -> None:
    key.verify(signature, message)  # type: ignore[call-arg]


# `right_kind` sees to it that a key and its algorithm fit
CHECKS: dict[str, Check] = {
    RSA: _rsa(SHA256()),
    RSA_512: _rsa(SHA512()),
    PSS_256: _pss(SHA256()),
    PSS_512: _pss(SHA512()),
    P256: _p256,
    ED25519: _ed25519,
}


def load_public_key(text: str, algorithm: str) -> PublicKey:
    """Read a PEM, its base64 content, or (Ed25519) the raw key in base64. Raises ValueError with a sentence."""
    try:
        inside = base64.b64decode("".join(ARMOUR.sub("", text).split()) + "==")
    except (ValueError, binascii.Error) as error:
        raise ValueError("is neither a PEM nor base64") from error
    return right_kind(_load(text, inside), algorithm)


def right_kind(key: object, algorithm: str) -> PublicKey:
    """Return the key if it fits the algorithm. Raises ValueError with a sentence."""
    if algorithm == ED25519:
        right, what = isinstance(key, Ed25519PublicKey), "Ed25519 public key"
    elif algorithm == P256:
        right, what = isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1), "P-256 public key"
    else:
        right = isinstance(key, RSAPublicKey) and key.key_size >= SMALLEST_RSA
        what = f"RSA public key of at least {SMALLEST_RSA} bits"
    if not right:
        raise ValueError(f"is no {what}")
    assert isinstance(key, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey)
    return key


def _load(text: str, inside: bytes) -> object:
    if len(inside) == ED25519_BYTES:
        return Ed25519PublicKey.from_public_bytes(inside)
    try:
        # Freshchat labels a SubjectPublicKeyInfo "RSA PUBLIC KEY": the inside decides, not the label
        return load_der_public_key(inside)
    except (ValueError, UnsupportedAlgorithm):
        pass
    try:
        return load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:  # the second: of a curve that is not known here
        raise ValueError("is no public key we can read; paste the whole PEM") from error
