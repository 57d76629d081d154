"""Reopenings that came late: the ends they make new are accepted after all.

Until then these ends looked like repeats. They are judged by the times kept with the items; only those that turn out
new are read again from the stored bytes. If retention has removed the bytes, nothing can be done and nothing is.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy.engine import Connection

from service.at_rest.ids import CONVERSATION_ID
from service.bulk import BulkSelect
from service.db import from_micros
from service.db.leases import CLOCKS_DIFFER
from service.errors import Unavailable
from service.intake.definition.tables import Definition
from service.intake.delivery.formats import BodyProblem
from service.intake.expressions.compiled import ExpressionError
from service.intake.expressions.evaluate import TooCostly
from service.intake.inbox.judging import Book
from service.intake.inbox.records import ACCEPTED, Delivery, DeliveryReading, Item, Key, notes
from service.intake.inbox.stored import load_delivery
from service.intake.mapping.events import ConversationEnded
from service.intake.mapping.readings import Items, open_items

AT_HAND = 8  # deliveries kept parsed while their ends are let in
REPEATS = BulkSelect(
    "SELECT wd.source, di.conversation_id, di.delivery_id, di.position, di.ended_at, di.read_at"
    " FROM {wanted} delivery_item AS di ON di.conversation_id = wanted.b AND di.reason = 'same_conversation'"
    " JOIN webhook_delivery AS wd ON wd.id = di.delivery_id AND wd.source = wanted.a AND wd.body IS NOT NULL"
    " WHERE di.ended_at IS NOT NULL",
    CONVERSATION_ID,
)
Opened = Callable[[str], tuple[Delivery, Items] | None]


@dataclass(frozen=True, slots=True)
class TakenForRepeat:
    """An item that was taken for a repeat."""

    key: Key
    delivery_id: str
    position: int
    ended_at: datetime


def let_in(connection: Connection, book: Book, told: Sequence[DeliveryReading]) -> None:
    """Accept ends that were taken for repeats of one on the other side of a reopening, oldest first."""
    if not book.reopened:
        return
    by_source = {each.definition.name: each for each in told}
    # this round's own items need no second look: its reopenings were known when they were judged
    repeats = _repeats(connection, book)
    for source, one in by_source.items():
        _let_in(book, one, _opener(connection, one.definition), [each for each in repeats if each.key[0] == source])


def _let_in(book: Book, told: DeliveryReading, opened: Opened, repeats: Iterable[TakenForRepeat]) -> None:
    """Judge the repeats of one source again. `told` says by which definition, and when."""
    again_after = told.definition.grammar.events.apart
    for each in sorted(repeats, key=lambda repeat: (repeat.ended_at, repeat.delivery_id)):
        if book.known[each.key].repeat(each.ended_at, again_after) is None:
            _accept(book, told, opened, each)


def _accept(book: Book, told: DeliveryReading, opened: Opened, repeat: TakenForRepeat) -> None:
    found = opened(repeat.delivery_id)
    if found is None or repeat.position >= len(found[1]):
        return
    delivery, end = found[0], found[1].read(repeat.position)
    says = (repeat.key[1], repeat.ended_at)
    if not isinstance(end, ConversationEnded) or (end.conversation_id, end.ended_at) != says:
        return  # the definition has changed since
    request_id = book.open_request(told, delivery, end)
    said = notes(end.notes)
    item = Item(repeat.position, ACCEPTED, "late_reopening", said, end.conversation_id, request_id, end.ended_at)
    book.items.append((delivery, item, told.now))


def _opener(connection: Connection, definition: Definition) -> Opened:
    """Return a function that loads and parses a stored delivery, and caches the last few."""

    @lru_cache(maxsize=AT_HAND)
    def opened(delivery_id: str) -> tuple[Delivery, Items] | None:
        try:
            stored = load_delivery(connection, delivery_id)
            return None if stored is None else (stored[0], open_items(definition, stored[1], stored[0].received_at))
        except (BodyProblem, ExpressionError, TooCostly):  # the definition has changed since
            return None
        except Unavailable:  # the delivery has, and nobody can read it
            return None

    return opened


def _repeats(connection: Connection, book: Book) -> list[TakenForRepeat]:
    """Return the repeats that were read after the reopening, each once.

    Of two ends around it the later one arrived after it, and so did whatever was compared with that one: what was read
    before cannot matter, by whichever clock.
    """
    rows = REPEATS.rows(connection, list(book.reopened))
    return list(
        {
            TakenForRepeat((source, conversation_id), delivery_id, position, from_micros(ended_at)): None
            for source, conversation_id, delivery_id, position, ended_at, read_at in rows
            if from_micros(read_at) > book.reopened[source, conversation_id] - CLOCKS_DIFFER
        }
    )
