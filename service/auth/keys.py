"""API keys: a name, a role and bounds in; a key out, shown once. Only its SHA-256 is stored.

A key is `dmf_ID.SECRET`: the id is public and finds the row; the secret has 256 random bits and so needs no stretching.
A key can be bound to accounts, API paths, networks and an expiry; each bound can only narrow it.
"""

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.errors import Invalid, NotAllowed, NotAuthenticated, NotFound
from service.ids import secret_digest
from service.models import api_key
from service.network.addresses import is_inside, networks

ROLES = {
    "admin": "everything",
    "supervisor": "results and comments",
    "analyst": "figures only",
    "monitor": "/metrics and the details of /readyz, no answer",
    "hand_in": "hands in who a customer is on X, asks for links to send, and reads nothing",
}
PREFIX = "dmf_"
KEY_ID = re.compile(r"[0-9a-f]{12}")
LONGEST_NAME = 64
LONGEST_SIGNATURE = 64
LONGEST_ACTOR = 96  # of whoever did something, wherever that stands
PATH = re.compile(r"(?=.{2,100}\Z)(/[A-Za-z0-9._-]+)+")
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="dm-feedback", Basic realm="dm-feedback", charset="UTF-8"'}
ak = api_key.c
VALID = ak.revoked_at.is_(None) & (ak.expires_at.is_(None) | (ak.expires_at > sa.bindparam("now")))
BY_ID = sa.select(api_key).where(ak.id == sa.bindparam("this"), VALID)
SEEN = sa.update(api_key).where(ak.id == sa.bindparam("this")).values(last_used_at=sa.bindparam("now"))


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a key is bound to besides accounts. Empty means not bound."""

    routes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody with a key. `accounts` empty means every account, `routes` every path, `networks` from anywhere."""

    key_id: str
    name: str
    role: str
    accounts: tuple[str, ...]
    routes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()

    @property
    def actor(self) -> str:
        """How the access log names them."""
        return f"{self.name} ({self.key_id})"

    @property
    def signature(self) -> str:
        """How the ledger names them, in 64 characters: the name is shortened, never the id."""
        return f"{self.name[: LONGEST_SIGNATURE - len(self.key_id) - 3]} ({self.key_id})"

    def demand(self, account: str) -> None:
        """Raise NotAllowed for an account that the key does not cover."""
        if not self.may_see(account):
            raise NotAllowed("account_not_allowed", f"This key does not cover the account '{account}'.")

    def demand_all(self) -> None:
        """Raise NotAllowed if the key covers only some accounts."""
        if self.accounts:
            raise NotAllowed(
                "whole_service_only", "This affects all accounts, so it needs a key without a limit to some accounts."
            )

    def may_see(self, account: str) -> bool:
        """Say whether this reader may know of the account."""
        return not self.accounts or account in self.accounts

    def may_call(self, path: str) -> bool:
        """Say whether the key covers the path: one of its routes, or what lies below or beside it (`.csv`)."""
        return not self.routes or any(path == each or path.startswith((f"{each}/", f"{each}.")) for each in self.routes)

    def may_come_from(self, address: str | None) -> bool:
        """Say whether the key is valid where the call comes from."""
        return not self.networks or is_inside(networks(self.networks), address)


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A key as the list shows it."""

    id: str
    name: str
    role: str
    accounts: tuple[str, ...]
    bounds: Bounds
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def create(
    connection: Connection, name: str, role: str, accounts: Sequence[str], now: datetime, bounds: Bounds | None = None
) -> str:
    """Make a key and return it; it cannot be shown again. Raises Invalid for an unknown role or a bad name."""
    if role not in ROLES:
        raise Invalid("unknown_role", f"There is no role '{role}'; there are {', '.join(ROLES)}.")
    if not (0 < len(name) <= LONGEST_NAME and name.isprintable()):
        raise Invalid("bad_name", f"A key's name is 1 to {LONGEST_NAME} printable characters.")
    bounds = bounds or Bounds()
    _check(bounds, now)
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    values = {"id": key_id, "digest": secret_digest(secret), "name": name, "role": role, "created_at": now}
    values |= {"accounts": list(accounts), "routes": list(bounds.routes), "networks": list(bounds.networks)}
    connection.execute(sa.insert(api_key).values(**values, expires_at=bounds.expires_at))
    return f"{PREFIX}{key_id}.{secret}"


def rotate(connection: Connection, key_id: str, overlap: timedelta, now: datetime) -> str:
    """Make a key with the same rights; the old one ends after `overlap`. Raises NotFound if it is not valid."""
    key_id = id_of(key_id)
    row = connection.execute(BY_ID, {"this": key_id, "now": now}).one_or_none()
    if row is None:
        raise NotFound("unknown_key", f"There is no valid key '{key_id}'; see `dm-feedback keys list`.")
    lasts = None if row.expires_at is None else now + (row.expires_at - row.created_at)
    new = create(connection, row.name, row.role, row.accounts, now, replace(_bounds(row), expires_at=lasts))
    ends = now + overlap if row.expires_at is None else min(row.expires_at, now + overlap)
    connection.execute(sa.update(api_key).where(ak.id == key_id).values(expires_at=ends))
    return new


def find(connection: Connection, key: str, now: datetime) -> Reader:
    """Return whose key this is. Raises NotAuthenticated, in the same words for every wrong key."""
    key_id, _, secret = key.removeprefix(PREFIX).partition(".")
    row = opened_by(connection, api_key, key_id, secret)
    if row is None or row.revoked_at is not None:
        sentence = "This key is not valid. Ask an administrator for one (`dm-feedback keys create`)."
        raise NotAuthenticated("key_invalid", sentence, headers=CHALLENGE)
    if row.expires_at is not None and row.expires_at <= now:  # said only to whoever has it
        sentence = "This key has expired. Ask an administrator for a new one (`dm-feedback keys rotate`)."
        raise NotAuthenticated("key_expired", sentence, headers=CHALLENGE)
    return _reader(row)


def opened_by(connection: Connection, table: sa.Table, row_id: str, secret: str) -> Any | None:
    """Return the row of this id if the secret is its own; it takes as long where there is none."""
    # the id is checked first: PostgreSQL refuses to compare with invalid text, such as NUL
    row = connection.execute(_of_id(table), {"this": row_id}).one_or_none() if KEY_ID.fullmatch(row_id) else None
    digest = secret_digest("nobody") if row is None else row.digest
    return row if hmac.compare_digest(digest, secret_digest(secret)) else None


@cache
def _of_id(table: sa.Table) -> sa.Select[Any]:
    return sa.select(table).where(table.c.id == sa.bindparam("this"))


def by_id(connection: Connection, key_id: str, now: datetime) -> Reader | None:
    """Return the reader behind a key that is still valid."""
    row = connection.execute(BY_ID, {"this": key_id, "now": now}).one_or_none()
    return None if row is None else _reader(row)


def holders(connection: Connection, roles: Sequence[str], now: datetime) -> list[Reader]:
    """Return the holders of valid keys with one of these roles."""
    found = connection.execute(sa.select(api_key).where(ak.role.in_(roles), VALID), {"now": now})
    return [_reader(row) for row in found]


def valid_digests(connection: Connection, now: datetime) -> frozenset[str]:
    """Return what `digest_of` gives for the keys that are valid."""
    rows = connection.execute(sa.select(ak.id, ak.digest).where(VALID), {"now": now})
    return frozenset(f"{key_id}.{digest}" for key_id, digest in rows)


def digest_of(key: str) -> str:
    """Return what identifies a key without revealing it."""
    key_id, _, secret = key.removeprefix(PREFIX).partition(".")
    return f"{key_id}.{secret_digest(secret)}"


def id_of(given: str) -> str:
    """Return the id from what somebody typed, a whole key or just its id. Never the secret."""
    return given.removeprefix(PREFIX).partition(".")[0]


def public_id(key: str) -> str | None:
    """Return the part of a key that may be shown; None if it is no key of ours."""
    key_id = id_of(key)
    return key_id if key.startswith(PREFIX) and KEY_ID.fullmatch(key_id) else None


def seen(connection: Connection, key_id: str, now: datetime) -> None:
    """Note that the key is in use."""
    connection.execute(SEEN, {"this": key_id, "now": now})


def listed(connection: Connection) -> list[KeyLine]:
    """Return all keys, the newest first, without their secrets."""
    return [_line(row) for row in connection.execute(sa.select(api_key).order_by(ak.created_at.desc()))]


def revoke(connection: Connection, key_id: str, now: datetime) -> bool:
    """End a key at once; return whether it was valid before."""
    ended = sa.update(api_key).where(ak.id == id_of(key_id), ak.revoked_at.is_(None))
    return connection.execute(ended.values(revoked_at=now)).rowcount == 1


def _check(bounds: Bounds, now: datetime) -> None:
    wrong = next((each for each in bounds.routes if PATH.fullmatch(each) is None), None)
    if wrong is not None:
        raise Invalid("bad_route", f"'{wrong[:40]}' is not a path; write one such as /v1/summary.")
    try:
        networks(bounds.networks)
    except ValueError as error:
        raise Invalid("bad_network", "A network is written like 10.0.0.0/8 or 2001:db8::/32.") from error
    if bounds.expires_at is not None and bounds.expires_at <= now:
        raise Invalid("bad_expiry", "A key must expire in the future.")


def _reader(row: sa.Row[Any]) -> Reader:
    bounds = _bounds(row)
    return Reader(row.id, row.name, row.role, tuple(row.accounts), bounds.routes, bounds.networks)


def _line(row: sa.Row[Any]) -> KeyLine:
    times = (row.created_at, row.last_used_at, row.revoked_at)
    return KeyLine(row.id, row.name, row.role, tuple(row.accounts), _bounds(row), *times)


def _bounds(row: sa.Row[Any]) -> Bounds:
    return Bounds(tuple(row.routes or ()), tuple(row.networks or ()), row.expires_at)
