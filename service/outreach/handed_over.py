"""A link for others to send: a CRM that owns the DM channel gets the link to a question page, or the reason why not.

The request ends here, as asked by the way `handed_over`: we send nothing more, and need no X identity. Every rule still
applies: whoever was not drawn, opted out, was asked lately or came back gets no link, as far as the customer's X id is
known. Asking twice gives the same link.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.accounts import standing
from service.auth import log_access
from service.db import writing
from service.db.leases import has_ended
from service.errors import Conflict, NotFound
from service.models import feedback_request
from service.outreach.campaigns import choose, conversation_of
from service.outreach.context import Workplace
from service.outreach.gates import closed
from service.outreach.prepare import asked_after
from service.outreach.removed_names import withheld
from service.outreach.request_facts import read_facts
from service.requests import restored, sends
from service.requests.outcomes import HandedOver, Outcome, Resume, Stop
from service.requests.queries import locked
from service.requests.request import Request
from service.requests.writer import write
from service.states import OPENED_STATES, OURS_ALONE, UNCLEAR, State
from service.ways import HANDED_OVER

fr = feedback_request.c


@dataclass(frozen=True, slots=True)
class HandedLink:
    """What the CRM gets."""

    request_id: str
    url: str
    handed_over_at: datetime


def account_of(connection: Connection, source: str, conversation_id: str) -> str | None:
    """Return the account of a conversation's newest end; a source may serve several accounts."""
    theirs = (fr.source == source, fr.conversation_id == conversation_id)
    return connection.scalar(sa.select(fr.account).where(*theirs).order_by(fr.ended_at.desc()).limit(1))


def hand_over(
    place: Workplace, account: str, source: str, conversation_id: str, *, by: str, now: datetime
) -> HandedLink:
    """Return the link for a conversation's newest end. Raises NotFound, or Conflict if there must be none."""
    with writing(place.engine) as connection:
        standing.lock(connection, account, now)  # as who sends: two asks of one customer must see each other
        request = _newest(connection, account, source, conversation_id)
        if request.erased_at is not None:
            raise NotFound("unknown_conversation", "There is no such conversation.")
        if request.way != HANDED_OVER:
            request = _given(connection, place, request, by, now)
        log_access(connection, by, "request.hand_over", {"request_id": request.id}, now)
    if request.state is not State.CARD_SENT:
        raise _not_asked(request)
    assert request.card_sent_at is not None, "written with the state"
    if request.card_sent_at + place.settings.reports.answer_window <= now:
        raise Conflict("link_expired", "The time to answer is over: the link leads to no page any more.")
    return HandedLink(request.id, place.links.to(request.id), request.card_sent_at)


def _newest(connection: Connection, account: str, source: str, conversation_id: str) -> Request:
    theirs = (fr.account == account, fr.source == source, fr.conversation_id == conversation_id)
    newest = connection.scalar(sa.select(fr.id).where(*theirs).order_by(fr.ended_at.desc()).limit(1))
    request = None if newest is None else locked(connection, newest)
    if request is None:
        raise NotFound("unknown_conversation", "There is no such conversation.")
    return request


def _given(connection: Connection, place: Workplace, request: Request, by: str, now: datetime) -> Request:
    """End the request as handed over, or as a rule says; either is recorded."""
    _demand_nothing_sent(connection, request, place.settings.worker.lease, now)
    if withheld(place.settings, request, now) is not None:
        raise Conflict("withdrawn", "The source or campaign of this conversation is no longer in the settings.")

    def tell(outcome: Outcome) -> Request:
        return write(connection, request, outcome, now, place.writer_for(by))

    if not request.is_open:
        request = tell(Resume(State.RECEIVED, "handed_over", now))
    if request.campaign is None:
        chosen = choose(
            conversation_of(request), place.settings.campaigns, place.settings.accounts[request.account],
            hash_key=place.hash_key, expected_per_day=0,
        )  # fmt: skip
        request = tell(chosen)
        if not request.is_open:
            return request
    stop = _forbidden(connection, place, request, now)
    return tell(HandedOver(HANDED_OVER) if stop is None else stop)


def _demand_nothing_sent(connection: Connection, request: Request, lease: timedelta, now: datetime) -> None:
    if not request.is_open:
        if request.reason in OURS_ALONE:
            return
        raise _not_asked(request)
    begun = request.state in OPENED_STATES or request.reason == UNCLEAR or sends.is_unclear(connection, request.id)
    lost = restored.lost_since(connection, restored.restores(connection), request, request.next_message)
    begun = begun or lost is not None
    held = not has_ended(request.lease_until, now, lease)
    if begun or (held and request.state is State.DM_ALLOWED):
        raise Conflict("being_asked", "dm-feedback is writing to this customer itself; there is no link to give out.")


def _forbidden(connection: Connection, place: Workplace, request: Request, now: datetime) -> Stop | None:
    """What would keep us from writing ourselves, including a recent question by any way."""
    account = place.settings.accounts[request.account]
    since = asked_after(place.settings, account, request, now)
    facts = read_facts(connection, request, asked_after=since, hash_key=place.hash_key)
    return closed(request.reason, request.stale_at, facts, now)


def _not_asked(request: Request) -> Conflict:
    if request.state is State.SKIPPED:
        return Conflict("not_asked", f"This conversation was skipped ({request.reason}): there is no link.")
    return Conflict("asked_already", f"This conversation's request is '{request.state}': there is no link to give out.")
