"""Forgetting in outreach's own rows: in, a person or an age; out, how many rows were changed. Never touches scores.

An erased request keeps its outcome, times, team and agent, and loses whatever leads to a person: ids, handle, texts,
the conversation's id, the messages'. A keyed hash in the opt-out list keeps the person from being asked again.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.ids import new_id, person
from service.models import feedback_request, send_attempt, transition, x_identity
from service.outreach import opt_out
from service.outreach.ledger import Queue, write
from service.outreach.machine import Stop
from service.requests.changes import UNSEALED
from service.states import END_STATES, OPEN_STATES, Skip, State

r = feedback_request.c
PRUNED_AT_ONCE = 5000  # a transaction stays short; the next hour takes the next ones
NOBODY: Mapping[str, Any] = {
    "x_user_id": None,
    "x_handle": None,
    "customer_ref": None,
    "opening_text": None,
    "card_text": None,
}


def erase(connection: Connection, queue: Queue, x_user_id: str, *, by: str, now: datetime) -> Mapping[str, int]:
    """Forget one person and see to it that they are never asked again."""
    opt_out.add(connection, [x_user_id], secret_key=queue.settings.service.secret_key, reason="erased", by=by, now=now)
    rows = connection.execute(sa.select(feedback_request).where(r.x_user_id == x_user_id).with_for_update()).all()
    for row in rows:
        if row.state in OPEN_STATES:
            write(connection, queue, row, Stop(State.SKIPPED, Skip.OPTED_OUT), now, actor=by)
        gone = {
            **NOBODY,
            "person": None,
            "conversation_id": new_id("erased", now),
            "detail": None,
            "dm_event_id": None,
            "feedback_id": None,
            "card_dm_id": None,
            "erased_at": now,
            "updated_at": now,
            **UNSEALED,
        }
        connection.execute(sa.update(feedback_request).where(r.id == row.id).values(gone))
    a = send_attempt.c
    theirs = sa.or_(a.x_user_id == x_user_id, a.request_id.in_([row.id for row in rows]))
    attempts = sa.update(send_attempt).where(theirs)
    connection.execute(attempts.where(a.outcome.is_(None)).values(outcome="unknown", settled_at=now))
    connection.execute(attempts.values(x_user_id="", x_id=None))
    handles = connection.execute(sa.delete(x_identity).where(x_identity.c.x_user_id == x_user_id)).rowcount
    return {"requests": len(rows), "handles": handles}


def handles_of(connection: Connection, x_user_id: str) -> list[str]:
    """Return the handles under which we know this person."""
    on_requests = sa.select(r.x_handle).where(r.x_user_id == x_user_id, r.x_handle.is_not(None)).distinct()
    resolved = sa.select(x_identity.c.handle).where(x_identity.c.x_user_id == x_user_id)
    return sorted({*connection.scalars(on_requests), *connection.scalars(resolved)} - {None})


def recall(connection: Connection, x_user_id: str, *, secret_key: str) -> None:
    """Put the id back on rows that keep only its hash or its handle, so that the erasure after it finds them all.

    Call it first in the transaction that erases: nobody else ever sees the id return.
    """
    handles = [each.lower() for each in handles_of(connection, x_user_id)]
    by_handle = sa.and_(r.x_user_id.is_(None), sa.func.lower(r.x_handle).in_(handles))
    # Theirs by id as well: retention may be taking the id away in this moment, and we wait for it then.
    theirs = sa.or_(r.person == person(secret_key, x_user_id), r.x_user_id == x_user_id, by_handle)
    connection.execute(sa.update(feedback_request).where(theirs).values(x_user_id=x_user_id))


def prune(
    connection: Connection, *, secret_key: str, identities_before: datetime, history_before: datetime, dry_run: bool
) -> Mapping[str, int]:
    """Forget identities of requests that ended before a time, and history lines older than theirs."""
    named = r.x_user_id.is_not(None) | r.x_handle.is_not(None)
    old = sa.and_(r.outcome_at < identities_before, r.state.in_(END_STATES), named)
    t = transition.c
    if dry_run:
        return {
            "identities": _count(connection, feedback_request, old),
            "history": _count(connection, transition, t.at < history_before),
        }
    oldest = sa.select(r.id, r.x_user_id).where(old).order_by(r.id).limit(PRUNED_AT_ONCE)
    rows = connection.execute(oldest.with_for_update()).all()
    for request_id, x_user_id in rows:
        gone = {**NOBODY, "person": person(secret_key, x_user_id) if x_user_id is not None else None}
        connection.execute(sa.update(feedback_request).where(r.id == request_id).values(gone))
        connection.execute(sa.update(send_attempt).where(send_attempt.c.request_id == request_id).values(x_user_id=""))
    connection.execute(sa.delete(x_identity).where(x_identity.c.seen_at < identities_before))
    return {
        "identities": len(rows),
        "history": connection.execute(sa.delete(transition).where(t.at < history_before)).rowcount,
    }


def _count(connection: Connection, table: sa.Table, condition: sa.ColumnElement[bool]) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(table).where(condition)) or 0
