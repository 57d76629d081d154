"""An account's OAuth 2.0 access token, renewed by one worker for all.

X accepts a refresh token once and returns the next one, so the new one is stored before it is used. If we die in
between, X refuses the old one: the sign-in is lost, the account is held, and a person connects it again. Tokens are
encrypted in the database and never logged.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

import sqlalchemy as sa
import structlog
from cryptography.fernet import InvalidToken
from sqlalchemy.engine import Connection, Engine

from service.at_rest.keyring import fernet_of
from service.clock import Clock
from service.db import reading, upsert, writing
from service.db.leases import is_over
from service.db.outages import is_away
from service.models import x_token
from service.x_api import Temporary, XError, XSignIn
from service.x_api.oauth2 import IssuedTokens, lost

log = structlog.get_logger(__name__)
xt = x_token.c
EARLY, OF_ITS_LIFE = timedelta(minutes=1), 1 / 4  # a token is renewed before it ends, so that none ends on the way to X
RENEWING = timedelta(minutes=3)  # longer than X's slowest answer and the time to store it, by a clock a minute ahead
WAIT_S = 15.0
KEEP_S = 30.0
REFUSED = frozenset({400, 401, 403})  # X does not take the token, or the app that shows it: only a person can tell
LOOK_AGAIN_S = 0.5
KEEP_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class HeldTokens:
    """What the database has, decrypted."""

    access_token: str
    refresh_token: str
    expires_at: datetime
    stored: str  # the access token as it lies there: who renews it wants to find just this


class AccountTokens:
    """The tokens of one account, for many threads at once; see `x_api.oauth2.Tokens`."""

    def __init__(self, engine: Engine, account: str, key: Callable[[], str], sign_in: XSignIn, clock: Clock) -> None:
        self._engine, self._account, self._sign_in, self._clock = engine, account, sign_in, clock
        self._key = key

    def current(self) -> str:
        """Return the access token, renewed if it is about to expire. Raises XError."""
        held = self._held()
        return held.access_token if held.expires_at > self._clock() else self._renewed(held)

    def renewed(self, refused: str) -> str:
        """Return a new token in place of this one, which X no longer accepts. Raises XError."""
        held = self._held()
        return held.access_token if held.access_token != refused else self._renewed(held)

    def _held(self) -> HeldTokens:
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(x_token).where(xt.account == self._account)).one_or_none()
        if row is None or row.refresh_token is None:
            raise lost()
        box = fernet_of("x tokens", self._key())
        try:
            access, refresh = (box.decrypt(each.encode()).decode() for each in (row.access_token, row.refresh_token))
        except InvalidToken:
            raise lost() from None
        return HeldTokens(access, refresh, row.expires_at, row.access_token)

    def _renewed(self, held: HeldTokens) -> str:
        """Renew them, or wait for whoever is doing it."""
        give_up_at = time.monotonic() + WAIT_S
        while not self._begin(held):
            if (now_held := self._held()).access_token != held.access_token:
                return now_held.access_token
            if time.monotonic() > give_up_at:
                raise Temporary("The account's tokens are being renewed.", reason="token_being_renewed")
            time.sleep(LOOK_AGAIN_S)
        return self._ask(held)

    def _ask(self, held: HeldTokens) -> str:
        try:
            granted = self._sign_in.refresh(held.refresh_token)
        except XError as error:
            if (now_held := self._held()).access_token != held.access_token:
                return now_held.access_token  # somebody was quicker, and X has told us so
            self._failed(held, error)
        if not self._keep(granted, held):
            return self._held().access_token  # a person has signed in meanwhile
        log.info("tokens_renewed", account=self._account)
        return granted.access_token

    def _keep(self, granted: IssuedTokens, held: HeldTokens) -> bool:
        """Store new tokens before the lease is returned: the old ones are used up, and X gives these only once."""
        give_up_at = time.monotonic() + KEEP_S
        while True:
            try:
                with writing(self._engine) as connection:
                    return renew(connection, self._account, granted, self._key(), self._clock(), held)
            except Exception as error:
                if not is_away(error) or time.monotonic() > give_up_at:
                    raise
                log.warning("tokens_kept_later", account=self._account, error=type(error).__name__)
                time.sleep(KEEP_AGAIN_S)

    def _failed(self, held: HeldTokens, error: XError) -> NoReturn:
        """Return the lease. The token stays: a wrong `client_id` is refused as a spent token is, and can be mended."""
        mine = (xt.account == self._account, xt.access_token == held.stored)
        with writing(self._engine) as connection:
            connection.execute(sa.update(x_token).where(*mine).values(renewing_until=None))
        log.error("tokens_not_renewed", account=self._account, reason=error.reason, status=error.http_status)
        if error.http_status in REFUSED:
            raise lost() from error
        # Nothing was sent to a customer. If X did take the token, it will refuse it next time, and the sign-in is lost.
        raise Temporary("The account's tokens could not be renewed.", reason="token_not_renewed") from error

    def _begin(self, held: HeldTokens) -> bool:
        """Take the lease to renew, unless somebody has it or has renewed already."""
        now = self._clock()
        free = is_over(xt.renewing_until, now, RENEWING)
        mine = sa.update(x_token).where(xt.account == self._account, xt.access_token == held.stored, free)
        with writing(self._engine) as connection:
            return connection.execute(mine.values(renewing_until=now + RENEWING)).rowcount == 1


def put(connection: Connection, account: str, granted: IssuedTokens, key: str, now: datetime) -> None:
    """Store the tokens of a sign-in."""
    row = _row(granted, granted.refresh_token, key, now)
    upsert(connection, x_token, {"account": account}, {**row, "connected_at": now})


def renew(
    connection: Connection, account: str, granted: IssuedTokens, key: str, now: datetime, spent: HeldTokens
) -> bool:
    """Store what X gave for tokens that are spent now, unless others have taken their place.

    If X gave no new refresh token, the old one stays.
    """
    row = _row(granted, granted.refresh_token or spent.refresh_token, key, now)
    mine = sa.update(x_token).where(xt.account == account, xt.access_token == spent.stored)
    return connection.execute(mine.values(row)).rowcount == 1


def _row(granted: IssuedTokens, refresh: str | None, key: str, now: datetime) -> dict[str, Any]:
    box = fernet_of("x tokens", key)
    early = min(EARLY, granted.lives * OF_ITS_LIFE)  # of one that lives a minute every call would be a renewal
    return {
        "access_token": box.encrypt(granted.access_token.encode()).decode(),
        "refresh_token": None if refresh is None else box.encrypt(refresh.encode()).decode(),
        "expires_at": now + granted.lives - early, "renewing_until": None, "updated_at": now,
    }  # fmt: skip
