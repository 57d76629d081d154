"""Retention and erasure in the ledger's own rows, by person or by age. Never touches scores.

An erased request keeps its outcome, times, team and agent, and loses whatever leads to a person: ids, handle, texts,
the ids of conversation and messages. What else is known of the person is deleted by `customers`, in the same
transaction.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.at_rest.ids import is_handle
from service.at_rest.unreadable import is_unreadable
from service.db.batch_deletion import Condition, Overdue
from service.ids import new_id, person
from service.models import feedback_request, transition
from service.requests import sends
from service.requests.outcomes import Stop
from service.requests.request import Request
from service.requests.rows import SELECT, request_of
from service.requests.seals import UNSEALED
from service.requests.writer import CHANGE, Writer, write
from service.states import END_STATES, OPEN_STATES, Skip, State

fr = feedback_request.c
tr = transition.c
AT_ONCE = 500
NOBODY: Mapping[str, Any] = {
    "x_user_id": None,
    "x_handle": None,
    "customer_ref": None,
    "opening_text": None,
    "card_text": None,
    "alternatives": None,
}


def erase(connection: Connection, x_user_id: str, writer: Writer, now: datetime) -> int:
    """Erase one person from every request and end the open ones; return how many there were."""
    theirs = connection.execute(SELECT.where(fr.x_user_id == x_user_id).with_for_update())
    requests = [request_of(row) for row in theirs]
    for request in requests:
        _end(connection, request, Skip.OPTED_OUT, writer, now)
        gone = {
            **NOBODY,
            "person": None,
            "conversation_id": new_id("erased", now),
            "detail": None,
            "dm_event_id": None,
            "feedback_id": None,
            "card_dm_id": None,
            "page_hash": None,  # the link lies in the account's messages, beside its reader
            "erased_at": now,
            "updated_at": now,
        }
        connection.execute(CHANGE, {"this": request.id, **gone, **UNSEALED})
    sends.forget(connection, [request.id for request in requests], x_user_id, now)
    return len(requests)


def _end(connection: Connection, request: Request, why: Skip, writer: Writer, now: datetime) -> None:
    """End a request if it is open."""
    if request.is_open:
        write(connection, request, sends.unless_unclear(connection, request.id, Stop(State.SKIPPED, why)), now, writer)


def handles_of(connection: Connection, x_user_id: str) -> set[str]:
    """Return the handles under which our requests know this person."""
    known = sa.select(fr.x_handle).where(fr.x_user_id == x_user_id, fr.x_handle.is_not(None)).distinct()
    return {str(handle) for handle in connection.scalars(known)}


def named_since(connection: Connection, since: datetime) -> Iterator[str]:
    """Return whom requests name that have changed since then, some of them more than once."""
    named = sa.select(fr.x_user_id).where(fr.updated_at >= since, fr.x_user_id.is_not(None))
    yield from filter(None, connection.execute(named, execution_options={"yield_per": AT_ONCE}).scalars())


def recall(connection: Connection, x_user_id: str, handles: set[str], *, hash_key: str) -> None:
    """Put the id back on rows that only have its hash or its handle, so that the erasure that follows finds them all.

    Call this first in the erasing transaction: nobody else ever sees the id return.
    """
    theirs = whose(x_user_id, handles, hash_key=hash_key)
    connection.execute(sa.update(feedback_request).where(theirs).values(x_user_id=x_user_id))


def whose(x_user_id: str, handles: set[str], *, hash_key: str) -> sa.ColumnElement[bool]:
    """Which requests belong to this person: by id, by its hash, or by a handle if there is no id."""
    by_handle = sa.and_(fr.x_user_id.is_(None), fr.x_handle.is_not(None), is_handle(fr.x_handle, handles))
    # By the id as well: retention may be taking it away in this moment, and who erases waits for it then.
    return sa.or_(fr.person == person(hash_key, x_user_id), fr.x_user_id == x_user_id, by_handle)


def without_identity(before: datetime, *, hash_key: str, writer: Writer, now: datetime) -> Overdue:
    """Which identities are due: of requests that ended before a time, or that wait still though stale since then."""
    named = fr.x_user_id.is_not(None) | fr.x_handle.is_not(None) | fr.customer_ref.is_not(None)
    ended = sa.and_(fr.outcome_at < before, fr.state.in_(END_STATES))
    waits = sa.and_(sa.func.coalesce(fr.stale_at, fr.ended_at) < before, fr.state.in_(OPEN_STATES))
    old = sa.and_(sa.or_(ended, waits), named)
    return Overdue("identities", feedback_request, old, partial(_unnamed, hash_key, writer, now))


def history(before: datetime) -> Overdue:
    """Which lines of history are due: those written before a time."""
    return Overdue("history", transition, tr.at < before)


def _unnamed(hash_key: str, writer: Writer, now: datetime, connection: Connection, those: Condition) -> int:
    """Of these columns readers see the CRM's id of the customer, so mirrors must hear that it is gone.

    A request whose customer was not found on X keeps its texts: they name nobody, and it may still be completed.
    """
    waits = fr.state.in_(OPEN_STATES)
    columns = (fr.id, fr.x_user_id, fr.x_handle.is_not(None), fr.customer_ref.is_not(None), waits)
    rows = connection.execute(sa.select(*columns).where(those).order_by(fr.id).with_for_update()).all()
    for request_id, x_user_id, has_handle, was_shown, is_open in rows:
        if is_open:  # its account was held all the time
            one = connection.execute(SELECT.where(fr.id == request_id)).one()
            _end(connection, request_of(one), Skip.STALE, writer, now)
        known = None if x_user_id is None or is_unreadable(x_user_id) else person(hash_key, x_user_id)
        found = x_user_id is not None or has_handle
        gone = {**NOBODY, "person": known} if found else {"customer_ref": None}
        told = {**UNSEALED, "updated_at": now} if was_shown else {}
        connection.execute(CHANGE, {"this": request_id, **gone, **told})
        sends.forget_whom(connection, request_id)
    return len(rows)
