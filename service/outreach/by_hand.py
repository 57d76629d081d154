"""What operators may do to a request: in, its id and who asks; out, the change, or a refusal in words. All audited.

None of it can break a promise: the gates, limits and look-ups stand in the way of a second message as ever. Only an
`unknown` request can be sent again over the doubt, and only if the operator says so in words.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from service.auth import log_access
from service.db import writing
from service.errors import Conflict, NotFound
from service.models import feedback_request, send_attempt
from service.outreach import queue as q
from service.outreach.machine import Stop
from service.states import OPEN_STATES, Skip, State

r = feedback_request.c
a = send_attempt.c
RETRIED_WITHIN = timedelta(hours=24)  # a retried request is not stale for this long: a person has decided


def retry(queue: q.Queue, request_id: str, *, by: str, accept_second_message: bool, now: datetime) -> State:
    """Take an ended request up again where its facts allow; return its state. Raises NotFound or Conflict."""
    with writing(queue.engine) as connection:
        row = _locked(connection, request_id)
        if row.state in OPEN_STATES or row.state == State.CARD_SENT:
            raise Conflict(
                "not_retryable", f"The request is '{row.state}': only skipped, failed or unknown ones retry."
            )
        if row.state == State.UNKNOWN and not accept_second_message:
            raise Conflict(
                "may_be_second_message",
                "Nobody knows whether the customer has this message already. If a second one is acceptable, "
                "say so: --i-accept-a-second-message.",
            )
        if row.erased_at is not None:
            raise Conflict("erased", "The customer was erased; there is nobody to write to.")
        back_to = _resume_at(row)
        connection.execute(
            sa.update(feedback_request)
            .where(r.id == request_id)
            .values(
                state=back_to, reason=None, detail=None, attempts=0, scheduled_at=now, outcome_at=None, updated_at=now,
                stale_at=None if row.campaign is None else now + RETRIED_WITHIN, lease_token=None, lease_until=None,
            )
        )  # fmt: skip
        q.tell(connection, queue, row, back_to, "by_hand", "retried", now, actor=by)
        log_access(connection, by, "request.retry", {"request_id": request_id, "from": row.state}, now)
    return back_to


def cancel(queue: q.Queue, request_id: str, *, by: str, now: datetime) -> State:
    """End an open request; return its state. Raises NotFound, or Conflict while a call to X is under way."""
    with writing(queue.engine) as connection:
        row = _locked(connection, request_id)
        if row.state not in OPEN_STATES:
            raise Conflict("already_ended", f"The request has ended already: {row.state}.")
        if row.lease_until is not None and row.lease_until > now:
            raise Conflict("in_flight", "A call to X is under way for this request; try again in a few seconds.")
        unclear = sa.select(a.id).where(a.request_id == request_id, a.outcome.is_(None))
        if connection.scalar(unclear.limit(1)) is not None:
            raise Conflict(
                "being_looked_up", "A send of this request is being looked up at X; its end is not ours to choose."
            )
        q.write(connection, queue, row, Stop(State.SKIPPED, Skip.CANCELLED), now, actor=by)
        log_access(connection, by, "request.cancel", {"request_id": request_id}, now)
    return State.SKIPPED


def complete(queue: q.Queue, request_id: str, x_user_id: str, *, by: str, now: datetime) -> State:
    """Tell who the customer of a `skipped(no_x_identity)` request is on X and take it up. NotFound or Conflict."""
    with writing(queue.engine) as connection:
        row = _locked(connection, request_id)
        if (row.state, row.reason) != (State.SKIPPED, Skip.NO_X_IDENTITY) or row.erased_at is not None:
            raise Conflict(
                "identity_not_missing", "Only a request that was skipped for want of an X user is completed."
            )
        connection.execute(
            sa.update(feedback_request)
            .where(r.id == request_id)
            .values(
                x_user_id=x_user_id, identity_trust="by_hand", state=State.RECEIVED, reason=None, detail=None,
                attempts=0, scheduled_at=now, outcome_at=None, updated_at=now,
            )
        )  # fmt: skip
        q.tell(connection, queue, row, State.RECEIVED, "by_hand", "identity_completed", now, actor=by)
        log_access(connection, by, "request.complete", {"request_id": request_id}, now)
    return State.RECEIVED


def _locked(connection: Connection, request_id: str) -> Row[Any]:
    row = connection.execute(sa.select(feedback_request).where(r.id == request_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound("unknown_request", f"There is no request '{request_id}'.")
    return row


def _resume_at(row: Row[Any]) -> State:
    """The furthest state whose fact is on the row."""
    if row.dm_event_id is not None:
        return State.DM_SENT
    if row.can_dm and row.x_user_id is not None and row.card_text is not None:
        return State.DM_ALLOWED
    return State.RECEIVED
