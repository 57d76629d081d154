"""An X client for an account, v1.1 or v2, signing as its settings say."""

from functools import cache

from sqlalchemy.engine import Engine

from service.accounts.tokens import AccountTokens
from service.clock import Clock
from service.customers.hash_key import open_key
from service.settings import Account, Settings
from service.x_api import Bearer, Credentials, XClient, XClientV2, XSignIn
from service.x_api.oauth2 import IssuedTokens


def client_of(settings: Settings, engine: Engine, account: Account, clock: Clock) -> XClient:
    """Open a client. Reads nothing and calls nobody yet."""
    return _client(account, _signer(settings, engine, account, clock), clock)


def client_with(account: Account, granted: IssuedTokens, clock: Clock) -> XClient:
    """Open a client that signs with tokens which are not stored yet."""
    return _client(account, Bearer(granted, clock=clock, alive=account.signature_tolerance), clock)


def sign_in_of(account: Account, clock: Clock) -> XSignIn:
    """Open the token endpoint of an account that signs in by OAuth 2.0."""
    assert account.client_id is not None, "asked for only where there is one"
    return XSignIn(account.client_id, account.client_secret, base_url=account.base_url, clock=clock)


def _client(account: Account, signer: Credentials | Bearer, clock: Clock) -> XClient:
    kind = XClientV2 if account.api == "v2" else XClient
    return kind(signer, base_url=account.base_url, clock=clock)


def _signer(settings: Settings, engine: Engine, account: Account, clock: Clock) -> Credentials | Bearer:
    if account.client_id is None:
        assert account.token is not None, "settings without it do not load"
        assert account.token_secret is not None, "the same"
        return Credentials(account.consumer_key, account.consumer_secret, account.token, account.token_secret)

    @cache
    def key() -> str:
        return open_key(engine, settings.service.secret_key)

    kept = AccountTokens(engine, account.name, key, sign_in_of(account, clock), clock)
    return Bearer(kept, clock=clock, alive=account.signature_tolerance)
