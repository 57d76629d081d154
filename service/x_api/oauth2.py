"""OAuth 2.0 for X's v2: requests get the account's access token; codes and refresh tokens become new tokens.

Keeps and logs no token. X accepts a refresh token once: whoever asks for new ones must store the answer before using
it.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx

from service.clock import Clock, since_boot
from service.x_api.codes import SIGN_IN_LOST
from service.x_api.errors import AccountProblem, Temporary
from service.x_api.facts import ParseProblem
from service.x_api.fields import plain
from service.x_api.parsing import mapping
from service.x_api.refusal import date_of
from service.x_api.wire import TIMEOUTS, Timeouts, Wire

SCOPES = ("tweet.read", "users.read", "dm.read", "dm.write", "offline.access")
WHO = "/2/users/me"
TOKEN = "/2/oauth2/token"  # noqa: S105 - a path
UNAUTHORIZED = 401
USUAL_LIFE = timedelta(hours=2)  # of an access token, where X does not say


def lost() -> AccountProblem:
    """Return what to raise when only a person can sign the account in again."""
    return AccountProblem(SIGN_IN_LOST.sentence, reason=SIGN_IN_LOST.reason, row=SIGN_IN_LOST)


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """The tokens X gave; `refresh_token` None: the previous one stays valid. Nobody keeps them, so none is renewed."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    lives: timedelta

    def current(self) -> str:
        """Return the access token, as `Tokens` do."""
        return self.access_token

    def renewed(self, _: str) -> str:
        """Raise XError."""
        raise lost()


class Tokens(Protocol):
    """Who keeps an account's tokens."""

    def current(self) -> str:
        """Return an access token that should be valid. Raises XError."""

    def renewed(self, refused: str, /) -> str:
        """Return a new one in place of this, which X has refused. Raises XError."""


class Bearer(httpx.Auth):
    """Signs with the account's access token; a refused one is renewed once, because a 401 has sent nothing.

    The token carries no time, so X can refuse neither a late message of a worker that slept nor a clock that is wrong,
    by which nobody finds an unclear message in X's list. Both are stopped here; X's answers tell the time.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        clock: Clock,
        alive: timedelta,
        stopwatch: Callable[[], float] = since_boot,
    ) -> None:
        self._tokens, self._clock, self._alive, self._stopwatch = tokens, clock, alive, stopwatch
        self._zero: datetime | None = None  # X's time when the stopwatch began

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign, and again if the token was no longer valid."""
        token, sends = self._tokens.current(), request.extensions.get("signed_at") is not None
        if sends and self._clock_is_wrong():  # or the stopwatch stood: there may be no other call that would tell
            self._compare((yield self._signed(_who_we_are(request), token)))
            self._demand_right_clock()
        response = yield self._signed(request, token)
        if response.status_code == UNAUTHORIZED:
            response = yield self._signed(request, self._tokens.renewed(token))
        self._compare(response)
        if not sends and not request.url.path.endswith(WHO):  # what was sent was sent, and who we are is so at any time
            self._demand_right_clock()

    def _signed(self, request: httpx.Request, token: str) -> httpx.Request:
        intended_at = request.extensions.get("signed_at")
        if intended_at is not None and self._clock() - intended_at > self._alive:
            raise Temporary("The message was meant to go long ago and did not leave.", reason="too_late_to_send")
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    def _compare(self, response: httpx.Response) -> None:
        if (now := date_of(response.headers)) is not None:  # an answer without a date tells nothing
            self._zero = now - timedelta(seconds=self._stopwatch())

    def _clock_is_wrong(self) -> bool:
        if self._zero is None:
            return False
        return abs(self._zero + timedelta(seconds=self._stopwatch()) - self._clock()) > self._alive

    def _demand_right_clock(self) -> None:
        if self._clock_is_wrong():
            raise Temporary("Our clock is wrong: X dates its answers otherwise.", reason="clock")


def _who_we_are(send: httpx.Request) -> httpx.Request:
    """A question whose answer is as good as any, at the same place."""
    path, _, _ = send.url.path.rpartition("/2/")
    return httpx.Request(
        "GET",
        send.url.copy_with(path=path + WHO),
        headers={"User-Agent": send.headers["User-Agent"]},
        extensions={"timeout": send.extensions["timeout"]},
    )


@dataclass(frozen=True, slots=True)
class Pkce:
    """PKCE: what is kept secret, what is shown, and the state the answer must bring back."""

    verifier: str = field(repr=False)
    state: str

    @property
    def shown(self) -> str:
        """The hash that goes with the person to X."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def new_challenge() -> Pkce:
    """Make one for one sign-in."""
    return Pkce(secrets.token_urlsafe(48), secrets.token_urlsafe(16))


class XSignIn:
    """X's token endpoint for one app. Called every hour or two, so no connection is kept."""

    def __init__(
        self,
        client_id: str,
        client_secret: str | None,
        *,
        base_url: str,
        clock: Clock,
        transport: httpx.BaseTransport | None = None,
        patience: Timeouts = TIMEOUTS,
    ) -> None:
        self._client_id, self._clock = client_id, clock
        auth = None if client_secret is None else httpx.BasicAuth(client_id, client_secret)
        self._open = partial(Wire, auth, base_url=base_url, patience=patience, clock=clock, transport=transport)

    def address(self, page: str, back_to: str, challenge: Pkce) -> str:
        """Return where a person signs the account in; X redirects them to `back_to` with a code."""
        asked = {
            "response_type": "code", "client_id": self._client_id, "redirect_uri": back_to, "scope": " ".join(SCOPES),
            "state": challenge.state, "code_challenge": challenge.shown, "code_challenge_method": "S256",
        }  # fmt: skip
        return f"{page}?{urlencode(asked)}"

    def exchange(self, code: str, back_to: str, challenge: Pkce) -> IssuedTokens:
        """Make tokens of the code. Raises XError."""
        return self._ask({
            "grant_type": "authorization_code", "code": code, "redirect_uri": back_to,
            "code_verifier": challenge.verifier,
        })  # fmt: skip

    def refresh(self, refresh_token: str) -> IssuedTokens:
        """Get new tokens for this one, which is then used up. `OutcomeUnknown`: it may or may not be."""
        return self._ask({"grant_type": "refresh_token", "refresh_token": refresh_token})

    def _ask(self, form: Mapping[str, str]) -> IssuedTokens:
        whole, wire = {**form, "client_id": self._client_id}, self._open()
        try:
            return wire.send(TOKEN, signed_at=self._clock(), form=whole).read(_granted).value
        finally:
            wire.close()


def _granted(raw: Any) -> IssuedTokens:
    body = mapping(raw, "body")
    access, refresh, lives = (plain(body.get(name)) for name in ("access_token", "refresh_token", "expires_in"))
    if not access:
        raise ParseProblem("access_token", "This is not a token.")
    seconds = timedelta(seconds=int(lives)) if lives and lives.isdecimal() and len(lives) < len("1000000") else None
    return IssuedTokens(access, refresh or None, seconds or USUAL_LIFE)
