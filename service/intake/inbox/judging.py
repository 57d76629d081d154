"""Decides in an open transaction what becomes of each item of some deliveries, and writes the rows.

Each conversation's row is locked first, so two web processes judge one after the other. What is known of all of them is
fetched at once, every item is judged in memory, and the rows are written together: the number of statements does not
depend on the number of items. Nor does the order of arrival matter: a late reopening lets in the ends it makes new.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.engine import Connection

from service.at_rest.ids import CONVERSATION_ID
from service.bulk import BulkInsert, BulkSelect, Row
from service.db import from_micros
from service.encrypting.in_force import hold as hold_keys
from service.ids import new_id
from service.intake.inbox.ends import Timeline
from service.intake.inbox.records import (
    ACCEPTED,
    DUPLICATE,
    IGNORED,
    REOPENED,
    UNMAPPABLE,
    Delivery,
    DeliveryReading,
    Item,
    Key,
    notes,
)
from service.intake.inbox.stored import write_items
from service.intake.mapping.events import ConversationEnded, ConversationReopened, Ignored, Unmappable
from service.models import conversation, reopening
from service.requests.first_rows import NewRequest, open_all

LOCK = BulkInsert(
    (conversation.c.source, conversation.c.conversation_id, conversation.c.seen_at),
    "ON CONFLICT (source, conversation_id) DO UPDATE SET seen_at = excluded.seen_at",
)
TOLD_OF = BulkSelect(
    "SELECT fr.source, fr.conversation_id, fr.ended_at, fr.id FROM {wanted} feedback_request AS fr"
    " ON fr.source = wanted.a AND fr.conversation_id = wanted.b"
    " UNION ALL SELECT ro.source, ro.conversation_id, ro.reopened_at, NULL FROM {wanted} reopening AS ro"
    " ON ro.source = wanted.a AND ro.conversation_id = wanted.b",
    CONVERSATION_ID,
)
"""Ends with their requests, and reopenings, which have none."""

NEW_REOPENINGS = BulkInsert(
    (reopening.c.source, reopening.c.conversation_id, reopening.c.reopened_at, reopening.c.delivery_id)
)


@dataclass(slots=True)
class Book:
    """What is known of the conversations of a round, and the rows to write."""

    known: dict[Key, Timeline]
    reopenings: list[Row] = field(default_factory=list)
    requests: list[NewRequest] = field(default_factory=list)
    items: list[tuple[Delivery, Item, datetime]] = field(default_factory=list)
    reopened: dict[Key, datetime] = field(default_factory=dict)  # the earliest new one of each conversation

    def open_request(self, told: DeliveryReading, delivery: Delivery, end: ConversationEnded) -> str:
        """Open the request of a new end and return its id."""
        request_id = new_id("fr", told.now)
        self.known[told.key(end.conversation_id)].add_end(end.ended_at, request_id)
        self.requests.append(_request(request_id, told, delivery, end))
        return request_id

    def write(self, connection: Connection) -> None:
        """Write the collected rows."""
        NEW_REOPENINGS.run(connection, self.reopenings)
        open_all(connection, self.requests)
        write_items(connection, self.items)


def lock(connection: Connection, keys: Collection[Key], now: datetime) -> None:
    """Lock all conversations of a transaction at once, in order of name.

    Otherwise two groups about the same conversations could deadlock.
    """
    hold_keys(connection)
    LOCK.run(connection, [(*key, now) for key in sorted(keys)])


def timelines(connection: Connection, keys: Collection[Key]) -> dict[Key, Timeline]:
    """Return what is known of conversations. Without their locks it may be outdated."""
    known = {key: Timeline() for key in keys}
    for source, conversation_id, at, request_id in TOLD_OF.rows(connection, sorted(keys)):
        if request_id is None:
            known[source, conversation_id].add_reopening(from_micros(at))
        else:
            known[source, conversation_id].add_end(from_micros(at), request_id)
    return known


def judge(book: Book, told: DeliveryReading) -> tuple[Item, ...]:
    """Judge every item of a reading. Reopenings first, then ends by time: the order in a batch does not matter."""
    found = {}
    for position, reading in enumerate(told.readings):
        if isinstance(reading, ConversationReopened):
            found[position] = _judge_reopening(book, told, position, reading)
        elif isinstance(reading, Ignored | Unmappable):
            found[position] = _set_aside(position, reading)
    ends = [(end, position) for position, end in enumerate(told.readings) if isinstance(end, ConversationEnded)]
    for end, position in sorted(ends, key=lambda pair: (pair[0].ended_at, pair[1])):
        found[position] = _judge_end(book, told, position, end)
    items = tuple(found[position] for position in range(len(told.readings)))
    book.items += [(told.delivery, item, told.now) for item in items]
    return items


def _judge_end(book: Book, told: DeliveryReading, position: int, end: ConversationEnded) -> Item:
    known = book.known[told.key(end.conversation_id)]
    at, said, apart = end.ended_at, notes(end.notes), told.definition.grammar.events.apart
    repeat = known.repeat(at, apart)
    if repeat is not None and at >= told.delivery.received_at and told.delivery.reading == 0:
        # its time is ours: an apparent repeat may have come after a reopening dated by another clock
        at = known.after_its_reopenings(at)
        repeat = known.repeat(at, apart)
    if repeat is not None:
        return Item(position, DUPLICATE, repeat.reason, said, end.conversation_id, repeat.request_id, end.ended_at)
    request_id = book.open_request(told, told.delivery, replace(end, ended_at=at))
    return Item(position, ACCEPTED, None, said, end.conversation_id, request_id, at)


def _judge_reopening(book: Book, told: DeliveryReading, position: int, reading: ConversationReopened) -> Item:
    key, at = told.key(reading.conversation_id), reading.reopened_at
    if at >= told.delivery.received_at:
        known, is_new = book.known[key], told.delivery.reading == 0
        at = known.after_its_ends(at) if is_new else known.where_it_stands(at)
    if not book.known[key].add_reopening(at):
        return Item(position, DUPLICATE, "same_reopening", notes(reading.notes), reading.conversation_id)
    book.reopenings.append((*key, at, told.delivery.id))
    book.reopened[key] = min(at, book.reopened.get(key, at))
    return Item(position, REOPENED, None, notes(reading.notes), reading.conversation_id)


def _set_aside(position: int, reading: Ignored | Unmappable) -> Item:
    if isinstance(reading, Ignored):
        return Item(position, IGNORED, reading.reason, None, reading.conversation_id)
    return Item(position, UNMAPPABLE, reading.reason, reading.detail, reading.conversation_id)


def _request(request_id: str, told: DeliveryReading, delivery: Delivery, end: ConversationEnded) -> NewRequest:
    return NewRequest(
        id=request_id,
        source=told.definition.name,
        account=end.account,
        conversation_id=end.conversation_id,
        ended_at=end.ended_at,
        received_at=delivery.received_at,
        delivery_id=delivery.id,
        x_user_id=end.x_user_id,
        x_handle=end.x_handle,
        identity_trust=end.identity_trust,
        agent_id=end.agent_id,
        team_id=end.team_id,
        tags=list(end.tags),
        language=end.language,
        channel=end.channel,
        customer_ref=end.customer_ref,
        tenant=end.tenant,
        handled_by=end.handled_by,
        scheduled_at=told.now,
        updated_at=told.now,
    )
