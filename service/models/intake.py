"""What sources sent, raw and as it was understood: the tables that intake writes."""

from datetime import datetime

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Named,
    String,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
)

from service.at_rest.columns import EncryptedBytes, EncryptedJson
from service.at_rest.ids import CONVERSATION_ID
from service.db import Micros
from service.models.base import Serial, metadata, partial_index

ITEM_OUTCOMES = ("accepted", "duplicate", "reopened", "ignored", "unmappable")


class WebhookDeliveryColumns(TypedColumns):
    """One verified HTTP POST of a source, raw and never changed. Written by intake."""

    id = Column(String(40), primary_key=True)
    source: Named[str] = Column(String(64))
    dedupe_key: Named[str] = Column(String(200))  # one digest of the sender's delivery id and the body
    received_at: Named[datetime] = Column(Micros)
    content_type: Named[str] = Column(String(200))
    headers: Named[dict[str, str]] = Column(
        EncryptedJson("webhook_delivery.headers", "id")
    )  # lower-case names, without credentials
    query: Named[dict[str, str]] = Column(EncryptedJson("webhook_delivery.query", "id"))
    # NULL after its retention
    body: Named[bytes | None] = Column(EncryptedBytes("webhook_delivery.body", "id"), nullable=True)
    key_index: Named[int | None]  # which of the source's keys matched


webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    WebhookDeliveryColumns,
    UniqueConstraint("source", "dedupe_key"),
    Index(None, "received_at"),
)


class DeliveryKeyColumns(TypedColumns):
    """By what a delivery is known again in time partitions. Written by intake, and by partitions, which fills it."""

    source = Column(String(64), primary_key=True)
    dedupe_key = Column(String(200), primary_key=True)
    delivery_id: Named[str] = Column(String(40))  # the first that came with it; by its time, its partition
    # NULL: kept for good, as its person was erased
    received_at: Named[datetime | None] = Column(Micros, nullable=True)


# its rows lie in the order of their time: a summary of each stretch finds the old ones, and costs a writer nothing
delivery_key = Table("delivery_key", metadata, DeliveryKeyColumns, Index(None, "received_at", postgresql_using="brin"))


class DeliveryItemColumns(TypedColumns):
    """What one reading of a delivery made of one item in it. Written by intake; a replay adds rows, changes none."""

    id = Column(Serial, primary_key=True)
    delivery_id: Named[str] = Column(String(40), ForeignKey("webhook_delivery.id"))
    reading: Named[int]  # 0 on arrival, n for the n-th replay
    position: Named[int]  # of the item in the delivery's list
    read_at: Named[datetime] = Column(Micros)
    outcome: Named[str] = Column(String(20))  # one of ITEM_OUTCOMES
    reason: Named[str | None] = Column(String(64), nullable=True)
    detail: Named[str | None] = Column(Text, nullable=True)  # for people: what would be right; never a customer's words
    conversation_id: Named[str | None] = Column(CONVERSATION_ID, nullable=True)
    request_id: Named[str | None] = Column(String(40), nullable=True)
    ended_at: Named[datetime | None] = Column(Micros, nullable=True)  # of an end: a late reopening asks for it


delivery_item = Table(
    "delivery_item",
    metadata,
    DeliveryItemColumns,
    Index(None, "delivery_id"),
    Index(None, "outcome", "read_at"),
    Index(None, "conversation_id"),  # what a late reopening may let in, what an erasure takes away
    # what led to the requests of who is erased; few rows, as most items lead to none
    partial_index("ix_delivery_item_request_id", "request_id", where="request_id IS NOT NULL"),
)


class ReopeningColumns(TypedColumns):
    """A conversation was opened again. Written by intake; read by outreach before anything is sent."""

    id = Column(Serial, primary_key=True)
    source: Named[str] = Column(String(64))
    conversation_id: Named[str] = Column(CONVERSATION_ID)
    reopened_at: Named[datetime] = Column(Micros)
    delivery_id: Named[str] = Column(String(40))


reopening = Table("reopening", metadata, ReopeningColumns, UniqueConstraint("source", "conversation_id", "reopened_at"))


class ConversationColumns(TypedColumns):
    """One row a conversation, locked so that deliveries about it are read in turns. Written by intake."""

    source = Column(String(64), primary_key=True)
    conversation_id: Named[str] = Column(CONVERSATION_ID, primary_key=True)
    seen_at: Named[datetime] = Column(Micros)


conversation = Table("conversation", metadata, ConversationColumns)
