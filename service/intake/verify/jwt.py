"""Verifies a JSON Web Token and returns the index of the key that matched.

HS, RS, PS, ES256 and EdDSA, as the definition allows and never as the token would like. Public keys are in the settings
or published at an address (jwks.py). A token usually covers no byte of the body; if a claim holds its digest, name it.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from service.intake.delivery.inbound import Inbound
from service.intake.values.times import parse_time
from service.intake.verify.jwks import KeySet
from service.intake.verify.public_key import (
    ED25519,
    P256,
    PSS_256,
    PSS_512,
    RSA,
    RSA_512,
    PublicKey,
    fits,
    load_public_key,
)
from service.intake.verify.shared_secret import made_by
from service.intake.verify.signed_parts import asked, behind, decode
from service.intake.verify.verifier import HeaderName, Keyed, Refusal, secrets_of
from service.settings.declare import setting
from service.settings.values import http_url, one_of

SHARED = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
PUBLIC = {"RS256": RSA, "RS512": RSA_512, "PS256": PSS_256, "PS512": PSS_512, "ES256": P256, "EdDSA": ED25519}
LONGEST = 16_384
SEGMENTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Token(Keyed):
    """A JSON Web Token in a header or the query."""

    kind: ClassVar[str] = "jwt"
    header: HeaderName = setting("authorization", "the header that holds it; empty where it is in the query")
    query: str | None = setting(None, "or the name of the query it stands under")
    scheme: str = setting("Bearer ", "what stands before it in the header")
    algorithms: tuple[str, ...] = setting(["RS256"], "the algorithms it may use", one_of(*SHARED, *PUBLIC))
    jwks_url: str | None = setting(None, "where the sender publishes its keys (https), instead of keys here", http_url)
    issuer: str | None = setting(None, "what `iss` must be")
    audience: str | None = setting(None, "what `aud` must be, or hold")
    tolerance: timedelta = setting("60s", "how far the clocks may differ")
    body_claim: str | None = setting(None, "the claim with the SHA-256 of the body, in hex or base64")
    loaded: tuple[tuple[int, PublicKey], ...] = ()
    key_set: KeySet | None = None

    @property
    def needs_keys(self) -> bool:  # type: ignore[override]
        """Whether somebody must give it keys."""
        return self.jwks_url is None

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """A public key used as a shared secret would let anybody sign."""
        if set(self.algorithms) & set(SHARED) and set(self.algorithms) & set(PUBLIC):
            yield "algorithms", "mixes shared secrets (HS…) with public keys; write two tables"
        if self.jwks_url and not self.jwks_url.startswith("https://"):
            yield "jwks_url", "must be https: whoever answers there may sign"
        if self.jwks_url and (self.keys or set(self.algorithms) & set(SHARED)):
            yield "jwks_url", "stands instead of keys, for public keys only"
        if not self.header and not self.query:
            yield "header", "write either header or query: the place of the token"

    def lacking(self) -> Iterator[tuple[str, str]]:
        """What only the settings can add: a vendor signs for all its customers with its published keys."""
        if self.jwks_url and not (self.issuer or self.audience):
            yield "audience", "is missing: whoever is a customer there has a good token; write your audience or issuer"

    def keyed(self, keys: Sequence[tuple[int, str]]) -> Self:
        """Return it with its keys. Raises ValueError with what is wrong with one."""
        found = replace(
            self,
            secret_headers=frozenset(() if self.query else {self.header}),
            secret_query=frozenset({self.query} if self.query else ()),
        )
        if self.jwks_url:
            return replace(found, key_set=KeySet(self.jwks_url))
        if set(self.algorithms) <= set(SHARED):
            return replace(found, secrets=secrets_of(keys))
        return replace(found, loaded=tuple((index, self._public(text)) for index, text in keys))

    def check(self, inbound: Inbound, now: datetime) -> int | None:
        """Return the index of the key that signed the token. Raises Refusal."""
        head, claims, signature, signed = _parts(self._given(inbound))
        algorithm = head.get("alg")
        if algorithm not in self.algorithms:
            raise Refusal(
                "token_algorithm", "The token is signed with an algorithm that this definition does not allow."
            )
        index = self._signer(str(algorithm), head.get("kid"), signature, signed, now)
        self._check_names(claims)
        if self.body_claim:
            _check_body(claims.get(self.body_claim), inbound.body)
        self._check_times(claims, now)
        return index

    def covered(self, _inbound: Inbound) -> str:
        """Say what it covers."""
        return f"the body's digest in {self.body_claim}" if self.body_claim else "no bytes of the body"

    def _public(self, text: str) -> PublicKey:
        problems = []
        for algorithm in self.algorithms:
            try:
                return load_public_key(text, PUBLIC[algorithm])
            except ValueError as error:
                problems.append(error)
        raise problems[0]

    def _given(self, inbound: Inbound) -> str:
        if self.query:
            return asked(inbound, self.query, "token")
        return behind(self.scheme, inbound, self.header)

    def _signer(self, algorithm: str, kid: str | None, signature: bytes, signed: bytes, now: datetime) -> int | None:
        if algorithm in SHARED:
            hits = made_by(self.secrets, SHARED[algorithm], signed, signature)
        elif self.key_set is not None:
            for newer in (False, True):
                keys = self.key_set.keys(kid, PUBLIC[algorithm], now, newer=newer)
                if any(fits(PUBLIC[algorithm], key, signature, signed) for key in keys):
                    return None
            hits = []
        else:
            hits = [index for index, key in self.loaded if fits(PUBLIC[algorithm], key, signature, signed)]
        if not hits:
            raise Refusal("signature_wrong", "No key of the source signed this token.")
        return hits[0]

    def _check_times(self, claims: dict[str, Any], now: datetime) -> None:
        until = _moment(claims, "exp")
        if "exp" not in claims:
            raise Refusal("token_endless", "The token has no exp: it would be valid for ever.")
        since = [each for each in (_moment(claims, "nbf"), _moment(claims, "iat")) if each is not None]
        if until is None or now - self.tolerance > until or any(each > now + self.tolerance for each in since):
            raise Refusal("timestamp_stale", "The token is not valid now; the clocks may differ.")

    def _check_names(self, claims: dict[str, Any]) -> None:
        if self.issuer is not None and claims.get("iss") != self.issuer:
            raise Refusal("token_issuer", "The token is from another issuer (iss).")
        audience = claims.get("aud")
        if self.audience is not None and self.audience not in (audience if isinstance(audience, list) else [audience]):
            raise Refusal("token_audience", "The token is for another audience (aud).")


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    segments = token.split(".") if len(token) <= LONGEST else []
    raw = [each for each in (decode(segment, "base64url") for segment in segments) if each is not None]
    if len(segments) != SEGMENTS or len(raw) != SEGMENTS:
        raise Refusal("token_unreadable", "This is not a signed token of three parts.")
    try:
        head, claims = (json.loads(each) for each in raw[:2])
    except (ValueError, RecursionError) as error:
        raise Refusal("token_unreadable", "The token does not contain JSON.") from error
    known = isinstance(head, dict) and isinstance(claims, dict) and "crit" not in head
    if not known or not isinstance(head.get("kid"), str | None):
        raise Refusal("token_unreadable", "The token has an unknown format.")
    return head, claims, raw[2], ".".join(segments[:2]).encode()


def _moment(claims: dict[str, Any], name: str) -> datetime | None:
    """A time in seconds; some write milliseconds."""
    given = claims.get(name)
    return None if isinstance(given, str) else parse_time(given, "digits_auto")


def _check_body(claimed: Any, body: bytes) -> None:
    digest = hashlib.sha256(body).digest()
    known = (digest.hex(), base64.b64encode(digest).decode(), base64.urlsafe_b64encode(digest).decode().rstrip("="))
    given = claimed.encode("utf-8", "replace") if isinstance(claimed, str) else b""
    if not any([hmac.compare_digest(each.encode(), given) for each in known]):  # noqa: C419 - compares all
        raise Refusal("signature_wrong", "The token was made for a different body.")
