"""Reads stored deliveries again after their definition was fixed, and counts what came of it.

Adds readings and changes none: what was understood on arrival stays on record. Nothing is accepted twice, because the
same rules and unique keys apply.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import reading, writing
from service.errors import Unavailable
from service.intake.definition.tables import Definition
from service.intake.inbox.accept import store
from service.intake.inbox.records import UNMAPPABLE, DeliveryReading
from service.intake.inbox.stored import load_delivery
from service.intake.mapping.readings import read
from service.models import delivery_item, webhook_delivery


@dataclass(frozen=True, slots=True)
class ReplayCounts:
    """What a replay did: deliveries read, items by outcome, deliveries whose body is gone or was changed."""

    deliveries: int = 0
    accepted: int = 0
    duplicate: int = 0
    reopened: int = 0
    ignored: int = 0
    unmappable: int = 0
    gone: int = 0
    unreadable: int = 0


def replay(
    engine: Engine,
    definition: Definition,
    delivery_id: str | None,
    now: datetime,
    outcomes: Collection[str] = (UNMAPPABLE,),
) -> ReplayCounts:
    """Read one delivery of the source again, or (None) all whose latest reading has items with these outcomes."""
    with reading(engine) as connection:
        found = connection.scalars(_wanted(definition, delivery_id, outcomes)).all()
    tally: Counter[str] = Counter()
    for each in found:
        tally += _replay_one(engine, definition, each, now)
    return ReplayCounts(**tally)


def _replay_one(engine: Engine, definition: Definition, delivery_id: str, now: datetime) -> Counter[str]:
    with writing(engine) as connection:
        try:
            stored = load_delivery(connection, definition.name, delivery_id)
        except Unavailable:
            return Counter({"unreadable": 1})
        if stored is None:
            return Counter({"gone": 1})
        delivery, inbound = stored
        readings = read(definition, inbound, delivery.received_at)
        items = store(connection, [DeliveryReading(definition, delivery, readings, now)])
    return Counter(item.outcome for item in items[delivery.id]) + Counter({"deliveries": 1})


def _wanted(definition: Definition, delivery_id: str | None, outcomes: Collection[str]) -> sa.Select[str]:
    wd, di = webhook_delivery.c, delivery_item.c
    mine = sa.select(wd.id).where(wd.source == definition.name)
    if delivery_id is not None:
        return mine.where(wd.id == delivery_id)
    later = delivery_item.alias("later")
    newest = ~sa.exists().where(later.c.delivery_id == di.delivery_id, later.c.reading > di.reading)
    such = sa.select(di.delivery_id).where(di.outcome.in_(outcomes), newest)
    return mine.where(wd.id.in_(such)).order_by(wd.received_at, wd.id)
