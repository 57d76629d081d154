"""Every table, on one page. In: nothing; out: typed SQLAlchemy Core tables. Holds no rule and opens no connection.

Each table has one writer, named beside it; everybody else only reads. Times are aware UTC datetimes (`Micros`), X's
ids are strings (they exceed 2**53), words are those of `states.py`. Chapters hand over through these rows.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Named,
    String,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
    and_,
    bindparam,
    literal,
    or_,
    text,
)

from service.db import Micros

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only for INTEGER keys; PostgreSQL wants room for years of deliveries.
Serial = BigInteger().with_variant(Integer(), "sqlite")


# -- intake ---------------------------------------------------------------------------------------------------------


class WebhookDeliveryColumns(TypedColumns):
    """One verified HTTP POST of a source, raw and never changed. Written by intake."""

    id = Column(String(40), primary_key=True)
    source: Named[str] = Column(String(64))
    dedupe_key: Named[str] = Column(String(200))  # one digest of the sender's delivery id and the body
    received_at: Named[datetime] = Column(Micros)
    content_type: Named[str] = Column(String(200))
    headers: Named[dict[str, str]] = Column(JSON)  # lower-case names, without credentials
    query: Named[dict[str, str]] = Column(JSON)
    body: Named[bytes | None] = Column(LargeBinary, nullable=True)  # NULL after its retention
    key_index: Named[int | None]  # which of the source's keys matched


webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    WebhookDeliveryColumns,
    UniqueConstraint("source", "dedupe_key"),
    Index(None, "received_at"),
)


class DeliveryItemColumns(TypedColumns):
    """What one reading of a delivery made of one item in it. Written by intake; a replay adds rows, changes none."""

    id = Column(Serial, primary_key=True)
    delivery_id: Named[str] = Column(String(40), ForeignKey("webhook_delivery.id"))
    reading: Named[int]  # 0 on arrival, n for the n-th replay
    position: Named[int]  # of the item in the delivery's list
    read_at: Named[datetime] = Column(Micros)
    outcome: Named[str] = Column(String(20))  # accepted | duplicate | reopened | ignored | unmappable
    reason: Named[str | None] = Column(String(64), nullable=True)
    detail: Named[str | None] = Column(Text, nullable=True)  # for people: what would be right; never a customer's words
    conversation_id: Named[str | None] = Column(String(256), nullable=True)
    request_id: Named[str | None] = Column(String(40), nullable=True)


delivery_item = Table(
    "delivery_item",
    metadata,
    DeliveryItemColumns,
    Index(None, "delivery_id"),
    Index(None, "outcome", "read_at"),
)


class ReopeningColumns(TypedColumns):
    """A conversation was opened again. Written by intake; read by outreach before anything is sent."""

    id = Column(Serial, primary_key=True)
    source: Named[str] = Column(String(64))
    conversation_id: Named[str] = Column(String(256))
    reopened_at: Named[datetime] = Column(Micros)
    delivery_id: Named[str] = Column(String(40))


reopening = Table("reopening", metadata, ReopeningColumns, UniqueConstraint("source", "conversation_id", "reopened_at"))


class ConversationColumns(TypedColumns):
    """One row a conversation, which intake locks so that two deliveries about it are read one after the other."""

    source = Column(String(64), primary_key=True)
    conversation_id = Column(String(256), primary_key=True)
    seen_at: Named[datetime] = Column(Micros)


conversation = Table("conversation", metadata, ConversationColumns)


# -- the ledger and the machine in one row ---------------------------------------------------------------------------


class FeedbackRequestColumns(TypedColumns):
    """Our one attempt to ask about one ended conversation. Inserted by intake, changed only by outreach."""

    id = Column(String(40), primary_key=True)  # travels to X as external_id
    # what the source said, frozen when the conversation ended
    source: Named[str] = Column(String(64))
    account: Named[str] = Column(String(64))
    conversation_id: Named[str] = Column(String(256))
    ended_at: Named[datetime] = Column(Micros)
    received_at: Named[datetime] = Column(Micros)
    delivery_id: Named[str] = Column(String(40))
    x_user_id: Named[str | None] = Column(String(20), nullable=True)
    x_handle: Named[str | None] = Column(String(15), nullable=True)
    person: Named[str | None] = Column(String(64), nullable=True)  # the keyed hash that stays when the id goes
    identity_trust: Named[str] = Column(String(20))  # vendor_verified | bridge | crm_entered
    agent_id: Named[str | None] = Column(String(256), nullable=True)
    team_id: Named[str | None] = Column(String(256), nullable=True)
    tags: Named[list[str]] = Column(JSON)
    language: Named[str | None] = Column(String(35), nullable=True)
    channel: Named[str | None] = Column(String(256), nullable=True)
    customer_ref: Named[str | None] = Column(String(256), nullable=True)
    tenant: Named[str | None] = Column(String(256), nullable=True)
    # what outreach chose, frozen before anything is sent
    campaign: Named[str | None] = Column(String(64), nullable=True)
    type: Named[str | None] = Column(String(4), nullable=True)  # csat | nps
    question_variant_id: Named[int | None]
    display_name: Named[str | None] = Column(String(20), nullable=True)
    privacy_url: Named[str | None] = Column(Text, nullable=True)
    test: Named[bool]
    opening_text: Named[str | None] = Column(Text, nullable=True)  # NULL: the campaign has no opening DM
    card_text: Named[str | None] = Column(Text, nullable=True)
    decision: Named[dict[str, Any] | None] = Column(JSON, nullable=True)  # the draws and their inputs
    stale_at: Named[datetime | None] = Column(Micros, nullable=True)
    # the machine
    state: Named[str] = Column(String(12))
    reason: Named[str | None] = Column(String(40), nullable=True)
    detail: Named[str | None] = Column(Text, nullable=True)
    attempts: Named[int]  # failed attempts in this state
    scheduled_at: Named[datetime] = Column(Micros)
    lease_token: Named[str | None] = Column(String(40), nullable=True)
    lease_until: Named[datetime | None] = Column(Micros, nullable=True)
    can_dm: Named[bool | None]  # NULL: not asked, or X did not say
    can_dm_asked: Named[int]  # how many of X's two answers we have asked for
    # what X has
    dm_event_id: Named[str | None] = Column(String(24), nullable=True)
    dm_sent_at: Named[datetime | None] = Column(Micros, nullable=True)
    feedback_id: Named[str | None] = Column(String(24), nullable=True)
    card_dm_id: Named[str | None] = Column(String(24), nullable=True)
    card_sent_at: Named[datetime | None] = Column(Micros, nullable=True)
    outcome_at: Named[datetime | None] = Column(Micros, nullable=True)
    erased_at: Named[datetime | None] = Column(Micros, nullable=True)
    updated_at: Named[datetime] = Column(Micros)


feedback_request = Table(
    "feedback_request",
    metadata,
    FeedbackRequestColumns,
    UniqueConstraint("source", "conversation_id", "ended_at"),
    # the claim reads only open rows, so its cost does not grow with the ledger
    Index(
        "ix_feedback_request_due",
        "account",
        "scheduled_at",
        sqlite_where=text("state IN ('received','identified','dm_allowed','dm_sent')"),
        postgresql_where=text("state IN ('received','identified','dm_allowed','dm_sent')"),
    ),
    # unknown sends and cards without their feedback id, to which a feedback object may still appear
    Index(
        "ix_feedback_request_unproven",
        "account",
        sqlite_where=text("state = 'unknown' OR (state = 'card_sent' AND feedback_id IS NULL)"),
        postgresql_where=text("state = 'unknown' OR (state = 'card_sent' AND feedback_id IS NULL)"),
    ),
    Index(None, "updated_at", "id"),
    Index(None, "ended_at", "id"),
    Index(None, "account", "received_at"),
    Index(None, "account", "card_sent_at"),
    Index(None, "account", "x_user_id"),
    Index(None, "x_user_id"),
    Index(None, "person"),
    Index(None, "feedback_id"),
    Index(None, "card_dm_id"),
)

IS_OPEN = feedback_request.c.state.in_(
    bindparam("open", ("received", "identified", "dm_allowed", "dm_sent"), expanding=True, literal_execute=True)
)
"""The condition of ix_feedback_request_due, in words of its own: no database compares a parameter with those of an
index, and would read the whole ledger instead."""

IS_UNPROVEN = or_(
    feedback_request.c.state == literal("unknown", literal_execute=True),
    and_(
        feedback_request.c.state == literal("card_sent", literal_execute=True), feedback_request.c.feedback_id.is_(None)
    ),
)
"""The condition of ix_feedback_request_unproven, likewise."""


class TransitionColumns(TypedColumns):
    """One line of a request's life, in the same commit as the change it tells of. Written by outreach."""

    id = Column(Serial, primary_key=True)
    request_id: Named[str] = Column(String(40), ForeignKey("feedback_request.id"))
    at: Named[datetime] = Column(Micros)
    from_state: Named[str] = Column(String(12))
    to_state: Named[str] = Column(String(12))
    event: Named[str] = Column(
        String(24)
    )  # advanced | retried | postponed | stopped | claimed_to_send | looked_up | by_hand
    reason: Named[str | None] = Column(String(40), nullable=True)
    detail: Named[str | None] = Column(Text, nullable=True)
    actor: Named[str] = Column(String(64))  # worker name, or the person behind a key or the command line


transition = Table("transition", metadata, TransitionColumns, Index(None, "request_id", "id"))


class SendAttemptColumns(TypedColumns):
    """The intent to send, committed before the call, and what became of it. It is the slot in X's daily limits too.

    Written by outreach. `outcome` NULL means in flight or unclear.
    """

    id = Column(String(40), primary_key=True)
    request_id: Named[str] = Column(String(40), ForeignKey("feedback_request.id"))
    account: Named[str] = Column(String(64))
    x_user_id: Named[str] = Column(String(20))
    kind: Named[str] = Column(String(4))  # dm | card
    intended_at: Named[datetime] = Column(Micros)
    answered_at: Named[datetime | None] = Column(Micros, nullable=True)  # when X's (unclear) answer came; NULL: we died
    outcome: Named[str | None] = Column(String(8), nullable=True)  # sent | not_sent | unknown
    x_id: Named[str | None] = Column(String(24), nullable=True)  # the DM's or the feedback's id
    evidence: Named[str | None] = Column(String(40), nullable=True)  # answer | dm_list | feedback | refused | by_hand
    settled_at: Named[datetime | None] = Column(Micros, nullable=True)


send_attempt = Table(
    "send_attempt",
    metadata,
    SendAttemptColumns,
    Index(None, "request_id"),
    Index(None, "account", "kind", "intended_at"),
    Index(None, "account", "x_user_id", "intended_at"),
    Index(
        "ix_send_attempt_unclear",
        "account",
        "intended_at",
        sqlite_where=text("outcome IS NULL"),
        postgresql_where=text("outcome IS NULL"),
    ),
)


# -- facts of an X account -------------------------------------------------------------------------------------------


class AccountStateColumns(TypedColumns):
    """What all workers must know of an X account: holds and pauses. Written by outreach."""

    account = Column(String(64), primary_key=True)
    hold_code: Named[int | None]  # X's error code; NULL with a hold_reason: held by a person
    hold_reason: Named[str | None] = Column(String(64), nullable=True)
    held_at: Named[datetime | None] = Column(Micros, nullable=True)
    paused_until: Named[datetime | None] = Column(Micros, nullable=True)  # 429, 88, 420: until its reset
    lookup_lease_token: Named[str | None] = Column(String(40), nullable=True)
    lookup_lease_until: Named[datetime | None] = Column(Micros, nullable=True)
    looked_at: Named[datetime | None] = Column(Micros, nullable=True)  # the last whole look into the DM list
    expected_per_day: Named[int | None]  # ended conversations a day, learnt from the ledger
    expected_at: Named[datetime | None] = Column(Micros, nullable=True)
    updated_at: Named[datetime] = Column(Micros)


account_state = Table("account_state", metadata, AccountStateColumns)


class AllowanceColumns(TypedColumns):
    """How much of an endpoint's window an account has used, shared by all workers. Written by x_api/allowance."""

    account = Column(String(64), primary_key=True)
    endpoint = Column(String(64), primary_key=True)
    window_until: Named[datetime] = Column(Micros)
    used: Named[int]


allowance = Table("allowance", metadata, AllowanceColumns)


class OptOutColumns(TypedColumns):
    """A person who must not be asked, known only by a keyed hash. Written by outreach."""

    person = Column(String(64), primary_key=True)  # HMAC of the X user id
    account = Column(String(64), primary_key=True)  # '*' for every account
    reason: Named[str] = Column(String(64))  # asked_by_customer | erased | imported …
    created_at: Named[datetime] = Column(Micros)
    created_by: Named[str] = Column(String(64))


opt_out = Table("opt_out", metadata, OptOutColumns)


class XIdentityColumns(TypedColumns):
    """A handle that X resolved to an id, and when: handles are renamed and re-used. Written by outreach."""

    handle = Column(String(15), primary_key=True)  # lower case
    x_user_id: Named[str] = Column(String(20))
    seen_at: Named[datetime] = Column(Micros)


x_identity = Table("x_identity", metadata, XIdentityColumns, Index(None, "x_user_id"))


# -- results ---------------------------------------------------------------------------------------------------------


class ResultColumns(TypedColumns):
    """What the customer answered, score and text each with its own clock. Written by results."""

    request_id = Column(String(40), ForeignKey("feedback_request.id"), primary_key=True)
    feedback_id: Named[str] = Column(String(24))
    score: Named[int | None]
    score_at: Named[datetime | None] = Column(Micros, nullable=True)
    text: Named[str | None] = Column(Text, nullable=True)
    text_at: Named[datetime | None] = Column(Micros, nullable=True)
    x_updated_at: Named[datetime] = Column(Micros)  # the newest updated_at X told us; it decides
    first_seen_at: Named[datetime] = Column(Micros)
    first_channel: Named[str] = Column(String(8))  # webhook | events | show
    update_count: Named[int]
    anomalies: Named[int]
    updated_at: Named[datetime] = Column(Micros)  # our own clock, for "changed since"


result = Table(
    "result",
    metadata,
    ResultColumns,
    UniqueConstraint("feedback_id"),
    Index(None, "updated_at", "request_id"),
)


class ResultUpdateColumns(TypedColumns):
    """Every distinct update X told us of, whatever became of it. Written by results."""

    id = Column(Serial, primary_key=True)
    feedback_id: Named[str] = Column(String(24))
    request_id: Named[str] = Column(String(40))
    digest: Named[str] = Column(String(64))
    x_updated_at: Named[datetime] = Column(Micros)
    score: Named[int | None]
    score_at: Named[datetime | None] = Column(Micros, nullable=True)
    text: Named[str | None] = Column(Text, nullable=True)
    text_at: Named[datetime | None] = Column(Micros, nullable=True)
    channel: Named[str] = Column(String(8))
    seen_at: Named[datetime] = Column(Micros)
    verdict: Named[str] = Column(String(8))  # applied | older | anomaly


result_update = Table(
    "result_update",
    metadata,
    ResultUpdateColumns,
    UniqueConstraint("feedback_id", "digest"),
    Index(None, "request_id"),
    Index(None, "channel", "seen_at"),  # what the webhook did not bring lately
)


class StrayFeedbackColumns(TypedColumns):
    """Feedback on our account that nobody here asked for: counted, never mixed in. Written by results."""

    feedback_id = Column(String(24), primary_key=True)
    account: Named[str] = Column(String(64))
    first_seen_at: Named[datetime] = Column(Micros)
    channel: Named[str] = Column(String(8))


stray_feedback = Table("stray_feedback", metadata, StrayFeedbackColumns, Index(None, "account", "first_seen_at"))


class PollWindowColumns(TypedColumns):
    """A stretch of time of `feedback/events`, resumable in the middle. Written by results."""

    account = Column(String(64), primary_key=True)
    from_time = Column(Micros, primary_key=True)
    to_time: Named[datetime] = Column(Micros)
    cursor: Named[str | None] = Column(Text, nullable=True)  # the next page; NULL before the first
    pages: Named[int]
    events: Named[int]
    found_missing: Named[int]  # answers no other channel had brought
    unreadable: Named[int] = Column(Integer, server_default=text("0"))  # events read past: their answers are lost to us
    done_at: Named[datetime | None] = Column(Micros, nullable=True)


poll_window = Table("poll_window", metadata, PollWindowColumns)


class RefreshColumns(TypedColumns):
    """When to ask `feedback/show` about an outstanding card next. Written by results."""

    request_id = Column(String(40), ForeignKey("feedback_request.id"), primary_key=True)
    account: Named[str] = Column(String(64))
    feedback_id: Named[str] = Column(String(24))
    due_at: Named[datetime | None] = Column(Micros, nullable=True)  # NULL: no more
    checks: Named[int]


refresh = Table("refresh", metadata, RefreshColumns, Index(None, "account", "due_at"))


class AccountTaskColumns(TypedColumns):
    """Who does a task of results for an account right now, by lease. Written by results."""

    account = Column(String(64), primary_key=True)
    task = Column(String(24), primary_key=True)  # poll | refresh
    lease_token: Named[str | None] = Column(String(40), nullable=True)
    lease_until: Named[datetime | None] = Column(Micros, nullable=True)
    next_at: Named[datetime] = Column(Micros)


account_task = Table("account_task", metadata, AccountTaskColumns)


# -- reading ---------------------------------------------------------------------------------------------------------


class ApiKeyColumns(TypedColumns):
    """A key somebody reads with: shown once, stored as a digest. Written by auth."""

    id = Column(String(24), primary_key=True)  # the part before the dot; public
    digest: Named[str] = Column(String(64))  # SHA-256 of the secret part; 256 random bits need no stretching
    name: Named[str] = Column(String(64))
    role: Named[str] = Column(String(12))  # admin | supervisor | analyst
    accounts: Named[list[str]] = Column(JSON)  # [] means every account
    created_at: Named[datetime] = Column(Micros)
    revoked_at: Named[datetime | None] = Column(Micros, nullable=True)
    last_used_at: Named[datetime | None] = Column(Micros, nullable=True)


api_key = Table("api_key", metadata, ApiKeyColumns)


class SessionColumns(TypedColumns):
    """A supervisor signed in to the dashboard. Written by auth."""

    digest = Column(String(64), primary_key=True)  # SHA-256 of the cookie
    key_id: Named[str] = Column(String(24), ForeignKey("api_key.id"))
    created_at: Named[datetime] = Column(Micros)
    seen_at: Named[datetime] = Column(Micros)


session = Table("session", metadata, SessionColumns)


class KeyUseColumns(TypedColumns):
    """How many calls a key made in a minute: the counter behind its rate limit. Written by auth."""

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


access_log = Table("access_log", metadata, AccessLogColumns, Index(None, "at"))


class ReviewNoteColumns(TypedColumns):
    """What a supervisor wrote beside a result, kept apart from it. Written by reports."""

    id = Column(Serial, primary_key=True)
    request_id: Named[str] = Column(String(40), ForeignKey("feedback_request.id"))
    at: Named[datetime] = Column(Micros)
    author: Named[str] = Column(String(96))
    text: Named[str] = Column(Text)


review_note = Table("review_note", metadata, ReviewNoteColumns, Index(None, "request_id"))


# -- people who run it -----------------------------------------------------------------------------------------------


class WorkerSeenColumns(TypedColumns):
    """A worker process and when it was last alive. Written by worker."""

    name = Column(String(64), primary_key=True)
    started_at: Named[datetime] = Column(Micros)
    seen_at: Named[datetime] = Column(Micros)


worker_seen = Table("worker_seen", metadata, WorkerSeenColumns)
