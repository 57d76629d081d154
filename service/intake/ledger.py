"""Readings to rows: in, an open write transaction and one reading of a delivery; out, what became of each item.

Each conversation's row is locked first, so that two web processes judge one after the other. The order of arrival
does not matter: a reopening that comes late lets in the ends it makes new.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import insert
from service.intake.ends import DUPLICATE, IGNORED, REOPENED, UNMAPPABLE, Delivery, Item, notes, store_end
from service.intake.events import ConversationEnded, ConversationReopened, Ignored, Reading, Unmappable
from service.intake.late import let_in_new_ends
from service.intake.shapes import Definition
from service.intake.stored import write_items
from service.models import conversation, feedback_request, reopening


def store(
    connection: Connection, definition: Definition, delivery: Delivery, readings: Sequence[Reading], now: datetime
) -> tuple[Item, ...]:
    """Write what a reading says. Reopenings first, then ends by time, so that the order in a batch does not matter."""
    _lock(connection, definition, readings, now)
    found = {}
    for position, reading in enumerate(readings):
        if isinstance(reading, ConversationReopened):
            found[position] = _store_reopening(connection, definition, delivery, position, reading)
        elif isinstance(reading, Ignored | Unmappable):
            found[position] = _set_aside(position, reading)
    ends = [(end, position) for position, end in enumerate(readings) if isinstance(end, ConversationEnded)]
    for end, position in sorted(ends, key=lambda pair: (pair[0].ended_at, pair[1])):
        found[position] = store_end(connection, definition, delivery, position, end, now)
    items = tuple(found[position] for position in range(len(readings)))
    write_items(connection, delivery, items, now)
    for item, reading in zip(items, readings, strict=True):
        if isinstance(reading, ConversationReopened) and item.outcome == REOPENED:
            let_in_new_ends(connection, definition, reading, now)
    return items


def _lock(connection: Connection, definition: Definition, readings: Sequence[Reading], now: datetime) -> None:
    ids = {each.conversation_id for each in readings if isinstance(each, ConversationEnded | ConversationReopened)}
    if not ids:
        return
    statement = insert(connection, conversation)
    # in order of name: two batches about the same conversations must not wait for each other
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["source", "conversation_id"], set_={"seen_at": statement.excluded.seen_at}
        ),
        [{"source": definition.name, "conversation_id": each, "seen_at": now} for each in sorted(ids)],
    )


def _set_aside(position: int, reading: Ignored | Unmappable) -> Item:
    if isinstance(reading, Ignored):
        return Item(position, IGNORED, reading.reason, None, reading.conversation_id)
    return Item(position, UNMAPPABLE, reading.reason, reading.detail, reading.conversation_id)


def _not_before_its_end(
    connection: Connection, definition: Definition, delivery: Delivery, reading: ConversationReopened
) -> datetime:
    """A time that is the arrival's lies after every end that arrived before, whatever our clock did since."""
    if reading.reopened_at < delivery.received_at:
        return reading.reopened_at
    c = feedback_request.c
    mine = (c.source == definition.name, c.conversation_id == reading.conversation_id)
    newest = connection.scalar(sa.select(sa.func.max(c.ended_at)).where(*mine))
    return reading.reopened_at if newest is None else max(reading.reopened_at, newest)


def _store_reopening(
    connection: Connection, definition: Definition, delivery: Delivery, position: int, reading: ConversationReopened
) -> Item:
    statement = insert(connection, reopening).values(
        source=definition.name,
        conversation_id=reading.conversation_id,
        reopened_at=_not_before_its_end(connection, definition, delivery, reading),
        delivery_id=delivery.id,
    )
    new = connection.scalar(statement.on_conflict_do_nothing().returning(reopening.c.id)) is not None
    outcome, reason = (REOPENED, None) if new else (DUPLICATE, "same_reopening")
    return Item(position, outcome, reason, notes(reading.notes), reading.conversation_id)
