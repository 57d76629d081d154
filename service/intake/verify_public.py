"""The verifiers with a public key: in, keys and an `Inbound`; out, the index of the key that fits.

RSA PKCS#1 v1.5 with SHA-256 (Freshchat, Zoho SalesIQ) and Ed25519 (Standard Webhooks v1a). A public key lets us check
and nobody sign, so it need not be kept secret.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from service.intake.inbound import Inbound
from service.intake.verify_parts import Refusal, Signed, candidates, check_age, decode, signed_bytes

RSA, ED25519 = "rsa-pkcs1v15-sha256", "ed25519"
ED25519_BYTES = 32
SMALLEST_RSA = 1024
ARMOUR = re.compile(r"-----(?:BEGIN|END) [A-Z ]+-----")
PublicKey = RSAPublicKey | Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """A signature by a private key we never see."""

    algorithm: str
    signed: Signed
    keys: tuple[tuple[int, PublicKey], ...]
    kind: str = "public_key"


def check_public_key(verifier: PublicKeys, inbound: Inbound, now: datetime) -> int:
    """Return the index of the key whose owner signed these bytes. Raises Refusal."""
    offered = [decode(each, verifier.signed.encoding) for each in candidates(inbound, verifier.signed.signature)]
    message = signed_bytes(verifier.signed, inbound)
    hits = [i for i, key in verifier.keys for each in offered if each is not None and _fits(key, each, message)]
    if not hits:
        raise Refusal("signature_wrong", "No public key of the source fits this signature of these bytes.")
    check_age(verifier.signed, inbound, now)
    return hits[0]


def _fits(key: PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(signature, message, PKCS1v15(), SHA256())
        else:
            key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def load_public_key(text: str, algorithm: str) -> PublicKey:
    """Read a PEM, the base64 of its inside, or (Ed25519) the raw key in base64. Raises ValueError with a sentence."""
    try:
        inside = base64.b64decode("".join(ARMOUR.sub("", text).split()) + "==")
    except (ValueError, binascii.Error) as error:
        raise ValueError("is neither a PEM nor base64") from error
    key = _load(text, inside, algorithm)
    if algorithm == RSA and not (isinstance(key, RSAPublicKey) and key.key_size >= SMALLEST_RSA):
        raise ValueError(f"is no RSA public key of at least {SMALLEST_RSA} bits")
    if algorithm == ED25519 and not isinstance(key, Ed25519PublicKey):
        raise ValueError("is no Ed25519 public key")
    assert isinstance(key, RSAPublicKey | Ed25519PublicKey)
    return key


def _load(text: str, inside: bytes, algorithm: str) -> object:
    if algorithm == ED25519 and len(inside) == ED25519_BYTES:
        return Ed25519PublicKey.from_public_bytes(inside)
    try:
        # Freshchat labels a SubjectPublicKeyInfo "RSA PUBLIC KEY": the inside decides, not the label
        return load_der_public_key(inside)
    except ValueError:
        pass
    try:
        return load_pem_public_key(text.encode())
    except ValueError as error:
        raise ValueError("is no public key we can read; paste the whole PEM") from error
