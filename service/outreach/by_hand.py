"""What operators may do to a request by hand: retry, cancel, complete. All of it is in the access log.

None of it can break a promise: gates, limits and look-ups prevent a second message as ever. What may already have
reached the customer is sent again only if the operator says so explicitly.
"""

from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from service.auth import log_access
from service.db import writing
from service.db.leases import has_ended
from service.errors import Conflict, NotFound
from service.outreach.context import Workplace
from service.requests import restored, sends
from service.requests.outcomes import Outcome, Resume, Stop
from service.requests.queries import appeared, locked
from service.requests.request import Request
from service.requests.writer import write
from service.states import BY_HAND, Skip, State

NOT_STALE_FOR = timedelta(hours=24)  # after a person has decided that the customer is to be asked


def retry(place: Workplace, request_id: str, *, by: str, accept_second_message: bool, now: datetime) -> State:
    """Resume an ended request where its facts allow; return its state. Raises NotFound or Conflict."""
    with writing(place.engine) as connection:
        request = _found(connection, request_id)
        if not BY_HAND[request.state]:
            raise Conflict(
                "not_retryable",
                f"The request is '{request.state}': only skipped, failed or unknown requests can be retried.",
            )
        _demand_somebody(request)
        _demand_no_card(connection, request_id)
        if not accept_second_message and _may_have_arrived(connection, request):
            raise Conflict(
                "may_be_second_message",
                "The customer may already have this message. If a second one is acceptable, add "
                "--i-accept-a-second-message.",
            )
        was, back = request.state, Resume(_furthest(request), "retried", now + NOT_STALE_FOR)
        state = _write(connection, place, request, back, by, now)
        log_access(connection, by, "request.retry", {"request_id": request_id, "from": was}, now)
    return state


def cancel(place: Workplace, request_id: str, *, by: str, now: datetime) -> State:
    """End an open request; return its state. Raises NotFound, or Conflict while a call to X is under way."""
    with writing(place.engine) as connection:
        request = _found(connection, request_id)
        if not request.is_open:
            raise Conflict("already_ended", f"The request has already ended: {request.state}.")
        if not has_ended(request.lease_until, now, place.settings.worker.lease):
            raise Conflict("in_flight", "A call to X is in progress for this request; try again in a few seconds.")
        if sends.is_unclear(connection, request_id):
            raise Conflict(
                "being_looked_up",
                "dm-feedback is checking at X whether a message of this request was sent; try again when that is done.",
            )
        lost = restored.lost_since(connection, place.restores, request, request.next_message)
        if lost is not None and request.x_user_id is not None:  # the customer may have it: the cool-down counts it
            sends.suppose(connection, request, request.next_message, lost, now)
        end = sends.unless_unclear(connection, request_id, Stop(State.SKIPPED, Skip.CANCELLED))
        state = _write(connection, place, request, end, by, now)
        log_access(connection, by, "request.cancel", {"request_id": request_id}, now)
    return state


def complete(place: Workplace, request_id: str, x_user_id: str, *, by: str, now: datetime) -> State:
    """Set who the customer of a `skipped(no_x_identity)` request is on X, and resume it. NotFound or Conflict."""
    with writing(place.engine) as connection:
        request = _found(connection, request_id)
        missing = (request.state, request.reason) == (State.SKIPPED, Skip.NO_X_IDENTITY)
        if not missing or request.erased_at is not None:
            raise Conflict(
                "identity_not_missing", "Only a request that was skipped because no X user was known can be completed."
            )
        back = Resume(State.RECEIVED, "identity_completed", now + NOT_STALE_FOR, x_user_id)
        state = _write(connection, place, request, back, by, now)
        log_access(connection, by, "request.complete", {"request_id": request_id}, now)
    return state


def _write(
    connection: Connection, place: Workplace, request: Request, outcome: Outcome, by: str, now: datetime
) -> State:
    return write(connection, request, outcome, now, place.writer_for(by)).state


def _found(connection: Connection, request_id: str) -> Request:
    request = locked(connection, request_id)
    if request is None:
        raise NotFound("unknown_request", f"There is no request '{request_id}'.")
    return request


def _demand_somebody(request: Request) -> None:
    if request.erased_at is not None:
        raise Conflict("erased", "The customer was erased; there is nobody to write to.")
    # A conversation that came without an identity keeps its texts; what retention has forgotten has lost them too.
    forgotten = request.person is not None or (request.campaign is not None and request.card_text is None)
    nobody = request.x_user_id is None and request.x_handle is None and request.reason != Skip.NO_X_IDENTITY
    if nobody and forgotten:
        raise Conflict(
            "identity_forgotten",
            "The customer's identity was deleted after privacy.keep_identities, so there is nobody to write to. The "
            "customer's next conversation is asked about as usual.",
        )


def _demand_no_card(connection: Connection, request_id: str) -> None:
    if appeared(connection, [request_id]):
        raise Conflict(
            "card_is_out",
            "X has reported this request's card, so the customer already has it and must not get another.",
        )


def _may_have_arrived(connection: Connection, request: Request) -> bool:
    """Whether the next message may already be with the customer. The state alone does not tell: it can be left."""
    if request.state is State.UNKNOWN:
        return True
    return sends.may_have_arrived(connection, request.id, request.next_message)


def _furthest(request: Request) -> State:
    """The furthest state whose facts are on the row. If X said we may not write, it is asked again."""
    if request.x_user_id is None or request.card_text is None:
        return State.RECEIVED
    if request.dm_sent_at is not None:
        return State.DM_SENT
    if request.can_dm and request.reason != Skip.CANNOT_DM:
        return State.DM_ALLOWED
    return State.RECEIVED
