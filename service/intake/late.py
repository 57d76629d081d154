"""A reopening that came late: in, the reopening, just stored; out, the ends that it makes new are accepted.

Until it came they looked like repeats of an end on its other side. They are read again from their stored bytes; where
those are gone after their retention, nothing can be done and nothing is.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.intake.ends import ACCEPTED, DUPLICATE, Delivery, Item, store_end
from service.intake.events import ConversationEnded, ConversationReopened
from service.intake.mapping import read
from service.intake.shapes import Definition
from service.intake.stored import load_delivery, write_items
from service.models import delivery_item, webhook_delivery


def let_in_new_ends(
    connection: Connection, definition: Definition, reopened: ConversationReopened, now: datetime
) -> None:
    """Accept what had been taken for repeats of an end on the other side of `reopened`, oldest first."""
    ends = []
    for delivery_id, position in _repeats_since(connection, definition, reopened):
        stored = load_delivery(connection, delivery_id)
        if stored is None:
            continue
        delivery, inbound = stored
        reading = read(definition, inbound, delivery.received_at)[position : position + 1]
        if reading and isinstance(reading[0], ConversationEnded):
            ends.append((reading[0], delivery, position))
    for end, delivery, position in sorted(ends, key=lambda each: (each[0].ended_at, each[1].id)):
        _let_in(connection, definition, delivery, position, end, now)


def _let_in(
    connection: Connection,
    definition: Definition,
    delivery: Delivery,
    position: int,
    end: ConversationEnded,
    now: datetime,
) -> None:
    item = store_end(connection, definition, delivery, position, end, now)
    if item.outcome == ACCEPTED:
        late = Item(position, ACCEPTED, "late_reopening", item.detail, item.conversation_id, item.request_id)
        write_items(connection, delivery, [late], now)


def _repeats_since(
    connection: Connection, definition: Definition, reopened: ConversationReopened
) -> list[tuple[str, int]]:
    """Return delivery and position.

    Of two ends around the reopening the later one arrived after it, and so did whatever was judged against that one:
    what was read before the reopening cannot matter.
    """
    i = delivery_item.c
    rows = connection.execute(
        sa.select(i.delivery_id, i.position)
        .join_from(delivery_item, webhook_delivery, i.delivery_id == webhook_delivery.c.id)
        .where(
            i.outcome == DUPLICATE,
            i.read_at > reopened.reopened_at,
            i.conversation_id == reopened.conversation_id,
            webhook_delivery.c.source == definition.name,
        )
        .distinct()
    )
    return [(row.delivery_id, row.position) for row in rows]
