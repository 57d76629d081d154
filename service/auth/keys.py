"""Keys: in, a name, a role and accounts; out, a key that is shown once. Only its SHA-256 is stored.

A key is `dmf_ID.SECRET`: the id is public and finds the row, the secret has 256 random bits and so needs no stretching.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.errors import Invalid, NotAuthenticated
from service.models import api_key

ROLES = ("admin", "supervisor", "analyst")
PREFIX = "dmf_"
KEY_ID = re.compile(r"[0-9a-f]{12}")
LONGEST_NAME = 64
SEEN_EVERY = timedelta(minutes=1)  # last_used_at is for people; most calls are spared the write
k = api_key.c


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody with a key. `accounts` empty means every account."""

    key_id: str
    name: str
    role: str
    accounts: tuple[str, ...]

    @property
    def actor(self) -> str:
        """How the access log names them."""
        return f"{self.name} ({self.key_id})"

    def may_see(self, account: str) -> bool:
        """Say whether this reader may know of the account."""
        return not self.accounts or account in self.accounts


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A key as the list shows it."""

    id: str
    name: str
    role: str
    accounts: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def create(connection: Connection, name: str, role: str, accounts: Sequence[str], now: datetime) -> str:
    """Make a key and return it; it cannot be shown again. Raises Invalid for a role we do not have, or a bad name."""
    if role not in ROLES:
        raise Invalid("unknown_role", f"There is no role '{role}'; there are {', '.join(ROLES)}.")
    if not (0 < len(name) <= LONGEST_NAME and name.isprintable()):
        raise Invalid("bad_name", f"A key's name is 1 to {LONGEST_NAME} printable characters.")
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    connection.execute(
        sa.insert(api_key).values(
            id=key_id, digest=_digest(secret), name=name, role=role, accounts=list(accounts), created_at=now
        )
    )
    return f"{PREFIX}{key_id}.{secret}"


def find(connection: Connection, key: str) -> Reader:
    """Return whose key this is. Raises NotAuthenticated, in the same words for every wrong key."""
    key_id, _, secret = key.removeprefix(PREFIX).partition(".")
    # the id is looked at first: PostgreSQL refuses to compare with what cannot be text, such as NUL
    known = connection.execute(sa.select(api_key).where(k.id == key_id)) if KEY_ID.fullmatch(key_id) else None
    row = known.one_or_none() if known is not None else None
    digest = row.digest if row is not None else _digest("nobody")
    if not hmac.compare_digest(digest, _digest(secret)) or row is None or row.revoked_at is not None:
        raise NotAuthenticated(
            "key_invalid",
            "This key is not valid. Ask an administrator for one (`dm-feedback keys create`).",
            headers={"WWW-Authenticate": 'Bearer realm="dm-feedback"'},
        )
    return Reader(row.id, row.name, row.role, tuple(row.accounts))


def by_id(connection: Connection, key_id: str) -> Reader | None:
    """Return the reader behind a key that is still valid."""
    row = connection.execute(sa.select(api_key).where(k.id == key_id, k.revoked_at.is_(None))).one_or_none()
    return None if row is None else Reader(row.id, row.name, row.role, tuple(row.accounts))


def seen(connection: Connection, key_id: str, now: datetime) -> None:
    """Note that the key is in use, at most once a minute."""
    stale = k.last_used_at.is_(None) | (k.last_used_at < now - SEEN_EVERY)
    connection.execute(sa.update(api_key).where(k.id == key_id, stale).values(last_used_at=now))


def listed(connection: Connection) -> list[KeyLine]:
    """Return all keys, the newest first, without their secrets."""
    columns = (k.id, k.name, k.role, k.accounts, k.created_at, k.last_used_at, k.revoked_at)
    rows = connection.execute(sa.select(*columns).order_by(k.created_at.desc()))
    return [KeyLine(i, n, r, tuple(a), c, u, v) for i, n, r, a, c, u, v in rows]


def revoke(connection: Connection, key_id: str, now: datetime) -> bool:
    """End a key at once; return whether it was valid before."""
    ended = sa.update(api_key).where(k.id == key_id.removeprefix(PREFIX).partition(".")[0], k.revoked_at.is_(None))
    return connection.execute(ended.values(revoked_at=now)).rowcount == 1


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
