"""A verified delivery, stored once: in, its readings; out, what became of each item, committed before this returns.

One transaction holds the raw delivery and everything that follows from it: a 2xx to the source rests on it. The same
delivery again costs no write. Where the database is away nothing is half-written, and the source is asked to repeat.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db import AWAY, writing
from service.errors import Unavailable
from service.ids import new_id
from service.intake.ends import ACCEPTED, DUPLICATE, IGNORED, REOPENED, UNMAPPABLE, Delivery, Item
from service.intake.events import Reading
from service.intake.inbound import Inbound
from service.intake.ledger import store
from service.intake.shapes import Definition
from service.intake.stored import write_delivery
from service.intake.verify_parts import Verified
from service.models import webhook_delivery

STORE_AWAY = AWAY
RETRY_AFTER_S = 30  # Zendesk honours nothing of a minute or more


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a delivery. `duplicate`: this very delivery was there already, and nothing was written."""

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


def accept(
    engine: Engine,
    definition: Definition,
    inbound: Inbound,
    verified: Verified,
    readings: Sequence[Reading],
    now: datetime,
) -> Accepted:
    """Store a verified delivery and what it says. Raises Unavailable where the database cannot."""
    try:
        with writing(engine) as connection:
            return _accept(connection, definition, inbound, verified, readings, now)
    except STORE_AWAY as error:
        raise store_unavailable() from error


def store_unavailable() -> Unavailable:
    """The one answer to a database that is away."""
    return Unavailable(
        "store_unavailable",
        "The delivery could not be stored; send it again.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def _accept(
    connection: Connection,
    definition: Definition,
    inbound: Inbound,
    verified: Verified,
    readings: Sequence[Reading],
    now: datetime,
) -> Accepted:
    delivery = Delivery(new_id("whd", now), now)
    key = _dedupe_key(definition, inbound, readings, delivery.id)
    if write_delivery(connection, definition, delivery, inbound, key, verified.key_index):
        return Accepted(delivery.id, store(connection, definition, delivery, readings, now), duplicate=False)
    c = webhook_delivery.c
    first = connection.scalar(sa.select(c.id).where(c.source == definition.name, c.dedupe_key == key))
    items = tuple(Item(position, DUPLICATE, "same_delivery") for position in range(len(readings)))
    return Accepted(first or "", items, duplicate=True)


def _dedupe_key(definition: Definition, inbound: Inbound, readings: Sequence[Reading], delivery_id: str) -> str:
    """Return one digest of the sender's id and the body: it outlives erasure, so nothing may be read from it.

    Where neither id nor time is in the delivery, the same bytes may tell of a second end: then every delivery is new,
    and the conversation decides.
    """
    ids = [each.event_id for each in readings if each.event_id]
    key = "\n".join(ids) + ":" + inbound.digest
    if "ended_at" in definition.grammar.received and not ids:
        key += ":" + delivery_id
    return hashlib.sha256(key.encode()).hexdigest()
