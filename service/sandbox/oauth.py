"""OAuth 1.0a as X checks it: the signature over method, URL, query and form (never a JSON body), time, nonce.

Returns the consumer key and token that signed, or raises XRefusal 215, 135, 32 or 89. Secrets are compared in constant
time.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote

from service.sandbox.writing import XRefusal

NONCES_KEPT_S = 600
_PAIR = re.compile(r'\s*([A-Za-z_]+)="([^"]*)"\s*(?:,|$)')
_TIME = re.compile(r"[0-9]{1,12}")
_NEEDED = frozenset(
    {"oauth_consumer_key", "oauth_token", "oauth_nonce", "oauth_timestamp", "oauth_signature", "oauth_signature_method"}
)


@dataclass(frozen=True, slots=True)
class SignatureBase:
    """What of a request is signed. `url` has no query; `form` is the raw body when it is a form, else None."""

    method: str
    url: str
    query: str
    form: str | None


class Nonces:
    """The nonces seen within the tolerance; older timestamps are refused anyway, so they are forgotten."""

    def __init__(self) -> None:
        self._seen: dict[int, set[tuple[str, str]]] = {}

    def spend(self, token: str, nonce: str, timestamp: int, wall_s: float) -> bool:
        """True the first time; False for a replay."""
        for old in [at for at in self._seen if at < wall_s - NONCES_KEPT_S]:
            del self._seen[old]
        seen = self._seen.setdefault(timestamp, set())
        if (token, nonce) in seen:
            return False
        seen.add((token, nonce))
        return True


def read_header(authorization: str | None) -> dict[str, str]:
    """The oauth_* parameters of an Authorization header; XRefusal 215 when it is missing or garbage."""
    if authorization is None or not authorization.startswith("OAuth "):
        raise XRefusal(400, 215)
    pairs = _PAIR.findall(authorization[6:])
    given = {key: unquote(value) for key, value in pairs if key != "realm"}
    usable = set(given) >= _NEEDED and given["oauth_signature_method"] == "HMAC-SHA1"
    usable = usable and _TIME.fullmatch(given["oauth_timestamp"]) is not None
    usable = usable and len(given) == len([key for key, _ in pairs if key != "realm"])
    if not usable or given.get("oauth_version", "1.0") != "1.0":
        raise XRefusal(400, 215)
    return given


def check_time(given: Mapping[str, str], wall_s: float, tolerance_s: float) -> None:
    """XRefusal 135 when the timestamp is further than the tolerance (X: five minutes) from the real time."""
    if abs(int(given["oauth_timestamp"]) - wall_s) > tolerance_s:
        raise XRefusal(401, 135)


def check_signature(given: Mapping[str, str], signed: SignatureBase, secrets: tuple[str, str]) -> None:
    """XRefusal 32 when the signature does not fit; `secrets` are consumer secret and token secret."""
    expected = sign(given, signed, secrets).encode()
    if not hmac.compare_digest(expected, given["oauth_signature"].encode("utf-8", "replace")):
        raise XRefusal(401, 32)


def sign(given: Mapping[str, str], signed: SignatureBase, secrets: tuple[str, str]) -> str:
    """The signature those parameters should carry, base64; duplicate keys are refused as X refuses them."""
    pairs = [(key, value) for key, value in given.items() if key != "oauth_signature"]
    pairs += parse_qsl(signed.query, keep_blank_values=True, errors="replace")
    pairs += parse_qsl(signed.form or "", keep_blank_values=True, errors="replace")
    if len({key for key, _ in pairs}) != len(pairs):
        raise XRefusal(401, 32)
    base = "&".join((signed.method.upper(), _escape(signed.url), _escape(_normalised(pairs))))
    key = "&".join(map(_escape, secrets))
    return b64encode(hmac.digest(key.encode(), base.encode(), "sha1")).decode()


def _normalised(pairs: Sequence[tuple[str, str]]) -> str:
    return "&".join(f"{key}={value}" for key, value in sorted((_escape(k), _escape(v)) for k, v in pairs))


def _escape(text: str) -> str:
    return quote(text, safe="")
