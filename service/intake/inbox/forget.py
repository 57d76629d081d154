"""Empties raw deliveries, by age or for an erased person.

The rows stay to keep a delivery from being accepted twice (those that led to nothing as long as repeats may come);
body, headers and query go, and for an erased person the conversation's id too. Never touches the ledger.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.at_rest.unreadable import is_unreadable
from service.db import upsert
from service.db.batch_deletion import Condition, Overdue
from service.db.partitioned import partitioned_tables
from service.db.postgresql import take_your_time
from service.ids import first_id
from service.intake.inbox.dedupe import by_arrival, by_content
from service.models import conversation, delivery_item, delivery_key, feedback_request, reopening, webhook_delivery

SHORTEST_NAME = 4  # a shorter one stands in too many bodies by chance; X itself gives none any more
AT_ONCE = 500
AT_LATEST = timedelta(hours=1)
"""How long before a look a delivery that it missed may have come, by the clock of whichever machine took it in."""

WRITTEN_IN = ("utf-8", "utf-16-le", "utf-16-be")  # of every other charset the letters of a handle are the same
EMPTY: dict[str, Any] = {"body": None, "headers": {}, "query": {}}
wd, di, fr, dlk = webhook_delivery.c, delivery_item.c, feedback_request.c, delivery_key.c
KNOWN_FOR_GOOD = sa.exists().where(dlk.source == wd.source, dlk.dedupe_key == wd.dedupe_key, dlk.received_at.is_(None))
"""Of somebody who was erased: the same bytes are to bring nothing back, however late."""


def too_old(before: datetime) -> Overdue:
    """Which deliveries are to be emptied: those received before a time."""
    return Overdue("deliveries", webhook_delivery, sa.and_(wd.received_at < before, wd.body.is_not(None)), _emptied)


def led_to_nothing(before: datetime) -> Overdue:
    """Which deliveries are deleted with their items: received before a time, and none led to a request.

    That is most of the deliveries of a CRM that reports everything.
    """
    led = sa.exists().where(di.delivery_id == wd.id, di.request_id.is_not(None))
    old = sa.and_(wd.received_at < before, ~led, ~KNOWN_FOR_GOOD)
    return Overdue("ignored", webhook_delivery, old, _gone, among=wd.id < first_id("whd", before))


def _gone(connection: Connection, those: Condition) -> int:
    ids = connection.scalars(sa.select(wd.id).where(those).with_for_update()).all()
    connection.execute(sa.delete(delivery_item).where(di.delivery_id.in_(ids)))
    return connection.execute(sa.delete(webhook_delivery).where(wd.id.in_(ids))).rowcount


def _emptied(connection: Connection, those: Condition) -> int:
    return connection.execute(sa.update(webhook_delivery).where(those).values(EMPTY)).rowcount


@dataclass(frozen=True, slots=True)
class Naming:
    """The deliveries received by a time that name somebody, and how many could not be read."""

    names: frozenset[str]
    ids: frozenset[str]
    unreadable: int
    until: datetime


def naming(connection: Connection, names: Collection[str], now: datetime) -> Naming:
    """Search every stored body for a person's names. Takes long, so never while anything is locked."""
    take_your_time(connection)  # most bodies are gone, and the next that is left may be far away
    found, unreadable = _naming(connection, plain := _plain(names), sa.true())
    return Naming(plain, found, unreadable, now)


def erase(connection: Connection, x_user_id: str, handles: Collection[str], found: Naming) -> int:
    """Empty every delivery about a conversation of this person, or naming them, before the ledger forgets who it was.

    Reads only what has come since `found`, because everybody else waits meanwhile; for a name unknown then, everything.
    """
    theirs, names = fr.x_user_id == x_user_id, _plain([x_user_id, *handles])
    since, _ = _naming(connection, names & found.names, wd.received_at >= found.until - AT_LATEST)
    anew, _ = _naming(connection, names - found.names, sa.true())
    emptied = _empty(connection, sorted({*_about(connection, theirs), *found.ids, *since, *anew}))
    for source, conversation_id in connection.execute(
        sa.select(fr.source, fr.conversation_id).where(theirs).distinct()
    ):
        _forget_conversation(connection, source, conversation_id)
    return emptied


def of_person(
    connection: Connection, theirs: sa.ColumnElement[bool], names: Collection[str]
) -> Iterator[tuple[sa.Table, sa.ColumnElement[bool]]]:
    """Which rows report these requests or name this person: what erasing them reaches. Takes as long."""
    take_your_time(connection)
    told = _told_of(connection, theirs)
    named, _ = _naming(connection, _plain(names), sa.true())
    yield webhook_delivery, wd.id.in_(sorted({*_about(connection, theirs), *named}))
    items = sa.union(
        _items(di.id).where(_is_any(told, wd.source, di.conversation_id)), _first_items(di.id).where(theirs)
    )
    yield delivery_item, di.id.in_(items)
    for table in (reopening, conversation):
        yield table, _is_any(told, table.c.source, table.c.conversation_id)


def _about(connection: Connection, theirs: sa.ColumnElement[bool]) -> Sequence[str]:
    """Every delivery about a conversation of theirs."""
    said = _is_any(_told_of(connection, theirs), wd.source, di.conversation_id)
    about, led = _items(di.delivery_id).where(said), _first_items(di.delivery_id).where(theirs)
    return connection.scalars(sa.union(about, led, sa.select(fr.delivery_id).where(theirs))).all()


def _items(column: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """The items about conversations, beside the deliveries they came in."""
    return sa.select(column).join_from(delivery_item, webhook_delivery, di.delivery_id == wd.id)


def _told_of(connection: Connection, theirs: sa.ColumnElement[bool]) -> Mapping[str, Sequence[str]]:
    """Their conversations by source. Never joined: ids may be stored in two forms while a key changes."""
    told: dict[str, list[str]] = {}
    for source, conversation_id in connection.execute(sa.select(fr.source, fr.conversation_id).where(theirs)):
        told.setdefault(source, []).append(conversation_id)
    return told


def _is_any(told: Mapping[str, Sequence[str]], source: Any, conversation_id: Any) -> sa.ColumnElement[bool]:
    """Whether a row is about one of these conversations."""
    ours = [sa.and_(source == name, conversation_id.in_(sorted(set(ids)))) for name, ids in told.items()]
    return sa.or_(sa.false(), *ours)


def _first_items(column: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """The items that led to requests, besides those."""
    return sa.select(column).join_from(delivery_item, feedback_request, di.request_id == fr.id)


def _plain(names: Collection[str]) -> frozenset[str]:
    """Names to search for. Unreadable ones are left out: their marker occurs elsewhere too."""
    known = (name for name in names if len(name) >= SHORTEST_NAME and not is_unreadable(name))
    return frozenset(name.removeprefix("@").lower() for name in known)


def _naming(connection: Connection, names: Collection[str], among: Condition) -> tuple[frozenset[str], int]:
    """Deliveries that led to no request and name the person, and how many bodies cannot be read.

    If the name is part of another one, a delivery too many is emptied: it was processed long ago.
    """
    if not names:
        return frozenset(), 0
    wanted = [name.encode(charset) for name in names for charset in WRITTEN_IN]
    kept = sa.select(wd.id, wd.body).where(wd.body.is_not(None), among)
    found: set[str] = set()
    unreadable = 0
    for row in connection.execute(kept, execution_options={"yield_per": AT_ONCE}):
        unreadable += is_unreadable(row.body)
        if any(name in row.body.lower() for name in wanted):
            found.add(row.id)
    return frozenset(found), unreadable


def _empty(connection: Connection, ids: Sequence[str]) -> int:
    """Empty deliveries, and make sure that the same bytes cannot be accepted again."""
    emptied = 0
    for start in range(0, len(ids), AT_ONCE):
        chunk = sa.and_(wd.id.in_(ids[start : start + AT_ONCE]), wd.body.is_not(None))
        for row in connection.execute(sa.select(wd.id, wd.source, wd.dedupe_key, wd.body).where(chunk)).all():
            digest = sha256(row.body or b"").hexdigest()
            key = row.dedupe_key
            if key == by_arrival(digest, row.id):
                key = by_content((), digest)
                _know_by_content(connection, row.id, row.source, key)
            _keep_for_good(connection, row.source, key, row.id)
        emptied += connection.execute(sa.update(webhook_delivery).where(chunk).values(EMPTY)).rowcount
    return emptied


def _know_by_content(connection: Connection, delivery_id: str, source: str, key: str) -> None:
    other = delivery_key if "webhook_delivery" in partitioned_tables(connection) else webhook_delivery.alias("other")
    taken = sa.exists().where(other.c.source == source, other.c.dedupe_key == key)
    connection.execute(sa.update(webhook_delivery).where(wd.id == delivery_id, ~taken).values(dedupe_key=key))


def _keep_for_good(connection: Connection, source: str, key: str, delivery_id: str) -> None:
    """Keep the keys of an erased person's deliveries for good, wherever keys are stored."""
    place = {"source": source, "dedupe_key": key}
    upsert(connection, delivery_key, place, {"received_at": None}, once={"delivery_id": delivery_id})


def _forget_conversation(connection: Connection, source: str, conversation_id: str) -> None:
    """Remove the id by which the CRM could still tell whose conversation it was."""
    of_source = sa.select(webhook_delivery.c.id).where(
        webhook_delivery.c.id == di.delivery_id, webhook_delivery.c.source == source
    )
    said = sa.update(delivery_item).where(di.conversation_id == conversation_id, of_source.exists())
    connection.execute(said.values(conversation_id=None))
    for table in (reopening, conversation):
        connection.execute(sa.delete(table).where(table.c.source == source, table.c.conversation_id == conversation_id))
