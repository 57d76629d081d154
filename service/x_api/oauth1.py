"""OAuth 1.0a for X: a request comes in, the same request leaves with an `Authorization` header (HMAC-SHA1).

Query and form fields are part of the signature; a JSON body is not, and is never touched. The moment of signing may be
given per request (`extensions={"signed_at": ...}`). Nothing here reads a clock of its own or logs: the base string of
a signature holds the customer's message, which is why oauthlib's own `Client.sign` (it logs it) is not used.
"""

import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import httpx
from oauthlib.oauth1 import Client as Keys
from oauthlib.oauth1.rfc5849 import signature, utils

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The app (consumer) and the account (token) we write as. `repr` shows the consumer key and nothing else."""

    consumer_key: str
    consumer_secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    token_secret: str = field(default="", repr=False)


def new_nonce() -> str:
    """128 random bits; X refuses a nonce it has seen with the same timestamp."""
    return secrets.token_hex(16)


class OAuth1(httpx.Auth):
    """Signs each request with `signed_at` from its extensions, or with `clock()` where none is given.

    A sender gives the moment its intent was committed. A worker that slept for minutes between the commit and the call
    is then refused by X (code 135) instead of arriving with a message another worker has sent meanwhile.
    """

    requires_request_body = True

    def __init__(
        self, credentials: Credentials, *, clock: Callable[[], datetime], nonce: Callable[[], str] = new_nonce
    ) -> None:
        self._credentials = credentials
        self._keys = Keys(
            credentials.consumer_key,
            client_secret=credentials.consumer_secret,
            resource_owner_secret=credentials.token_secret,
        )
        self._clock = clock
        self._nonce = nonce

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign once; a refusal is an answer, not a reason to ask again."""
        signed_at = request.extensions.get("signed_at") or self._clock()
        request.headers["Authorization"] = self.header(request, signed_at)
        yield request

    def header(self, request: httpx.Request, signed_at: datetime) -> str:
        """The value of `Authorization` for this request at this moment (aware; ValueError if it is not)."""
        oauth = self._oauth_parameters(signed_at)
        oauth["oauth_signature"] = self._signature(request, oauth)
        return "OAuth " + ", ".join(f'{key}="{utils.escape(value)}"' for key, value in sorted(oauth.items()))

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

    def _signature(self, request: httpx.Request, oauth: dict[str, str]) -> str:
        parameters = [
            *signature.collect_parameters(uri_query=request.url.query.decode("ascii"), body=_form_body(request)),
            *oauth.items(),
        ]
        # oauthlib takes pairs and any verb; its type stubs say a dict and a Literal.
        normalized = signature.normalize_parameters(cast("dict[str, str]", parameters))
        uri = signature.base_string_uri(str(request.url.copy_with(query=None, fragment=None)))
        base = signature.signature_base_string(cast("Any", request.method), uri, normalized)
        return cast("str", signature.sign_hmac_sha1_with_client(base, self._keys))


def _form_body(request: httpx.Request) -> str:
    """The body as far as it is signed (RFC 5849 3.4.1.3.1): a form; never JSON, which X would answer with code 32."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return request.content.decode("ascii") if kind == FORM else ""
