"""OAuth 1.0a for X: adds an `Authorization` header (HMAC-SHA1) to a request.

Query and form fields are part of the signature; a JSON body is not, and is never touched. The moment of signing may be
given per request (`extensions={"signed_at": ...}`). Logs nothing: the base string of a signature holds the customer's
message.
"""

import base64
import hmac
import secrets
import string
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl

import httpx

from service.clock import Clock

FORM = "application/x-www-form-urlencoded"
PLAIN = frozenset(string.ascii_letters + string.digits + "-._~")
ESCAPED = [chr(byte) if chr(byte) in PLAIN else f"%{byte:02X}" for byte in range(256)]
"""What stands for a byte; a signature encodes some thirty texts, the last of them whole."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The app (consumer) and the account (token) we act as. `repr` shows only the consumer key."""

    consumer_key: str
    consumer_secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    token_secret: str = field(default="", repr=False)


def new_nonce() -> str:
    """128 random bits; X refuses a nonce it has seen with the same timestamp."""
    return secrets.token_hex(16)


class OAuth1(httpx.Auth):
    """Signs each request with `signed_at` from its extensions, or with `clock()` without one.

    Sends give the moment their intent was committed. If a worker sleeps for minutes between commit and call, X refuses
    it (code 135), so it cannot send what another worker has sent meanwhile.
    """

    requires_request_body = True

    def __init__(self, credentials: Credentials, *, clock: Clock, nonce: Callable[[], str] = new_nonce) -> None:
        self._credentials = credentials
        self._key = f"{_encoded(credentials.consumer_secret)}&{_encoded(credentials.token_secret)}".encode()
        self._clock = clock
        self._nonce = nonce

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign once; a refusal is an answer, not a reason to ask again."""
        signed_at = request.extensions.get("signed_at") or self._clock()
        request.headers["Authorization"] = self.header(request, signed_at)
        yield request

    def header(self, request: httpx.Request, signed_at: datetime) -> str:
        """The `Authorization` header for this request at this moment (aware, or ValueError)."""
        oauth = self._oauth_parameters(signed_at)
        oauth["oauth_signature"] = self._signature(request, oauth)
        return "OAuth " + ", ".join(f'{key}="{_encoded(value)}"' for key, value in sorted(oauth.items()))

    def _oauth_parameters(self, signed_at: datetime) -> dict[str, str]:
        if signed_at.tzinfo is None:
            raise ValueError("signed_at must be an aware datetime: a naive one would be signed in local time.")
        oauth = {
            "oauth_consumer_key": self._credentials.consumer_key,
            "oauth_nonce": self._nonce(),
            "oauth_signature_method": "HMAC-SHA1",
            "oauth_timestamp": str(int(signed_at.timestamp())),
            "oauth_version": "1.0",
        }
        if self._credentials.token:
            oauth["oauth_token"] = self._credentials.token
        return oauth

    def _signature(self, request: httpx.Request, oauth: Mapping[str, str]) -> str:
        """RFC 5849, 3.4: verb, address, and all fields sorted by encoded names and values."""
        query = request.url.query.decode("ascii")
        given = [each for text in (query, _form_body(request)) for each in parse_qsl(text, keep_blank_values=True)]
        fields = sorted((_encoded(name), _encoded(value)) for name, value in (*given, *oauth.items()))
        joined = "&".join(f"{name}={value}" for name, value in fields)
        base = "&".join((request.method, _encoded(_address(request.url)), _encoded(joined)))
        return base64.b64encode(hmac.digest(self._key, base.encode(), "sha1")).decode()


def _encoded(text: str) -> str:
    """RFC 5849, 3.6: everything but letters, digits and `-._~`."""
    return text.encode().decode("latin-1").translate(ESCAPED)  # each byte as one character


def _address(url: httpx.URL) -> str:
    """The address without its query; httpx writes it in lower case and without a default port."""
    return f"{url.scheme}://{url.netloc.decode()}{url.raw_path.partition(b'?')[0].decode()}"


def _form_body(request: httpx.Request) -> str:
    """The signed part of the body (RFC 5849 3.4.1.3.1): a form; never JSON, for which X would answer code 32."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return request.content.decode("ascii") if kind == FORM else ""
