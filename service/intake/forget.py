"""Raw deliveries, taken away: in, a date or a person; out, how many rows lost their contents.

The rows themselves stay, as they keep a delivery from being accepted twice; body, headers and query go, and for an
erased person the conversation's id as well. Never touches the ledger: what outreach and results hold of a person is
theirs to erase, after this.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.intake.dedupe import body_digest, by_arrival, by_content
from service.models import conversation, delivery_item, feedback_request, reopening, webhook_delivery

SHORTEST_NAME = 4  # a shorter one stands in too many bodies by chance; X itself gives none any more
AT_ONCE = 500
WRITTEN_IN = ("utf-8", "utf-16-le", "utf-16-be")  # of every other charset the letters of a handle are the same
EMPTY: dict[str, Any] = {"body": None, "headers": {}, "query": {}}


def prune(connection: Connection, before: datetime, *, dry_run: bool) -> int:
    """Empty the deliveries received before `before`; with `dry_run`, only count them."""
    old = sa.and_(webhook_delivery.c.received_at < before, webhook_delivery.c.body.is_not(None))
    if dry_run:
        return connection.scalar(sa.select(sa.func.count()).select_from(webhook_delivery).where(old)) or 0
    return connection.execute(sa.update(webhook_delivery).where(old).values(EMPTY)).rowcount


def erase(connection: Connection, x_user_id: str, handles: Collection[str]) -> int:
    """Empty every delivery about a conversation of this person. Call before the ledger forgets who it was."""
    d, i, f = webhook_delivery.c, delivery_item.c, feedback_request.c
    theirs = f.x_user_id == x_user_id
    about = (
        sa.select(i.delivery_id)
        .join_from(delivery_item, webhook_delivery, i.delivery_id == d.id)
        .join(feedback_request, sa.and_(f.source == d.source, f.conversation_id == i.conversation_id))
        .where(theirs)
    )
    by_request = sa.select(i.delivery_id).join_from(delivery_item, feedback_request, i.request_id == f.id).where(theirs)
    first = sa.select(f.delivery_id).where(theirs)
    ids = connection.scalars(sa.union(about, by_request, first)).all()
    emptied = _empty(connection, ids) + _empty_naming(connection, [x_user_id, *handles])
    for source, conversation_id in connection.execute(sa.select(f.source, f.conversation_id).where(theirs).distinct()):
        _forget_conversation(connection, source, conversation_id)
    return emptied


def _empty_naming(connection: Connection, names: Collection[str]) -> int:
    """Empty what led to no request and names the person all the same. Reads every body that is still kept.

    A name may be part of another's, and then a delivery too many is emptied: it was read long ago.
    """
    d = webhook_delivery.c
    plain = [name.removeprefix("@").lower() for name in names if len(name) >= SHORTEST_NAME]
    wanted = [name.encode(charset) for name in plain for charset in WRITTEN_IN]
    found = connection.execute(sa.select(d.id, d.body).where(d.body.is_not(None)), execution_options={"yield_per": 500})
    theirs = [row.id for row in found if any(name in row.body.lower() for name in wanted)]
    return _empty(connection, theirs)


def _empty(connection: Connection, ids: Sequence[str]) -> int:
    """Take the contents of deliveries away, and see to it that the same bytes bring nothing back."""
    d, emptied = webhook_delivery.c, 0
    for start in range(0, len(ids), AT_ONCE):
        chunk = sa.and_(d.id.in_(ids[start : start + AT_ONCE]), d.body.is_not(None))
        for row in connection.execute(sa.select(d.id, d.source, d.dedupe_key, d.body).where(chunk)).all():
            digest = body_digest(row.body or b"")
            if row.dedupe_key == by_arrival(digest, row.id):
                _know_by_content(connection, row.id, row.source, by_content((), digest))
        emptied += connection.execute(sa.update(webhook_delivery).where(chunk).values(EMPTY)).rowcount
    return emptied


def _know_by_content(connection: Connection, delivery_id: str, source: str, key: str) -> None:
    d, other = webhook_delivery.c, webhook_delivery.alias("other")
    taken = sa.exists().where(other.c.source == source, other.c.dedupe_key == key)
    connection.execute(sa.update(webhook_delivery).where(d.id == delivery_id, ~taken).values(dedupe_key=key))


def _forget_conversation(connection: Connection, source: str, conversation_id: str) -> None:
    """Take the id away by which the CRM would still know whose conversation it was."""
    i = delivery_item.c
    of_source = sa.select(webhook_delivery.c.id).where(
        webhook_delivery.c.id == i.delivery_id, webhook_delivery.c.source == source
    )
    said = sa.update(delivery_item).where(i.conversation_id == conversation_id, of_source.exists())
    connection.execute(said.values(conversation_id=None))
    for table in (reopening, conversation):
        connection.execute(sa.delete(table).where(table.c.source == source, table.c.conversation_id == conversation_id))
