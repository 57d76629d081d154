"""What is known of X accounts, and of people at X."""

from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index, Named, String, Table, Text, TypedColumns

from service.at_rest.ids import X_HANDLE, X_USER_ID
from service.db import Micros
from service.models.base import metadata


class AccountStateColumns(TypedColumns):
    """What all workers must know of an X account: holds, pauses, looks. Written by accounts."""

    account = Column(String(64), primary_key=True)
    hold_code: Named[int | None]  # X's error code; NULL with a hold_reason: held by a person
    hold_reason: Named[str | None] = Column(String(64), nullable=True)
    held_at: Named[datetime | None] = Column(Micros, nullable=True)
    paused_until: Named[datetime | None] = Column(Micros, nullable=True)  # 429, 88, 420: until its reset
    x_away_since: Named[datetime | None] = Column(Micros, nullable=True)  # X has answered no call since then
    lookup_lease_token: Named[str | None] = Column(String(40), nullable=True)
    lookup_lease_until: Named[datetime | None] = Column(Micros, nullable=True)
    looked_at: Named[datetime | None] = Column(Micros, nullable=True)  # the last whole look into the DM list
    expected_per_day: Named[int | None]  # ended conversations a day, learnt from the ledger
    expected_at: Named[datetime | None] = Column(Micros, nullable=True)
    moved: Named[str | None] = Column(String(8), nullable=True)  # arriving | gone: to or from another database
    updated_at: Named[datetime] = Column(Micros)


account_state = Table("account_state", metadata, AccountStateColumns)


class StrangeRefusalColumns(TypedColumns):
    """Who met a refusal of X that nobody can explain, since the last success there. Written by accounts."""

    request_id = Column(String(40), ForeignKey("feedback_request.id"), primary_key=True)
    endpoint = Column(String(64), primary_key=True)
    account: Named[str] = Column(String(64))


strange_refusal = Table("strange_refusal", metadata, StrangeRefusalColumns, Index(None, "account", "endpoint"))


class BarredWayColumns(TypedColumns):
    """A way of asking that X refused to an account, and when. Written by accounts."""

    account = Column(String(64), primary_key=True)
    way = Column(String(16), primary_key=True)
    code: Named[int | None]
    barred_at: Named[datetime] = Column(Micros)


barred_way = Table("barred_way", metadata, BarredWayColumns)


class XTokenColumns(TypedColumns):
    """An account's tokens, encrypted: X takes a refresh token once, so the newest is the only one.

    Written by accounts.
    """

    account = Column(String(64), primary_key=True)
    access_token: Named[str] = Column(Text)
    refresh_token: Named[str | None] = Column(Text, nullable=True)  # NULL: an older version had it refused
    expires_at: Named[datetime] = Column(Micros)  # a little early
    renewing_until: Named[datetime | None] = Column(Micros, nullable=True)  # somebody asks X for new ones until then
    connected_at: Named[datetime] = Column(Micros)
    updated_at: Named[datetime] = Column(Micros)


x_token = Table("x_token", metadata, XTokenColumns)


class AllowanceColumns(TypedColumns):
    """How much of an endpoint's window an account has used, shared by all workers. Written by accounts."""

    account = Column(String(64), primary_key=True)
    endpoint = Column(String(64), primary_key=True)
    window_until: Named[datetime] = Column(Micros)
    used: Named[int]


allowance = Table("allowance", metadata, AllowanceColumns)


class OptOutColumns(TypedColumns):
    """A person who must not be asked, known only by a keyed hash. Written by customers."""

    person = Column(String(64), primary_key=True)  # HMAC of the X user id
    account = Column(String(64), primary_key=True)  # '*' for every account
    reason: Named[str] = Column(String(64))  # asked_by_customer | erased | imported …
    created_at: Named[datetime] = Column(Micros)
    created_by: Named[str] = Column(String(64))


opt_out = Table("opt_out", metadata, OptOutColumns)


class ErasureAskColumns(TypedColumns):
    """That somebody asked to erase a person, and waits for a second one. Written by customers."""

    person = Column(String(64), primary_key=True)  # as in opt_out
    asked_by: Named[str] = Column(String(96))
    asked_at: Named[datetime] = Column(Micros)


erasure_ask = Table("erasure_ask", metadata, ErasureAskColumns)


class DataKeyColumns(TypedColumns):
    """A random key that hashes are made under, locked by service.secret_key. Written by customers."""

    name = Column(String(16), primary_key=True)
    wrapped: Named[str] = Column(Text)


data_key = Table("data_key", metadata, DataKeyColumns)


class XIdentityColumns(TypedColumns):
    """A handle that X resolved to an id, and when: handles are renamed and re-used. Written by customers."""

    handle: Named[str] = Column(X_HANDLE, primary_key=True)  # lower case
    x_user_id: Named[str] = Column(X_USER_ID)
    seen_at: Named[datetime] = Column(Micros)


x_identity = Table("x_identity", metadata, XIdentityColumns, Index(None, "x_user_id"))


class ContactColumns(TypedColumns):
    """Who wrote to an X account by DM, and when last, known only by a keyed hash. Written by customers."""

    account = Column(String(64), primary_key=True)
    person = Column(String(64), primary_key=True)
    wrote_at: Named[datetime] = Column(Micros)


contact = Table("contact", metadata, ContactColumns, Index(None, "person"), Index(None, "wrote_at"))


class FoundIdentityColumns(TypedColumns):
    """Who a CRM said that its customer is on X, or that it knows nobody. Written by customers.

    The customer is known by a keyed hash of the CRM's own word; neither id nor handle: nobody was found.
    """

    source = Column(String(64), primary_key=True)
    customer = Column(String(64), primary_key=True)
    x_user_id: Named[str | None] = Column(X_USER_ID, nullable=True)
    x_handle: Named[str | None] = Column(X_HANDLE, nullable=True)  # as the CRM writes it
    trust: Named[str] = Column(String(20))
    language: Named[str | None] = Column(String(35), nullable=True)
    looked_at: Named[datetime] = Column(Micros)


found_identity = Table(
    "found_identity",
    metadata,
    FoundIdentityColumns,
    Index(None, "x_user_id"),
    Index(None, "looked_at"),
)
