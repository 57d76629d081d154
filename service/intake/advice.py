"""Advice on a source's keys: in, compiled definitions; out, what verifies and yet deserves a thought. Shows no key."""

from collections.abc import Iterator, Mapping

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from service.intake.shapes import Definition
from service.intake.verify import AllOf, Verifier
from service.intake.verify_keyed import Key
from service.intake.verify_plain import Static
from service.intake.verify_public import PublicKeys
from service.settings import Problem

STRONG_RSA = 2048
NOT_AS_WRITTEN = frozenset("+&#% ")  # means something else in an address


def advice(definitions: Mapping[str, Definition]) -> Iterator[Problem]:
    """Yield a warning for each key that is weak, or that will hardly arrive as it is written."""
    for name, definition in definitions.items():
        for verifier in definition.verifiers:
            yield from (Problem(f"sources.{name}.keys", sentence) for sentence in _sentences(verifier))


def _sentences(verifier: Verifier) -> Iterator[str]:
    if isinstance(verifier, AllOf):
        for each in verifier.verifiers:
            yield from _sentences(each)
    elif isinstance(verifier, PublicKeys):
        sizes = [key.key_size for _, key in verifier.keys if isinstance(key, RSAPublicKey)]
        if any(size < STRONG_RSA for size in sizes):
            yield f"holds an RSA key of {min(sizes)} bits; ask the sender for one of at least {STRONG_RSA}"
    elif isinstance(verifier, Static) and verifier.query and any(map(_changes, verifier.keys)):
        yield f"'{verifier.query}' stands in the address: there write + as %2B, & as %26, # as %23, % as %25"


def _changes(key: Key) -> bool:
    return not NOT_AS_WRITTEN.isdisjoint(key.secret.decode("utf-8", "replace"))
