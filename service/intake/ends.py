"""One end to one row: in, an open write transaction and an ended conversation; out, accepted, or whose repeat it is.

The only place that decides whether an end is new. The caller holds the conversation's lock; the unique constraint is
the last guard. Never changes a request that is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import insert
from service.ids import new_id
from service.intake.events import ConversationEnded
from service.intake.shapes import Definition
from service.models import feedback_request, reopening
from service.states import State

ACCEPTED, DUPLICATE, REOPENED, IGNORED, UNMAPPABLE = "accepted", "duplicate", "reopened", "ignored", "unmappable"


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one item of a delivery."""

    position: int
    outcome: str
    reason: str | None = None
    detail: str | None = None
    conversation_id: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A stored delivery and which reading of it this is: 0 on arrival."""

    id: str
    received_at: datetime
    reading: int = 0


def store_end(
    connection: Connection,
    definition: Definition,
    delivery: Delivery,
    position: int,
    end: ConversationEnded,
    now: datetime,
) -> Item:
    """Insert the request of an end that is new; else say whose repeat it is. The caller holds the lock."""
    reason, request_id = _known_end(connection, definition, end)
    if reason is None:
        request_id = _insert_request(connection, definition, delivery, end, now)
        if request_id is not None:
            return Item(position, ACCEPTED, None, notes(end.notes), end.conversation_id, request_id)
        reason = "same_end"
    return Item(position, DUPLICATE, reason, notes(end.notes), end.conversation_id, request_id)


def _known_end(connection: Connection, definition: Definition, end: ConversationEnded) -> tuple[str | None, str | None]:
    """Return why this end is none of its own, and the request it belongs to; (None, None) where it is new."""
    c = feedback_request.c
    known = connection.execute(
        sa.select(c.id, c.ended_at)
        .where(c.source == definition.name, c.conversation_id == end.conversation_id)
        .order_by(c.ended_at)
    ).all()
    if not known:
        return None, None
    same = next((row for row in known if row.ended_at == end.ended_at), None)
    if same is not None:
        return "same_end", same.id
    before = [row for row in known if row.ended_at < end.ended_at][-1:]
    after = [row for row in known if row.ended_at > end.ended_at][:1]
    reopened = _reopened_at(connection, definition, end.conversation_id)
    for neighbour in before + after:
        if not _lies_apart(definition, neighbour.ended_at, end.ended_at, reopened):
            return "same_conversation", neighbour.id
    return None, None


def _lies_apart(definition: Definition, one: datetime, other: datetime, reopened: Sequence[datetime]) -> bool:
    """Whether two ends are two: the conversation was reopened between them, or enough time passed to think so."""
    first, second = min(one, other), max(one, other)
    if any(first <= moment < second for moment in reopened):
        return True
    again_after = definition.grammar.events.again_after
    return again_after is not None and second - first > again_after


def _reopened_at(connection: Connection, definition: Definition, conversation_id: str) -> Sequence[datetime]:
    c = reopening.c
    found = sa.select(c.reopened_at).where(c.source == definition.name, c.conversation_id == conversation_id)
    return connection.scalars(found).all()


def _insert_request(
    connection: Connection, definition: Definition, delivery: Delivery, end: ConversationEnded, now: datetime
) -> str | None:
    c = feedback_request.c
    statement = insert(connection, feedback_request).values(
        id=new_id("fr", now),
        source=definition.name,
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
        test=False,
        state=State.RECEIVED,
        attempts=0,
        scheduled_at=now,
        can_dm_asked=0,
        updated_at=now,
    )
    new: str | None = connection.scalar(statement.on_conflict_do_nothing().returning(c.id))
    return new


def notes(given: Sequence[str]) -> str | None:
    """What was set aside, as one sentence for people."""
    return "; ".join(given) or None
