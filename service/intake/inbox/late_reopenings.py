"""Reopenings that came late: the ends they make new are accepted after all.

Until then these ends looked like repeats. They are judged by the times kept with the items; only those that turn out
new are read again from the stored bytes. If retention has removed the bytes, nothing can be done and nothing is.
"""

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlalchemy.engine import Connection

from service.at_rest.ids import CONVERSATION_ID
from service.bulk import BulkSelect
from service.db import from_micros
from service.db.leases import CLOCKS_DIFFER
from service.errors import Unavailable
from service.intake.definition.tables import Definition
from service.intake.delivery.formats import BodyProblem
from service.intake.inbox.ends import Timeline
from service.intake.inbox.judging import Book
from service.intake.inbox.records import ACCEPTED, Delivery, DeliveryReading, Item, Key, notes
from service.intake.inbox.stored import load_delivery
from service.intake.mapping.events import ConversationEnded
from service.intake.mapping.readings import Items, open_items

REPEATS = BulkSelect(
    "SELECT wd.source, di.conversation_id, di.delivery_id, di.position, di.ended_at, di.read_at"
    " FROM {wanted} delivery_item AS di ON di.conversation_id = wanted.b AND di.reason = 'same_conversation'"
    " JOIN webhook_delivery AS wd ON wd.id = di.delivery_id AND wd.source = wanted.a AND wd.body IS NOT NULL"
    " WHERE di.ended_at IS NOT NULL",
    CONVERSATION_ID,
)


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
        _let_in(connection, book, one, [each for each in repeats if each.key[0] == source])


def _let_in(connection: Connection, book: Book, told: DeliveryReading, repeats: Iterable[TakenForRepeat]) -> None:
    """Judge the repeats of one source again. `told` says by which definition, and when."""
    repeats = sorted(repeats, key=lambda each: (each.ended_at, each.delivery_id))
    new = list(_new(book, told, repeats))
    ends = dict(_read_again(connection, told.definition, new))
    if len(ends) < len(new):  # whoever repeats only what cannot be read any more is new
        ends = dict(_read_again(connection, told.definition, repeats))
        new = list(_new(book, told, (each for each in repeats if each in ends)))
    for each in new:
        _accept(book, told, each, *ends[each])


def _new(book: Book, told: DeliveryReading, repeats: Iterable[TakenForRepeat]) -> Iterator[TakenForRepeat]:
    """Those that are ends of their own by the times kept. The book stays as it is: some may not be readable."""
    again_after = told.definition.grammar.events.apart
    known: dict[Key, Timeline] = {}
    for each in repeats:
        timeline = known[each.key] = known.get(each.key) or deepcopy(book.known[each.key])
        if timeline.repeat(each.ended_at, again_after) is None:
            timeline.add_end(each.ended_at, "")
            yield each


def _read_again(
    connection: Connection, definition: Definition, ends: Iterable[TakenForRepeat]
) -> Iterator[tuple[TakenForRepeat, tuple[Delivery, ConversationEnded]]]:
    """Read ends from the stored bytes, each delivery once; none that the definition, since changed, reads otherwise."""
    by_delivery = sorted(ends, key=lambda each: each.delivery_id)
    for delivery_id, its_ends in groupby(by_delivery, key=lambda each: each.delivery_id):
        found = _opened(connection, definition, delivery_id)
        if found is None:
            continue
        delivery, items = found
        for each in its_ends:
            end = items.read(each.position) if each.position < len(items) else None
            says = (each.key[1], each.ended_at)
            if isinstance(end, ConversationEnded) and (end.conversation_id, end.ended_at) == says:
                yield each, (delivery, end)


def _accept(
    book: Book, told: DeliveryReading, repeat: TakenForRepeat, delivery: Delivery, end: ConversationEnded
) -> None:
    request_id = book.open_request(told, delivery, end)
    said = notes(end.notes)
    item = Item(repeat.position, ACCEPTED, "late_reopening", said, end.conversation_id, request_id, end.ended_at)
    book.items.append((delivery, item, told.now))


def _opened(connection: Connection, definition: Definition, delivery_id: str) -> tuple[Delivery, Items] | None:
    """Load and parse a stored delivery; None if it cannot be read any more."""
    try:
        stored = load_delivery(connection, definition.name, delivery_id)
        return None if stored is None else (stored[0], open_items(definition, stored[1], stored[0].received_at))
    except (BodyProblem, Unavailable):  # the definition has changed since, or the row, which nobody can read
        return None


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
