"""Who reads, and what readers leave behind: the tables of auth and reports."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    Named,
    String,
    Table,
    TypedColumns,
)

from service.at_rest.columns import Encrypted
from service.db import Micros
from service.models.base import Serial, metadata, partial_index


class ApiKeyColumns(TypedColumns):
    """A key somebody reads with: shown once, stored as a digest. Written by auth."""

    id = Column(String(24), primary_key=True)  # the part before the dot; public
    digest: Named[str] = Column(String(64))  # SHA-256 of the secret part; 256 random bits need no stretching
    name: Named[str] = Column(String(64))
    role: Named[str] = Column(String(12))  # a name of auth.ROLES
    accounts: Named[list[str]] = Column(JSON)  # [] means every account
    created_at: Named[datetime] = Column(Micros)
    revoked_at: Named[datetime | None] = Column(Micros, nullable=True)
    last_used_at: Named[datetime | None] = Column(Micros, nullable=True)
    expires_at: Named[datetime | None] = Column(Micros, nullable=True)
    routes: Named[list[str] | None] = Column(JSON, nullable=True)  # paths of the API; none means every path
    networks: Named[list[str] | None] = Column(JSON, nullable=True)  # where it is valid; none means everywhere


api_key = Table("api_key", metadata, ApiKeyColumns)


class FeedColumns(TypedColumns):
    """A saved question that is read by an address of its own. Written by auth."""

    id = Column(String(12), primary_key=True)  # in the address; public
    digest: Named[str] = Column(String(64))  # SHA-256 of the address' secret, which has 256 random bits
    name: Named[str] = Column(String(64))
    question: Named[dict[str, Any]] = Column(JSON)  # as it was asked, read anew each time
    accounts: Named[list[str]] = Column(JSON)  # [] means every account
    created_at: Named[datetime] = Column(Micros)
    created_by: Named[str] = Column(String(96))
    last_used_at: Named[datetime | None] = Column(Micros, nullable=True)
    revoked_at: Named[datetime | None] = Column(Micros, nullable=True)


feed = Table("feed", metadata, FeedColumns)


class SessionColumns(TypedColumns):
    """A supervisor signed in to the dashboard. Written by auth."""

    digest = Column(String(64), primary_key=True)  # SHA-256 of the cookie
    key_id: Named[str] = Column(String(24), ForeignKey("api_key.id"))
    created_at: Named[datetime] = Column(Micros)
    seen_at: Named[datetime] = Column(Micros)
    id: Named[str | None] = Column(String(16), nullable=True)  # to be shown and ended by; the digest is not shown
    address: Named[str | None] = Column(String(45), nullable=True)


session = Table("session", metadata, SessionColumns)


class KeyUseColumns(TypedColumns):
    """How many calls a key made in a minute, against its limit. Written by auth, and by reports for sign-ins."""

    key_id = Column(String(24), primary_key=True)
    minute = Column(Micros, primary_key=True)
    used: Named[int]


key_use = Table("key_use", metadata, KeyUseColumns)


class AccessLogColumns(TypedColumns):
    """Who read comments, exported, or changed something by hand. Written by auth; listed by admins."""

    id = Column(Serial, primary_key=True)
    at: Named[datetime] = Column(Micros)
    actor: Named[str] = Column(String(96))
    action: Named[str] = Column(String(48))
    detail: Named[dict[str, Any]] = Column(JSON)  # filters and counts; never a customer's words
    address: Named[str | None] = Column(String(45), nullable=True)  # where the call came from; none at a terminal
    outcome: Named[str | None] = Column(String(12), nullable=True)  # done | refused
    number: Named[int | None] = Column(BigInteger, nullable=True)  # its place in the chain; none until it is sealed
    hash: Named[str | None] = Column(String(64), nullable=True)  # of this line and the hash of the one before


access_log = Table(
    "access_log",
    metadata,
    AccessLogColumns,
    Index(None, "at"),
    Index(None, "number", unique=True),
    partial_index("ix_access_log_unsealed", "id", where="number IS NULL"),
)


class AccessChainColumns(TypedColumns):
    """Both ends of the chain of access_log: what was sealed last, what was pruned last. Written by auth."""

    id = Column(Integer, primary_key=True)  # one row
    number: Named[int] = Column(BigInteger)
    hash: Named[str] = Column(String(64))
    pruned_number: Named[int] = Column(BigInteger)
    pruned_hash: Named[str] = Column(String(64))


access_chain = Table("access_chain", metadata, AccessChainColumns)


class ProbeColumns(TypedColumns):
    """The last moment in which the database was seen to take writes. Written by metrics."""

    name = Column(String(16), primary_key=True)
    at: Named[datetime] = Column(Micros)


probe = Table("probe", metadata, ProbeColumns)


class ReviewNoteColumns(TypedColumns):
    """What a supervisor wrote beside a result, kept apart from it. Written by reports."""

    id = Column(Serial, primary_key=True)
    request_id: Named[str] = Column(String(40), ForeignKey("feedback_request.id"))
    at: Named[datetime] = Column(Micros)
    author: Named[str] = Column(String(96))
    text: Named[str] = Column(Encrypted("review_note.text", "request_id", "at"))


review_note = Table("review_note", metadata, ReviewNoteColumns, Index(None, "request_id"))


class ReviewMarkColumns(TypedColumns):
    """What supervisors do about an answer: done or open, and whose it is; no row: open. Written by reports."""

    request_id = Column(String(40), ForeignKey("feedback_request.id"), primary_key=True)
    done_at: Named[datetime | None] = Column(Micros, nullable=True)
    done_by: Named[str | None] = Column(String(96), nullable=True)
    owner: Named[str | None] = Column(String(96), nullable=True)
    owner_at: Named[datetime | None] = Column(Micros, nullable=True)
    owner_by: Named[str | None] = Column(String(96), nullable=True)


review_mark = Table("review_mark", metadata, ReviewMarkColumns, Index(None, "owner"))


class TimelineNoteColumns(TypedColumns):
    """What a supervisor says happened on a day; `account` empty: to every account. Written by reports."""

    id = Column(Serial, primary_key=True)
    day: Named[str] = Column(String(10))
    account: Named[str | None] = Column(String(64), nullable=True)
    text: Named[str] = Column(Encrypted("timeline_note.text", "day", "at", length=120))
    author: Named[str] = Column(String(96))
    at: Named[datetime] = Column(Micros)


timeline_note = Table("timeline_note", metadata, TimelineNoteColumns, Index(None, "day"))
