"""The dashboard's sessions: signing in with a key sets a random cookie, of which only the digest is stored.

Each session is a row, so its owner can list and end it.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.auth import keys
from service.auth.access import CAME_FROM
from service.auth.keys import Reader
from service.ids import secret_digest
from service.models import session

se = session.c
LONGEST = timedelta(hours=12)
TOUCH_EVERY = timedelta(minutes=1)
BY_DIGEST = sa.select(session).where(se.digest == sa.bindparam("this"))


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session as its owner sees it."""

    id: str
    created_at: datetime
    seen_at: datetime
    address: str | None
    is_this_one: bool


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is signed in. `is_stale`: the last click was recorded so long ago that this one must be."""

    reader: Reader
    is_stale: bool


def begin(connection: Connection, reader: Reader, now: datetime) -> str:
    """Start a session and return its cookie value."""
    cookie = secrets.token_urlsafe(32)
    times = {"created_at": now, "seen_at": now, "id": secrets.token_hex(8), "address": CAME_FROM.get()}
    connection.execute(sa.insert(session).values(digest=secret_digest(cookie), key_id=reader.key_id, **times))
    return cookie


def listed(connection: Connection, key_id: str, cookie: str, idle: timedelta, now: datetime) -> list[SessionLine]:
    """Return the living sessions of a key, the newest first."""
    living = (se.key_id == key_id) & (se.seen_at > now - idle) & (se.created_at > now - LONGEST) & se.id.is_not(None)
    rows = connection.execute(sa.select(session).where(living).order_by(se.created_at.desc()))
    mine = secret_digest(cookie)
    return [SessionLine(str(r.id), r.created_at, r.seen_at, r.address, r.digest == mine) for r in rows]


def end_one(connection: Connection, key_id: str, session_id: str) -> bool:
    """End a session of a key; return whether there was one."""
    return connection.execute(sa.delete(session).where(se.key_id == key_id, se.id == session_id)).rowcount == 1


def find(connection: Connection, cookie: str, idle: timedelta, now: datetime) -> Visitor | None:
    """Return who is signed in; None when nobody is, it was idle too long, or the key was revoked."""
    row = connection.execute(BY_DIGEST, {"this": secret_digest(cookie)}).one_or_none()
    if row is None or row.seen_at <= now - idle or row.created_at <= now - LONGEST:
        return None
    reader = keys.by_id(connection, row.key_id, now)
    return None if reader is None else Visitor(reader, is_stale=row.seen_at < now - TOUCH_EVERY)


def touch(connection: Connection, cookie: str, now: datetime) -> None:
    """Note a click, at most once a minute."""
    stale = se.seen_at < now - TOUCH_EVERY
    connection.execute(sa.update(session).where(se.digest == secret_digest(cookie), stale).values(seen_at=now))


def end(connection: Connection, cookie: str) -> None:
    """Sign out."""
    connection.execute(sa.delete(session).where(se.digest == secret_digest(cookie)))


def prune(connection: Connection, now: datetime) -> int:
    """Remove sessions that can never be used again."""
    return connection.execute(sa.delete(session).where(se.created_at <= now - LONGEST)).rowcount
