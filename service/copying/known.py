"""Makes sure that deliveries are still recognised as duplicates in the new place.

With time partitions there is a separate table of keys; without, the delivery row itself is the key. So a partitioned
target gets a key for each delivery, and an unpartitioned one gets an emptied delivery for each key whose delivery has
expired.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.copying.rows import AT_ONCE, Rows, Stored
from service.db import reading, writing
from service.db.partitioned import partitioned_tables
from service.db.postgresql import take_your_time
from service.models import delivery_key, webhook_delivery
from service.partitions import delivery_keys
from service.partitions.delivery_keys import Tell

NEVER = datetime.max.replace(tzinfo=UTC)
ID_AT = slice(4, 16)  # whd_ and the milliseconds of its arrival, in hexadecimal
wd, dlk = webhook_delivery.c, delivery_key.c


def known_again(target: Engine, tell: Tell) -> None:
    """Make each delivery recognisable in the way this database does it. May be repeated."""
    with reading(target) as connection:
        in_pieces = "webhook_delivery" in partitioned_tables(connection)
    if in_pieces:
        delivery_keys.fill(target, NEVER, tell)
        return
    seen, after = 0, ("", "")
    while True:
        with writing(target) as connection:
            take_your_time(connection)  # the next of which only the key is left may be far away
            if not (gone := _gone(connection, after)):
                return
            Rows(webhook_delivery).put(
                connection, [_emptied(each.delivery_id, each.source, each.dedupe_key) for each in gone]
            )
        seen, after = seen + len(gone), (gone[-1].source, gone[-1].dedupe_key)
        tell(webhook_delivery.name, seen)


def _gone(connection: Connection, after: tuple[str, str]) -> Sequence[sa.Row[str, str, str]]:
    """Some deliveries of which only the key is left, from a key on: each search reads what the last one did not."""
    place, last = sa.tuple_(dlk.source, dlk.dedupe_key), sa.tuple_(*after)
    there = sa.select(wd.id).where(wd.source == dlk.source, wd.dedupe_key == dlk.dedupe_key)
    there = there.where(sa.tuple_(wd.source, wd.dedupe_key) > last)  # or a merge would begin at the first delivery
    missing = sa.and_(~there.exists(), ~sa.select(wd.id).where(wd.id == dlk.delivery_id).exists())
    query = sa.select(dlk.delivery_id, dlk.source, dlk.dedupe_key).where(missing, place > last)
    return connection.execute(query.order_by(dlk.source, dlk.dedupe_key).limit(AT_ONCE)).all()


def _emptied(delivery_id: str, source: str, key: str) -> Stored:
    at = int(delivery_id[ID_AT], 16) * 1000  # as moments are stored
    values = {"id": delivery_id, "source": source, "dedupe_key": key, "received_at": at, "content_type": "",
              "headers": "{}", "query": "{}", "body": None, "key_index": None}  # fmt: skip
    return tuple(values[each.name] for each in webhook_delivery.columns)
