"""What customers answered, and how far X has been asked about it: the tables that results writes."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    Named,
    String,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
    text,
)

from service.at_rest.columns import Encrypted
from service.at_rest.digests import KeyedDigest
from service.db import Micros
from service.models.base import Serial, XId, metadata, partial_index


class ResultColumns(TypedColumns):
    """What the customer answered, score and text each with its own clock.

    Written by results, by reports for `released`, and by requests where what is told of the answer changes.
    """

    request_id = Column(String(40), ForeignKey("feedback_request.id"), primary_key=True)
    feedback_id: Named[str | None] = Column(XId, nullable=True)  # X's id of the card; NULL: none was told of
    way: Named[str] = Column(String(12), server_default=text("'card'"))  # how the first answer was given
    score: Named[int | None]
    score_at: Named[datetime | None] = Column(Micros, nullable=True)
    score_way: Named[str | None] = Column(String(12), nullable=True)
    score_seen_at: Named[datetime | None] = Column(Micros, nullable=True)  # our own clock: when we first had one
    text: Named[str | None] = Column(Encrypted("result.text", "request_id"), nullable=True)
    text_at: Named[datetime | None] = Column(Micros, nullable=True)
    text_way: Named[str | None] = Column(String(12), nullable=True)
    text_seen_at: Named[datetime | None] = Column(Micros, nullable=True)  # likewise; what retention counts from
    x_updated_at: Named[datetime] = Column(Micros)  # the newest moment told; it decides nothing (see results/merge)
    first_seen_at: Named[datetime] = Column(Micros)
    first_channel: Named[str] = Column(String(8))  # webhook | events | show | page | dm
    update_count: Named[int]
    anomalies: Named[int]
    updated_at: Named[datetime] = Column(Micros)  # our own clock: moves with every change a reader can see
    gone_at: Named[datetime | None] = Column(Micros, nullable=True)  # erasure took the whole answer: readers are told
    released: Named[int | None] = Column(BigInteger, nullable=True)  # the day's release it is in; set by reports, once


result = Table(
    "result",
    metadata,
    ResultColumns,
    UniqueConstraint("feedback_id"),
    Index(None, "updated_at", "request_id"),
    Index(None, "score", "updated_at", "request_id"),  # the worst first, score by score
    Index(None, "released", "first_seen_at"),
    Index(None, "text_seen_at"),
    # a period that begins or ends within a day is read by them
    Index(None, "score_at"),
    partial_index("ix_result_score_undated", "first_seen_at", where="score_at IS NULL"),
)


class ResultUpdateColumns(TypedColumns):
    """Every distinct report of an answer, whatever became of it. Written by results."""

    id = Column(Serial, primary_key=True)
    feedback_id: Named[str | None] = Column(XId, nullable=True)
    request_id: Named[str] = Column(String(40))
    way: Named[str] = Column(String(12), server_default=text("'card'"))
    digest: Named[str] = Column(KeyedDigest(64))
    x_updated_at: Named[datetime] = Column(Micros)
    score: Named[int | None]
    score_at: Named[datetime | None] = Column(Micros, nullable=True)
    text: Named[str | None] = Column(
        Encrypted("result_update.text", "request_id", "way", "x_updated_at"), nullable=True
    )
    text_at: Named[datetime | None] = Column(Micros, nullable=True)
    channel: Named[str] = Column(String(8))
    seen_at: Named[datetime] = Column(Micros)
    verdict: Named[str] = Column(String(8))  # applied | older | anomaly
    unread: Named[str | None] = Column(Text, nullable=True)  # fields X wrote in a form nobody here knows


result_update = Table(
    "result_update",
    metadata,
    ResultUpdateColumns,
    UniqueConstraint("feedback_id", "digest"),
    UniqueConstraint("request_id", "way", "digest"),
    Index(None, "request_id"),
    Index(None, "channel", "seen_at"),  # what the webhook did not bring lately
)


class StrayFeedbackColumns(TypedColumns):
    """Feedback on our account that nobody here asked for: counted, never mixed in. Written by results."""

    feedback_id = Column(XId, primary_key=True)
    account: Named[str] = Column(String(64))
    first_seen_at: Named[datetime] = Column(Micros)
    channel: Named[str] = Column(String(8))


stray_feedback = Table("stray_feedback", metadata, StrayFeedbackColumns, Index(None, "account", "first_seen_at"))


class PromptReplyColumns(TypedColumns):
    """That somebody said something after our prompt, and when first: never what. Written by results."""

    request_id = Column(String(40), ForeignKey("feedback_request.id"), primary_key=True)
    first_at: Named[datetime] = Column(Micros)


prompt_reply = Table("prompt_reply", metadata, PromptReplyColumns)


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
    feedback_id: Named[str] = Column(XId)
    due_at: Named[datetime | None] = Column(Micros, nullable=True)  # NULL: no more
    checks: Named[int]


refresh = Table("refresh", metadata, RefreshColumns, Index(None, "account", "due_at"))


class AccountTaskColumns(TypedColumns):
    """Who does a task for an account right now, by lease. Written by accounts."""

    account = Column(String(64), primary_key=True)
    task = Column(String(24), primary_key=True)  # of results and outreach, each its TASK; or a moment kept for one
    lease_token: Named[str | None] = Column(String(40), nullable=True)
    lease_until: Named[datetime | None] = Column(Micros, nullable=True)
    next_at: Named[datetime] = Column(Micros)
    cursor: Named[str | None] = Column(Text, nullable=True)  # X's, of a list whose reading was cut short


account_task = Table("account_task", metadata, AccountTaskColumns)
