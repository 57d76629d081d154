"""Settings of a source's own API, with their rules and sentences."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from service.settings.declare import REQUIRED, setting
from service.settings.values import NOT_EMPTY, a_minute, http_url, network, whole

NEEDS = {"password": "user", "client_id": "token_url", "client_secret": "token_url", "scope": "token_url"}


@dataclass(frozen=True, slots=True)
class Api:
    """A CRM's own API, in which its customers are looked up: [sources.NAME.api]."""

    base_url: str = setting(REQUIRED, "its address, https (http for this machine only)", http_url)
    token: str | None = setting(None, "a token, sent in `header` after `scheme`", NOT_EMPTY, secret=True)
    header: str = setting("Authorization", "the header a token is sent in", NOT_EMPTY)
    scheme: str = setting("Bearer ", "what comes before the token in `Authorization`")
    user: str | None = setting(None, "a user, for Basic", NOT_EMPTY, secret=True)
    password: str | None = setting(None, "their password, for Basic", secret=True)
    token_url: str | None = setting(None, "where OAuth 2.0 client credentials are exchanged for a token", http_url)
    client_id: str | None = setting(None, "the client, for OAuth 2.0", NOT_EMPTY)
    client_secret: str | None = setting(None, "its secret", NOT_EMPTY, secret=True)
    scope: str | None = setting(None, "the scope to request, if the CRM needs one")
    networks: tuple[str, ...] = setting(
        [], "private networks the address may be in; by default none is allowed", network
    )
    at_once: int = setting(2, "lookups at once, for all workers together", whole(1, 16))
    per_minute: int = setting(60, "calls a minute, for all workers together", whole(3, 100_000))

    sweep_every: timedelta = setting(
        "1h", "how often its list of ended conversations is read, if the definition has one; 0s: never", a_minute
    )

    names_every: timedelta = setting(
        "1d",
        "how often the names of its agents and teams are read, if the definition says how; 0s: never",
        a_minute,
    )

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """Settings that do not go together: a key, and what would be right."""
        ways = [name for name in ("token", "user", "token_url") if getattr(self, name) is not None]
        if len(ways) > 1:
            yield ways[1], f"cannot be combined with {ways[0]}; write one way to sign in"
        for name, needs in NEEDS.items():
            if not ways and getattr(self, name) is not None:
                yield needs, f"is missing; {name} is used with it only"
        if self.token_url is not None and not (self.client_id and self.client_secret):
            yield "client_secret", "is missing; token_url needs client_id and client_secret"
        if "?" in self.base_url or "#" in self.base_url:
            yield "base_url", "must not contain ? or #, because paths are added to it"
