"""Stores verified deliveries once, in the caller's transaction, and says what became of each item.

The raw deliveries and everything that follows are one transaction: the 2xx to the source rests on it. A repeated
delivery costs no write. `group.py` commits.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from service.db.outages import why_away
from service.errors import Unavailable
from service.ids import new_id
from service.intake.definition.tables import Definition
from service.intake.delivery.inbound import Inbound
from service.intake.inbox.dedupe import by_arrival, by_content
from service.intake.inbox.judging import Book, judge, lock, timelines
from service.intake.inbox.late_reopenings import let_in
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
    rounds,
)
from service.intake.inbox.stored import ArrivedDelivery, known_if_erased, write_deliveries
from service.intake.mapping.events import Reading
from service.intake.verify.verifier import Verified

RETRY_AFTER_S = 30  # Zendesk ignores a minute or more


@dataclass(frozen=True, slots=True)
class AcceptedDelivery:
    """What became of a delivery. `duplicate`: the same delivery was there already, and nothing was written."""

    delivery_id: str
    items: tuple[Item, ...]
    duplicate: bool

    @property
    def counts(self) -> dict[str, int]:
        """How many items went which way; a stored reopening counts as accepted."""
        tally = Counter(item.outcome for item in self.items)
        return {
            "accepted": tally[ACCEPTED] + tally[REOPENED],
            "duplicate": tally[DUPLICATE],
            "ignored": tally[IGNORED],
            "unmappable": tally[UNMAPPABLE],
        }


def arrive(
    definition: Definition, inbound: Inbound, verified: Verified, readings: Sequence[Reading], now: datetime
) -> ArrivedDelivery:
    """Give a verified delivery its id and the digest that identifies its repeats."""
    delivery = Delivery(new_id("whd", now), now)
    ids = [each.event_id for each in readings if each.event_id]
    key, erased = by_content(ids, inbound.digest), None
    if definition.grammar.map.is_arrival("ended_at") and not ids:
        key, erased = by_arrival(inbound.digest, delivery.id), key
    return ArrivedDelivery(
        DeliveryReading(definition, delivery, readings, now), inbound, key, verified.key_index, erased
    )


def store_unavailable(error: Exception) -> Unavailable:
    """The answer while the database is away, with what is wrong with it."""
    return Unavailable(
        "store_unavailable",
        f"The delivery could not be stored: the database {why_away(error)}. Send it again.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def store_arrived(connection: Connection, arrived: Sequence[ArrivedDelivery]) -> list[AcceptedDelivery]:
    """Store deliveries and what they say, in order of arrival; each is judged as if it had come alone."""
    arrived = known_if_erased(connection, arrived)
    places = write_deliveries(connection, arrived)
    items = store(connection, [each.told for each in arrived if places.get(each.place) == each.told.delivery.id])
    return [_accepted(each, places.get(each.place), items) for each in arrived]


def store(connection: Connection, told: Sequence[DeliveryReading]) -> dict[str, tuple[Item, ...]]:
    """Write what readings say, in order; return what became of each delivery's items, by its id."""
    items: dict[str, tuple[Item, ...]] = {}
    if told:
        lock(connection, _conversations(told), told[0].now)
    for each in rounds(told):
        items |= _store_round(connection, each)
    return items


def _store_round(connection: Connection, told: Sequence[DeliveryReading]) -> dict[str, tuple[Item, ...]]:
    book = Book(timelines(connection, _conversations(told)))
    items = {each.delivery.id: judge(book, each) for each in told}
    let_in(connection, book, told)
    book.write(connection)
    return items


def _conversations(told: Iterable[DeliveryReading]) -> set[Key]:
    return set[Key]().union(*(each.conversations() for each in told))


def _accepted(arrived: ArrivedDelivery, place: str | None, items: Mapping[str, tuple[Item, ...]]) -> AcceptedDelivery:
    told = arrived.told
    if told.delivery.id in items:
        return AcceptedDelivery(told.delivery.id, items[told.delivery.id], duplicate=False)
    repeated = tuple(Item(position, DUPLICATE, "same_delivery") for position in range(len(told.readings)))
    return AcceptedDelivery(place or "", repeated, duplicate=True)
