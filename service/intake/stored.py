"""Deliveries at rest: in, an `Inbound` or an id; out, a row, or the `Inbound` again as far as it was kept.

Headers and query are stored without credentials and signatures, the body byte by byte. A row is never changed but by
forget.py, which takes its contents away.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import insert
from service.intake.ends import Delivery, Item
from service.intake.inbound import Inbound, storable
from service.intake.shapes import Definition
from service.models import delivery_item, webhook_delivery

MAX_CONTENT_TYPE = 200


def write_delivery(
    connection: Connection,
    definition: Definition,
    delivery: Delivery,
    inbound: Inbound,
    dedupe_key: str,
    key_index: int | None,
) -> bool:
    """Store a delivery; False where this very delivery is there already, and then nothing is written."""
    headers = storable(inbound.headers, definition.secret_headers)
    statement = insert(connection, webhook_delivery).values(
        id=delivery.id,
        source=definition.name,
        dedupe_key=dedupe_key,
        received_at=delivery.received_at,
        content_type=headers.get("content-type", "")[:MAX_CONTENT_TYPE],
        headers=headers,
        query=storable(inbound.query, definition.secret_query),
        body=inbound.body,
        key_index=key_index,
    )
    unique = ["source", "dedupe_key"]
    returned = statement.on_conflict_do_nothing(index_elements=unique).returning(webhook_delivery.c.id)
    return connection.scalar(returned) is not None


def load_delivery(connection: Connection, delivery_id: str) -> tuple[Delivery, Inbound] | None:
    """Return a delivery and its next reading's number; None where there is none or its body is gone."""
    row = connection.execute(sa.select(webhook_delivery).where(webhook_delivery.c.id == delivery_id)).one_or_none()
    if row is None or row.body is None:
        return None
    inbound = Inbound("POST", "", row.headers, frozenset(), row.query, frozenset(), row.body)
    newest = sa.select(sa.func.max(delivery_item.c.reading)).where(delivery_item.c.delivery_id == delivery_id)
    return Delivery(row.id, row.received_at, (connection.scalar(newest) or 0) + 1), inbound


def write_items(connection: Connection, delivery: Delivery, items: Sequence[Item], now: datetime) -> None:
    """Write what became of each item in this reading."""
    rows: list[dict[str, Any]] = [
        {
            "delivery_id": delivery.id,
            "reading": delivery.reading,
            "position": item.position,
            "read_at": now,
            "outcome": item.outcome,
            "reason": item.reason,
            "detail": item.detail,
            "conversation_id": item.conversation_id,
            "request_id": item.request_id,
        }
        for item in items
    ]
    if rows:
        connection.execute(sa.insert(delivery_item), rows)
