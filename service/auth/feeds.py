"""Feeds: a saved question with a secret address, for tools that cannot send a key.

The address is shown once; only the SHA-256 of its secret is stored. Whoever has it can read this one question, by an
analyst's rules, and nothing else. A feed is revoked on its own, whatever happens to the key that made it.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from service.auth.access import CAME_FROM
from service.auth.keys import KEY_ID, LONGEST_ACTOR, LONGEST_NAME, Reader, opened_by
from service.errors import Invalid, NotFound
from service.ids import secret_digest
from service.models import feed
from service.network.addresses import neighbourhood

fd = feed.c
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SavedFeed:
    """A feed as the list shows it: without its secret."""

    id: str
    name: str
    question: Mapping[str, Any]
    accounts: tuple[str, ...]
    created_at: datetime
    created_by: str
    last_used_at: datetime | None
    revoked_at: datetime | None

    @property
    def reader(self) -> Reader:
        """Who reads by it: somebody who sees no rows."""
        return Reader(f"feed-{self.id}", self.name, "analyst", self.accounts)


def create(
    connection: Connection, name: str, question: Mapping[str, Any], accounts: Sequence[str], by: str, now: datetime
) -> tuple[SavedFeed, str]:
    """Make a feed; return it and its secret, which cannot be shown again. Raises Invalid for a bad name."""
    if not (0 < len(name) <= LONGEST_NAME and name.isprintable()):
        raise Invalid("bad_name", f"A feed's name is 1 to {LONGEST_NAME} printable characters.")
    made = SavedFeed(secrets.token_hex(6), name, dict(question), tuple(accounts), now, by[:LONGEST_ACTOR], None, None)
    secret = secrets.token_urlsafe(32)
    kept = asdict(made) | {"digest": secret_digest(secret), "accounts": list(accounts)}
    connection.execute(sa.insert(feed).values(kept))
    return made, secret


def find(connection: Connection, feed_id: str, secret: str) -> SavedFeed:
    """Return the feed of an address. Raises NotFound, in the same words whatever is wrong."""
    row = opened_by(connection, feed, feed_id, secret)
    if row is None or row.revoked_at is not None:
        known = feed_id if KEY_ID.fullmatch(feed_id) else None
        place = neighbourhood(CAME_FROM.get())
        log.warning("key_refused", surface="feed", address=place, code="no_such_feed", key_id=known)
        raise NotFound("no_such_feed", "There is no such feed, or it was revoked; ask whoever gave you the address.")
    return _feed(row)


def seen(connection: Connection, feed_id: str, now: datetime) -> None:
    """Note that the feed is read."""
    connection.execute(sa.update(feed).where(fd.id == feed_id).values(last_used_at=now))


def listed(connection: Connection, reader: Reader) -> list[SavedFeed]:
    """Return the feeds whose accounts a reader may all see, newest first."""
    rows = connection.execute(sa.select(feed).order_by(fd.created_at.desc(), fd.id))
    return [each for each in map(_feed, rows) if _is_within(each, reader)]


def revoke(connection: Connection, feed_id: str, reader: Reader, now: datetime) -> None:
    """End a feed at once. Raises NotFound if they have no such feed that is still active."""
    row = connection.execute(sa.select(feed).where(fd.id == feed_id, fd.revoked_at.is_(None))).one_or_none()
    if row is None or not _is_within(_feed(row), reader):
        raise NotFound("no_such_feed", "There is no such feed, or it was revoked already.")
    connection.execute(sa.update(feed).where(fd.id == feed_id).values(revoked_at=now))


def _is_within(each: SavedFeed, reader: Reader) -> bool:
    return not reader.accounts or (bool(each.accounts) and set(each.accounts) <= set(reader.accounts))


def _feed(row: sa.Row[Any]) -> SavedFeed:
    times = (row.created_at, row.created_by, row.last_used_at, row.revoked_at)
    return SavedFeed(row.id, row.name, row.question, tuple(row.accounts), *times)
