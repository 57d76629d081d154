"""Claiming and recording: the two short transactions around every call to X.

    claim   pick what is due, lease it, decide what needs no call, commit the intent to send
    record  what X said, the new state, its line of history - and the next intent, if any

No transaction is open during the call. Every write carries the lease token, so a worker paused past its lease cannot
record over its successor. The one exception: the outcome of a send is written as long as nobody knows it, because X
says it only once. Never calls X.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from service.accounts import holds, refused_ways, standing, unexplained_refusals, windows, x_outage
from service.accounts.holds import Away, Hold, Pause, UnexplainedRefusal
from service.accounts.refused_ways import Bar
from service.accounts.standing import Locked
from service.accounts.unexplained_refusals import limit_of
from service.customers import identities
from service.db import reading, writing
from service.db.leases import beyond, has_ended
from service.db.outages import is_away
from service.ids import new_id
from service.outreach.answers import ACCOUNT_HELD, LIMITED, StepResult
from service.outreach.campaigns import languages_of
from service.outreach.context import Workplace
from service.outreach.evidence import arrived_before
from service.outreach.prepare import Intent, prepare
from service.outreach.request_facts import FactsReader
from service.outreach.row_locks import still_mine, still_unsettled
from service.requests import leases, sends
from service.requests.leases import Lease
from service.requests.machine import apply
from service.requests.outcomes import Advance, Note, Outcome, Postpone, Retry, Stop, Unclear
from service.requests.queries import locked
from service.requests.request import Request
from service.requests.writer import record_outcome, store, write
from service.settings import Account
from service.states import PROVEN_UNSENT, Doubt, State
from service.ways.links import Links
from service.x_api import STOPS_READING

log = structlog.get_logger(__name__)
PASSES_WITHIN = 4  # failed tries, some six minutes
DUE_AND_AWAKE = leases.DUE.where(sa.not_(sa.func.coalesce(standing.RESTS, sa.false())))


@dataclass(frozen=True, slots=True)
class Ready:
    """A leased request whose next X call is committed to. `attempt_id` is set if the call writes to the customer."""

    request: Request
    account: Account
    endpoint: str
    lease_token: str
    intended_at: datetime
    attempt_id: str | None
    links: Links
    languages: Sequence[str]


@dataclass(frozen=True, slots=True)
class Claimed:
    """How many due requests were taken, and those whose next step needs X."""

    picked: int
    ready: list[Ready]


NOTHING_CLAIMED = Claimed(0, [])


def due_accounts(place: Workplace, names: Iterable[str], now: datetime) -> Sequence[str]:
    """Return the accounts that have something due and are neither held nor paused."""
    with reading(place.engine) as connection:
        far = beyond(now, place.settings.worker.lease)
        return connection.scalars(DUE_AND_AWAKE, {"among": list(names), "far": far, **standing.at(now)}).all()


def claim(place: Workplace, account: Account, limit: int, now: datetime) -> Claimed:
    """Lease up to `limit` due requests of the account and take them as far as possible without a call to X."""
    lease, at = Lease(new_id("ls", now), now + place.settings.worker.lease), ""
    try:
        with writing(place.engine) as connection:
            if not standing.lock_if_free(connection, account.name, now):
                return NOTHING_CLAIMED
            requests, walked = leases.take_due(connection, account.name, limit, lease, now), []
            for request in requests:
                at = request.id
                walked.append(_walk(connection, place, request, request, account, lease.token, now))
    except Exception as error:
        if is_away(error) or not at:
            raise
        # A bug with one request must not hold up the others of its account, which were rolled back with it.
        log.exception("request_not_decided", request_id=at, error=type(error).__name__)
        _set_aside(place, at, type(error).__name__, now)
        return Claimed(1, [])
    return Claimed(len(requests), [ready for ready in walked if ready is not None])


def taken_up(place: Workplace, account: Account, request_id: str, token: str, now: datetime) -> Ready | None:
    """Do what `claim` does for a request that the caller has already leased."""
    with writing(place.engine) as connection:
        mine = still_mine(connection, request_id, token, now)
        if mine is None or mine.account.rests:
            return None
        return _walk(connection, place, mine.request, mine.request, account, token, now)


def record(place: Workplace, ready: Ready, found: StepResult, now: datetime, *, go_on: bool = True) -> Ready | None:
    """Write what X said; return the next ready step of the same request, if it may continue at once.

    Returns None and writes nothing if the lease has passed to another worker that knows as much, or if this same
    record is repeated because it was unknown whether its commit had succeeded, and it had.
    """
    try:
        return _record(place, ready, found, now, go_on=go_on)
    except Exception as error:
        if is_away(error):
            raise
        # What X said must be kept, even if the step after it has a bug.
        log.exception("next_step_not_decided", request_id=ready.request.id, error=type(error).__name__)
        return _record(place, ready, found, now, go_on=False)


def _record(place: Workplace, ready: Ready, found: StepResult, now: datetime, *, go_on: bool) -> Ready | None:
    with writing(place.engine) as connection:
        this = ready.request.id
        mine = still_mine(connection, this, ready.lease_token, now)
        mine = mine or still_unsettled(connection, this, ready.attempt_id, now)
        if mine is None or mine.request.state is not ready.request.state:
            log.warning("lease_lost", request_id=this, state=ready.request.state)
            return None
        was, request = mine.account, mine.request
        _settle(connection, ready, found, now)
        found = _about_us(connection, ready, arrived_before(connection, ready.attempt_id, found, now), now)
        _take_effect(connection, ready, found, was, now)
        if was.x_was_away and not isinstance(found.effect, Away):
            x_outage.ended(connection, ready.account.name)
        _remember_handle(connection, request, found.outcome, now)
        after = record_outcome(connection, request, found.outcome, now, place.writer)
        if not go_on or was.rests or found.effect is not None or not _is_due(after, now):
            store(connection, request, after, now)
            return None
        return _walk(connection, place, request, after, ready.account, ready.lease_token, now)


def give_back(place: Workplace, ready: Ready, now: datetime) -> None:
    """Return a claimed request whose call was never made, because we are shutting down or it took too long to begin."""
    with writing(place.engine) as connection:
        this = ready.request.id
        mine = still_mine(connection, this, ready.lease_token, now)
        waits = None if mine is not None else still_unsettled(connection, this, ready.attempt_id, now)
        if mine is None and waits is None:
            return
        if ready.attempt_id is not None:
            sends.settle(connection, ready.attempt_id, "not_sent", "never_begun", now)
        if waits is None:
            leases.release(connection, this)
        else:  # whoever took it over is waiting for the outcome of this send
            write(
                connection, waits.request, Postpone(now, PROVEN_UNSENT, "The call was never begun."), now, place.writer
            )


def _walk(
    connection: Connection,
    place: Workplace,
    stored: Request,
    request: Request,
    account: Account,
    token: str,
    now: datetime,
) -> Ready | None:
    """Decide until a call is needed or the request has to wait; then write it once."""
    reader = FactsReader(connection, place.hash_key)
    while True:
        found = prepare(connection, place, account, request, now, reader)
        if isinstance(found, Intent):
            lease = Lease(token, now + place.settings.worker.lease)
            attempt_id = None if found.kind is None else sends.intend(connection, request, found.kind, now)
            store(connection, stored, leases.taken(request, lease), now)
            languages = languages_of(request, place.settings.campaigns)
            return Ready(request, account, found.endpoint, token, now, attempt_id, place.links, languages)
        request = record_outcome(connection, request, found, now, place.writer)
        if not _is_due(request, now) or _waits(found):
            store(connection, stored, request, now)
            return None


def _settle(connection: Connection, ready: Ready, found: StepResult, now: datetime) -> None:
    if ready.attempt_id is None:
        return
    match found.outcome:
        case Advance():
            sends.settle(connection, ready.attempt_id, "sent", "answer", now, found.x_id)
        case Unclear(answered=True):
            sends.answered(connection, ready.attempt_id, now)
        case Unclear() | Note():
            pass
        case _:
            sends.settle(connection, ready.attempt_id, "not_sent", "refused", now)


def _about_us(connection: Connection, ready: Ready, found: StepResult, now: datetime) -> StepResult:
    """Several customers in a row met this refusal, so it says nothing about this one: hold until a person looks.

    One who meets it again and again says nothing new: a few of them alone in the night must not hold the account. That
    X does not accept our keys is about nobody, though, so what has not passed in some minutes holds, unless X accepted
    such a call of somebody else meanwhile.
    """
    detail, account, attempts = getattr(found.outcome, "detail", None), ready.account.name, ready.request.attempts
    match found.effect:
        case UnexplainedRefusal(endpoint, code, reason) if ready.request.reason != reason:
            if unexplained_refusals.is_about_us(connection, account, endpoint, ready.request.id):
                return replace(found, outcome=Postpone(now, ACCOUNT_HELD, detail), effect=Hold(code, reason))
        case UnexplainedRefusal(endpoint, code, reason) if reason in STOPS_READING and attempts >= PASSES_WITHIN:
            if unexplained_refusals.stands(connection, account, endpoint, ready.request.id):
                return replace(found, outcome=Postpone(now, ACCOUNT_HELD, detail), effect=Hold(code, reason))
    return found


def _take_effect(connection: Connection, ready: Ready, found: StepResult, was: Locked, now: datetime) -> None:
    name = ready.account.name
    match found.effect:
        case Hold() as why:
            holds.hold(connection, name, why, now)
        case Away():
            x_outage.began(connection, name, now)
        case Bar(way, code):
            refused_ways.bar(connection, name, way, code, now)
        case Pause(until, None, None):
            holds.pause(connection, name, until, now)
        case Pause(until, None, datetime() as first):
            again = ready.request.reason == LIMITED
            about_us = not again and unexplained_refusals.is_about_us(
                connection, name, limit_of(ready.endpoint), ready.request.id
            )
            holds.pause(connection, name, until if about_us else first, now)
        case Pause(until, str(endpoint)):
            windows.exhausted(connection, name, endpoint, until, now)
        case None if was.met_unexplained and isinstance(found.outcome, Advance | Note):
            unexplained_refusals.went_well(connection, name, ready.endpoint)


def _remember_handle(connection: Connection, request: Request, outcome: Outcome, now: datetime) -> None:
    """Keep the id X gave for a handle, and when."""
    if request.x_handle is None or not isinstance(outcome, Advance) or outcome.learnt.x_user_id is None:
        return
    identities.remember(connection, request.x_handle, outcome.learnt.x_user_id, now)


def _set_aside(place: Workplace, request_id: str, error: str, now: datetime) -> None:
    """Postpone a request that cannot be decided, longer each time, so that it does not block the others."""
    with writing(place.engine) as connection:
        request, lease = locked(connection, request_id), place.settings.worker.lease
        if request is None or not request.is_open or not has_ended(request.lease_until, now, lease):
            return
        aside: Outcome = Retry("internal_error", error)
        over = not apply(request, aside, now, place.writer.policy).request.is_open
        if over and sends.is_unclear(connection, request_id):  # the customer may have it: that is not a failure
            aside = Stop(State.UNKNOWN, Doubt.UNCLEAR_SEND, error)
        write(connection, request, aside, now, place.writer)


def _waits(found: Outcome) -> bool:
    """Whether to stop deciding for now, even if the request already seems due again."""
    return isinstance(found, Unclear) or (isinstance(found, Postpone) and found.plan is None)


def _is_due(request: Request, now: datetime) -> bool:
    return request.is_open and request.scheduled_at <= now
