"""What operators may do to a request: in, its id and who asks; out, the change, or a refusal in words. All audited.

None of it can break a promise: the gates, limits and look-ups stand in the way of a second message as ever. What may
have reached the customer already is sent again only if the operator says so in words, however the request ended since.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from service.auth import log_access
from service.db import writing
from service.errors import Conflict, NotFound
from service.models import feedback_request, result, send_attempt
from service.outreach.ledger import Queue, tell, write
from service.outreach.machine import Stop
from service.requests.changes import UNSEALED
from service.states import OPEN_STATES, Skip, State

r = feedback_request.c
a = send_attempt.c
RETRIED_WITHIN = timedelta(hours=24)  # a retried request is not stale for this long: a person has decided


def retry(queue: Queue, request_id: str, *, by: str, accept_second_message: bool, now: datetime) -> State:
    """Take an ended request up again where its facts allow; return its state. Raises NotFound or Conflict."""
    with writing(queue.engine) as connection:
        row = _locked(connection, request_id)
        if row.state in OPEN_STATES or row.state == State.CARD_SENT:
            raise Conflict(
                "not_retryable", f"The request is '{row.state}': only skipped, failed or unknown ones retry."
            )
        _demand_somebody(row)
        _demand_no_card(connection, request_id)
        if not accept_second_message and _may_have_arrived(connection, row):
            raise Conflict(
                "may_be_second_message",
                "Nobody knows whether the customer has this message already. If a second one is acceptable, "
                "say so: --i-accept-a-second-message.",
            )
        back_to = _resume_at(row)
        asked_anew: dict[str, Any] = {"can_dm": None, "can_dm_asked": 0} if back_to is State.RECEIVED else {}
        connection.execute(
            sa.update(feedback_request)
            .where(r.id == request_id)
            .values(
                state=back_to, reason=None, detail=None, attempts=0, scheduled_at=now, outcome_at=None, updated_at=now,
                stale_at=now + RETRIED_WITHIN, lease_token=None, lease_until=None, campaign=_campaign(row),
                **UNSEALED, **asked_anew,
            )
        )  # fmt: skip
        tell(connection, queue, row, back_to, "by_hand", "retried", now, actor=by)
        log_access(connection, by, "request.retry", {"request_id": request_id, "from": row.state}, now)
    return back_to


def cancel(queue: Queue, request_id: str, *, by: str, now: datetime) -> State:
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
        write(connection, queue, row, Stop(State.SKIPPED, Skip.CANCELLED), now, actor=by)
        log_access(connection, by, "request.cancel", {"request_id": request_id}, now)
    return State.SKIPPED


def complete(queue: Queue, request_id: str, x_user_id: str, *, by: str, now: datetime) -> State:
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
                attempts=0, scheduled_at=now, outcome_at=None, updated_at=now, campaign=_campaign(row),
                **UNSEALED,
            )
        )  # fmt: skip
        tell(connection, queue, row, State.RECEIVED, "by_hand", "identity_completed", now, actor=by)
        log_access(connection, by, "request.complete", {"request_id": request_id}, now)
    return State.RECEIVED


def _locked(connection: Connection, request_id: str) -> Row[Any]:
    row = connection.execute(sa.select(feedback_request).where(r.id == request_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound("unknown_request", f"There is no request '{request_id}'.")
    return row


def _demand_somebody(row: Row[Any]) -> None:
    if row.erased_at is not None:
        raise Conflict("erased", "The customer was erased; there is nobody to write to.")
    # A conversation that came without an identity keeps its texts; what retention has forgotten has lost them too.
    forgotten = row.person is not None or (row.campaign is not None and row.card_text is None)
    if row.x_user_id is None and row.x_handle is None and row.reason != Skip.NO_X_IDENTITY and forgotten:
        raise Conflict(
            "identity_forgotten",
            "Who the customer is was forgotten when privacy.keep_identities was over, so there is nobody to write to; "
            "leave this request, the customer's next conversation is asked about as usual.",
        )


def _demand_no_card(connection: Connection, request_id: str) -> None:
    if connection.scalar(sa.select(result.c.feedback_id).where(result.c.request_id == request_id)) is not None:
        raise Conflict("card_is_out", "X has told us of this request's card: the customer has it, and gets no second.")


def _may_have_arrived(connection: Connection, row: Row[Any]) -> bool:
    """Whether the message that would be sent next may be with the customer. The state alone forgets: it can be left."""
    kind = "dm" if row.dm_sent_at is None and row.opening_text is not None else "card"
    unproven = sa.or_(a.outcome.is_(None), a.outcome == "unknown")
    doubtful = sa.select(a.id).where(a.request_id == row.id, a.kind == kind, unproven)
    return row.state == State.UNKNOWN or connection.scalar(doubtful.limit(1)) is not None


def _resume_at(row: Row[Any]) -> State:
    """The furthest state whose facts are on the row. Where X said we may not write, it is asked again."""
    if row.x_user_id is None or row.card_text is None:
        return State.RECEIVED
    if row.dm_sent_at is not None:
        return State.DM_SENT
    if row.can_dm and row.reason != Skip.CANNOT_DM:
        return State.DM_ALLOWED
    return State.RECEIVED


def _campaign(row: Row[Any]) -> str | None:
    """Where there are no texts to send, the campaign is chosen anew: X takes no card without a message."""
    return None if row.card_text is None else row.campaign
