"""Deliveries as rows: writes an `Inbound`, and reads one back as far as it was kept.

Headers and query are stored without credentials and signatures, the body byte for byte. A row never changes, except
that forget.py empties it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.at_rest.keyring import damaged
from service.at_rest.unreadable import is_unreadable
from service.bulk import BulkInsert, BulkInsertNewKeys, BulkSelect, Row
from service.db.partitioned import keys_are_apart
from service.intake.delivery.inbound import Inbound, storable
from service.intake.inbox.records import Delivery, DeliveryReading, Item
from service.models import delivery_item, delivery_key, webhook_delivery

MAX_CONTENT_TYPE = 200
wd, di, dlk = webhook_delivery.c, delivery_item.c, delivery_key.c
COLUMNS = (
    wd.id, wd.source, wd.dedupe_key, wd.received_at, wd.content_type, wd.headers, wd.query, wd.body, wd.key_index
)  # fmt: skip
DELIVERIES = BulkInsert(COLUMNS, "ON CONFLICT (source, dedupe_key) DO NOTHING")
FIRST = BulkSelect(
    "SELECT wd.source, wd.dedupe_key, wd.id FROM {wanted} webhook_delivery AS wd"
    " ON wd.source = wanted.a AND wd.dedupe_key = wanted.b"
)
# where deliveries lie in time partitions
DELIVERIES_APART = BulkInsertNewKeys(
    COLUMNS,
    keys=(dlk.source, dlk.dedupe_key, dlk.delivery_id, dlk.received_at),
    filled_by=(wd.source, wd.dedupe_key, wd.id, wd.received_at),
    this="delivery_id",
)
FIRST_APART = BulkSelect(
    "SELECT dlk.source, dlk.dedupe_key, dlk.delivery_id FROM {wanted} delivery_key AS dlk"
    " ON dlk.source = wanted.a AND dlk.dedupe_key = wanted.b"
)
ITEMS = BulkInsert((
    di.delivery_id, di.reading, di.position, di.read_at, di.outcome, di.reason, di.detail, di.conversation_id,
    di.request_id, di.ended_at,
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class ArrivedDelivery:
    """A delivery that has just come: what it says, its bytes, the digest that identifies its repeats."""

    told: DeliveryReading
    inbound: Inbound
    dedupe_key: str
    key_index: int | None
    erased_key: str | None = None  # what it would be known by, had its person been erased

    @property
    def place(self) -> tuple[str, str]:
        """What only one delivery can hold: its source and its digest."""
        return self.told.definition.name, self.dedupe_key


def known_if_erased(connection: Connection, arrived: Sequence[ArrivedDelivery]) -> list[ArrivedDelivery]:
    """Give deliveries with the bytes of an erased one the key that one is recognised by."""
    asked = {(each.told.definition.name, each.erased_key) for each in arrived if each.erased_key}
    if not asked:
        return list(arrived)
    found = {(source, key) for source, key, _ in _first(connection, sorted(asked))}
    return [
        replace(each, dedupe_key=each.erased_key)
        if each.erased_key and (each.told.definition.name, each.erased_key) in found
        else each
        for each in arrived
    ]


def write_deliveries(connection: Connection, arrived: Sequence[ArrivedDelivery]) -> dict[tuple[str, str], str]:
    """Store what is new; return for each (source, digest) the id of the delivery that came first."""
    # in order of name: two groups with the same deliveries must not wait for each other
    rows = sorted((_row(each) for each in arrived), key=lambda row: row[1:3])
    into = DELIVERIES_APART if keys_are_apart(connection) else DELIVERIES
    inserted = into.run(connection, rows)
    if inserted == len(rows):
        return {(row[1], row[2]): row[0] for row in rows}
    found = _first(connection, [(row[1], row[2]) for row in rows])
    return {(source, key): delivery_id for source, key, delivery_id in found}


def _first(connection: Connection, places: Sequence[tuple[str, str]]) -> list[Row]:
    """Source, digest and id of the deliveries that came first, even if they are gone."""
    return (FIRST_APART if keys_are_apart(connection) else FIRST).rows(connection, places)


def _row(arrived: ArrivedDelivery) -> Row:
    """The row of DELIVERIES."""
    told, inbound = arrived.told, arrived.inbound
    headers = storable(inbound.headers, told.definition.secret_headers)
    return (
        told.delivery.id, told.definition.name, arrived.dedupe_key, told.delivery.received_at,
        headers.get("content-type", "")[:MAX_CONTENT_TYPE], headers,
        storable(inbound.query, told.definition.secret_query), inbound.body, arrived.key_index,
    )  # fmt: skip


def load_delivery(connection: Connection, source: str, delivery_id: str) -> tuple[Delivery, Inbound] | None:
    """Return a stored delivery, numbered for its next reading, and its request; None if there is none or it is emptied.

    Raises Unavailable if it was changed in the database since it came.
    """
    wanted = sa.select(webhook_delivery).where(wd.id == delivery_id, wd.source == source)
    row = connection.execute(wanted).one_or_none()
    if row is None or row.body is None:
        return None
    if any(map(is_unreadable, (row.headers, row.query, row.body))):
        raise damaged(f"webhook_delivery\x1f{delivery_id}")
    inbound = Inbound("POST", "", row.headers, frozenset(), row.query, frozenset(), row.body)
    newest = sa.select(sa.func.max(delivery_item.c.reading)).where(delivery_item.c.delivery_id == delivery_id)
    return Delivery(row.id, row.received_at, (connection.scalar(newest) or 0) + 1), inbound


def write_items(connection: Connection, items: Sequence[tuple[Delivery, Item, datetime]]) -> None:
    """Write what became of each item of a reading, and when it was read."""
    ITEMS.run(connection, [_item(*each) for each in items])


def _item(delivery: Delivery, item: Item, read_at: datetime) -> Row:
    """The row of ITEMS."""
    return (
        delivery.id, delivery.reading, item.position, read_at, item.outcome, item.reason, item.detail,
        item.conversation_id, item.request_id, item.ended_at,
    )  # fmt: skip
