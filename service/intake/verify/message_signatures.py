"""Verifies an HTTP Message Signature (RFC 9421) and returns the index of the key that matched.

We say what must be covered, never the sender: the body by its Content-Digest (RFC 9530), recomputed here, and whatever
the definition names. Of structured fields only what signatures need is read.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from service.intake.delivery.inbound import Inbound
from service.intake.verify.public_key import ED25519, P256, PSS_512, RSA, PublicKey, fits, load_public_key
from service.intake.verify.shared_secret import KEY_ENCODINGS, made_by
from service.intake.verify.signed_parts import decode, demand_fresh, header
from service.intake.verify.verifier import Keyed, Refusal, secrets_of
from service.settings.declare import REQUIRED, setting
from service.settings.values import one_of

HMAC = "hmac-sha256"
ALGORITHMS = {
    HMAC: HMAC,
    "ed25519": ED25519,
    "ecdsa-p256-sha256": P256,
    "rsa-pss-sha512": PSS_512,
    "rsa-v1_5-sha256": RSA,
}
DIGESTS = {"sha-256": "sha256", "sha-512": "sha512"}
ENTRY = re.compile(
    r'\s*([a-z*][a-z0-9_.*-]*)=\(((?:\s*"[^"\\]*"(?:;[a-z]+)*)*)\s*\)((?:;[a-z]+=(?:"[^"\\]*"|-?\d{1,15}))*)\s*(?:,|$)'
)
BYTES = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):\s*(?:,|$)")
COMPONENT = re.compile(r'"([^"\\]*)"((?:;[a-z]+)*)')
PARAMETER = re.compile(r';([a-z]+)=(?:"([^"\\]*)"|(-?\d{1,15}))')


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSignature(Keyed):
    """An HTTP Message Signature of RFC 9421."""

    kind: ClassVar[str] = "http_signature"
    algorithm: str = setting(REQUIRED, "the signature", one_of(*ALGORITHMS))
    key_encoding: str = setting("utf8", "how a shared key is written", one_of(*KEY_ENCODINGS))
    covers: tuple[str, ...] = setting(["content-digest"], "the components that must be covered")
    tolerance: timedelta = setting("300s", "how far `created` may differ from our clock")
    tag: str | None = setting(None, "what its `tag` must be")
    secret_headers: frozenset[str] = frozenset({"signature"})
    loaded: tuple[tuple[int, PublicKey], ...] = ()

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """Refuses settings that leave the body uncovered."""
        if "content-digest" not in self.covers:
            yield "covers", "lacks content-digest: anybody could put another body under the signature"

    def keyed(self, keys: Sequence[tuple[int, str]]) -> Self:
        """Return it with its keys. Raises ValueError with what is wrong with one."""
        if self.algorithm == HMAC:
            return replace(self, secrets=secrets_of(keys, self.key_encoding))
        return replace(self, loaded=tuple((i, load_public_key(text, ALGORITHMS[self.algorithm])) for i, text in keys))

    def check(self, inbound: Inbound, now: datetime) -> int:
        """Return the index of the key that made one of the signatures. Raises Refusal."""
        inputs = list(_inputs(header(inbound, "signature-input", "signature")))
        made = dict(_bytes(header(inbound, "signature", "signature")))
        refusals = []
        for each in inputs:
            try:
                return self._check_one(each, made.get(each.label), inbound, now)
            except Refusal as refusal:
                refusals.append(refusal)
        raise refusals[0] if refusals else Refusal("signature_unreadable", "Signature-Input names no signature.")

    def covered(self, inbound: Inbound) -> str:
        """Say which bytes the first signature covers. Raises Refusal."""
        first = next(_inputs(header(inbound, "signature-input", "signature")), None)
        return "" if first is None else signature_base(first, inbound).decode("utf-8", "backslashreplace")

    def _check_one(self, given: "SignatureInput", signature: bytes | None, inbound: Inbound, now: datetime) -> int:
        if not signature:
            raise Refusal("signature_missing", f"There is no signature with the label {given.label}.")
        if given.parameters.get("alg") not in {None, self.algorithm}:
            raise Refusal("signature_algorithm", "The signature uses an algorithm that this definition does not allow.")
        lacking = [each for each in self.covers if each not in given.names]
        if lacking:
            raise Refusal("signature_incomplete", f"The signature does not cover {', '.join(lacking)}.")
        if self.tag is not None and given.parameters.get("tag") != self.tag:
            raise Refusal("signature_tag", "The signature was made for another purpose (tag).")
        index = self._signer(signature, signature_base(given, inbound))
        _check_digest(inbound)
        _check_times(given.parameters, now, self.tolerance)
        return index

    def _signer(self, signature: bytes, base: bytes) -> int:
        if self.algorithm == HMAC:
            hits = made_by(self.secrets, "sha256", base, signature)
        else:
            hits = [i for i, key in self.loaded if fits(ALGORITHMS[self.algorithm], key, signature, base)]
        if not hits:
            raise Refusal("signature_wrong", "The signature of these components matches no key of the source.")
        return hits[0]


@dataclass(frozen=True, slots=True)
class SignatureInput:
    """One entry of Signature-Input: what is covered, in order, and its parameters, as they were written."""

    label: str
    names: tuple[str, ...]
    parameters: dict[str, Any]
    written: str


def signature_base(given: SignatureInput, inbound: Inbound) -> bytes:
    """Return the bytes that were signed: one line per component, then the parameters. Raises Refusal."""
    lines = [f'"{name}": {_component(name, inbound)}' for name in given.names]
    return "\n".join([*lines, f'"@signature-params": {given.written}']).encode("utf-8", "replace")


def _component(name: str, inbound: Inbound) -> str:
    if not name.startswith("@"):
        return header(inbound, name, "component")
    parts = urlsplit(inbound.url)
    known = {
        "@method": inbound.method,
        "@target-uri": inbound.url,
        "@authority": parts.netloc.lower(),
        "@scheme": parts.scheme,
        "@path": parts.path or "/",
        "@query": f"?{parts.query}",
        "@request-target": (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    }
    if name not in known:
        raise Refusal("signature_component", f"The component {name[:40]} cannot be rebuilt here.")
    return known[name]


def _inputs(value: str) -> Iterator[SignatureInput]:
    position = 0
    while position < len(value):
        entry = ENTRY.match(value, position)
        if entry is None:
            raise Refusal("signature_unreadable", "Signature-Input has an unknown format.")
        components = COMPONENT.findall(entry[2])
        if any(parameters for _, parameters in components):
            raise Refusal("signature_component", "A component has parameters, which are not supported.")
        parameters = {
            name: text or (int(number) if number else "") for name, text, number in PARAMETER.findall(entry[3])
        }
        names = tuple(name for name, _ in components)
        if len(set(names)) != len(names):
            raise Refusal("signature_unreadable", "A component is named twice.")
        yield SignatureInput(entry[1], names, parameters, f"({entry[2]}){entry[3]}")
        position = entry.end()


def _bytes(value: str) -> Iterator[tuple[str, bytes]]:
    position = 0
    while position < len(value):
        entry = BYTES.match(value, position)
        if entry is None:
            raise Refusal("signature_unreadable", "Signature is not of the form label=:base64:.")
        yield entry[1], decode(entry[2], "base64") or b""
        position = entry.end()


def _check_times(parameters: dict[str, Any], now: datetime, tolerance: timedelta) -> None:
    created, expires = parameters.get("created"), parameters.get("expires")
    if not isinstance(created, int):
        raise Refusal("timestamp_missing", "The signature does not say when it was made (created).")
    demand_fresh(_at(created), now, tolerance)
    if isinstance(expires, int) and _at(expires) < now:
        raise Refusal("timestamp_stale", "The signature has expired (expires).")


def _at(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Refusal("timestamp_unreadable", "The signature's time is not a number.") from error


def _check_digest(inbound: Inbound) -> None:
    known = [(name, raw) for name, raw in _bytes(header(inbound, "content-digest", "digest")) if name in DIGESTS]
    if not known:
        raise Refusal("digest_unreadable", f"Content-Digest needs one of {', '.join(DIGESTS)}.")
    if not all(hmac.compare_digest(hashlib.new(DIGESTS[name], inbound.body).digest(), raw) for name, raw in known):
        raise Refusal("signature_wrong", "Content-Digest was made for a different body.")
