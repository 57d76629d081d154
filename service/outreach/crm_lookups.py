"""Looks customers up in the CRM for requests that came without an X identity.

`wanted` parks a request before a campaign is chosen, so that what is found can influence the choice. `look_up_once`
makes one look-up, with no transaction open meanwhile, and writes the result. A CRM that hangs holds nobody up: its
calls have threads of their own, and parked requests are not among what is due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from service.clock import Clock
from service.crm_api.look_up_result import LookUpResult
from service.customers import crm_matches
from service.customers.crm_matches import FoundIdentity
from service.db import reading, writing
from service.outreach.context import Workplace
from service.requests.outcomes import Learnt, Note, Outcome, Postpone, Stop
from service.requests.queries import locked
from service.requests.request import Request
from service.requests.restored import Restore
from service.requests.retry import wait
from service.requests.writer import write
from service.settings import Campaign
from service.sources import call_counts, holds, waiting
from service.sources.holds import SourceStanding
from service.sources.lookup_desk import Desk
from service.sources.waiting import Waiting
from service.states import Skip, State

LOOK_UP, LOOKED_UP = "look_up", "looked_up"
FORBIDDEN = "refused_403"
FORBIDDEN_FOR, OTHERS = timedelta(minutes=5), 2
A_DAY = timedelta(days=1)
ANSWERED = frozenset({"found", "nobody", "channel"})
AT_ONCE = 50  # requests decided in one transaction without a call
ELSEWHERE = "The CRM says that the conversation was not on X."


@dataclass(frozen=True, slots=True)
class ClaimedLookUp:
    """A request whose customer we are about to ask for."""

    request: Request
    waiting: Waiting


def wanted(connection: Connection, place: Workplace, request: Request, now: datetime) -> Outcome | None:
    """Return what becomes of a request whose customer must be looked up first; None: go on."""
    desk = place.desks.get(request.source)
    if desk is None or not _is_nobody(request):
        return None
    if desk.is_elsewhere(request.channel):
        return Stop(State.SKIPPED, Skip.CHANNEL, ELSEWHERE)
    until = _until(request, place.settings.campaigns, place.restores)
    if now >= until:
        return Stop(State.SKIPPED, Skip.STALE, "The customer could not be looked up in the CRM in time.")
    remembered = _remembered(connection, place, desk, request, now)
    if remembered is not None:
        return remembered
    waiting.want(connection, request.id, desk.source, _customer(place, desk, request), now)
    return Postpone(until, LOOK_UP)


def look_up_once(place: Workplace, desk: Desk, clock: Clock) -> bool:
    """Ask the CRM for one customer, if one waits and the limits allow it; False: nothing to do for now."""
    now = clock()
    with reading(place.engine) as connection:
        if not waiting.anything_due(connection, desk.source, now) or holds.rests(connection, desk.source, now):
            return False
    with writing(place.engine) as connection:
        taken = _take(connection, place, desk, clock())
    if not isinstance(taken, ClaimedLookUp):
        return taken
    request = taken.request
    known = {
        "conversation_id": request.conversation_id, "customer_ref": request.customer_ref, "tenant": request.tenant,
        "channel": request.channel, "agent_id": request.agent_id,
    }  # fmt: skip
    looked = desk.ask(known, clock())
    with writing(place.engine) as connection:
        _record(connection, place, desk, taken, looked, clock())
    return True


def _take(connection: Connection, place: Workplace, desk: Desk, now: datetime) -> ClaimedLookUp | bool:
    """Take the next customer. One who is already known, or no longer waits, is settled at once; True: only such."""
    stands = holds.lock(connection, desk.source)
    if stands.rests(now) or waiting.flying(connection, desk.source, now) >= desk.at_once:
        return False
    settled = False
    for each in waiting.next_due(connection, desk.source, now, AT_ONCE):
        request = locked(connection, each.request_id)
        assert request is not None, "nobody deletes a request"
        if not _waits(request):
            waiting.done(connection, each.request_id)
            settled = True
            continue
        remembered = _remembered(connection, place, desk, request, now)
        if remembered is not None:
            _finish(connection, place, desk, request, remembered, now)
            settled = True
            continue
        if not holds.spend(connection, desk.source, desk.calls, desk.per_minute, now):
            return False
        return ClaimedLookUp(request, waiting.take(connection, each, now))
    return settled


def _record(
    connection: Connection, place: Workplace, desk: Desk, taken: ClaimedLookUp, looked: LookUpResult, now: datetime
) -> None:
    stands = holds.lock(connection, desk.source)
    request = locked(connection, taken.request.id)
    if not waiting.is_mine(connection, taken.waiting):
        return  # we were paused past our lease: somebody else asks
    assert request is not None, "nobody deletes a request"
    if not _waits(request):
        waiting.done(connection, taken.request.id)  # cancelled, completed or erased meanwhile
        return
    if looked.problem is not None:
        _put_back(connection, desk, stands, taken.waiting, looked, now)
        return
    holds.answered(connection, stands, now)
    customer = _customer(place, desk, request)
    if customer is not None and looked.on_x is not False:
        said = FoundIdentity(looked.x_user_id, looked.x_handle, looked.trust, looked.language)
        crm_matches.remember(connection, desk.source, customer, said, now)
    _finish(connection, place, desk, request, _outcome(looked), now)


def _put_back(
    connection: Connection, desk: Desk, stands: SourceStanding, taken: Waiting, looked: LookUpResult, now: datetime
) -> None:
    """The CRM said nothing about the customer: hold one that refuses us, pause one that asks for time, retry others.

    A CRM may refuse one ticket to credentials that are good: that one waits, behind the others.
    """
    assert looked.problem is not None, "it brought nothing"
    failed = taken.attempts + 1
    pause = min(wait(failed, taken.request_id), waiting.LONGEST)
    call_counts.count(connection, desk.source, looked.problem, now)
    match looked.problem:
        case "refused" if _why(looked) == FORBIDDEN:
            if _forbids_everybody(connection, stands, taken, now):
                holds.hold(connection, desk.source, FORBIDDEN, now)
            holds.went_away(connection, desk.source, now)
            waiting.put_back(connection, taken, now + pause, failed)
        case "refused":
            holds.hold(connection, desk.source, _why(looked), now)
            waiting.put_back(connection, taken, now, taken.attempts)
        case "limited":
            holds.pause(connection, desk.source, now + (looked.again_in or pause), now)
            waiting.put_back(connection, taken, now, failed)
        case _:
            holds.went_away(connection, desk.source, now)
            waiting.put_back(connection, taken, now + pause, failed)


def _forbids_everybody(connection: Connection, stands: SourceStanding, taken: Waiting, now: datetime) -> bool:
    """Whether a 403 concerns our credentials: nobody was answered since yesterday, or nobody for minutes.

    A ticket that is asked about again proves nothing: it may be alone. Where few are asked about so may the next.
    """
    ended = call_counts.since(connection, now - A_DAY).get(stands.source, {})
    if not ANSWERED & ended.keys():
        return True
    since = stands.away_since
    long = since is not None and since <= now - FORBIDDEN_FOR
    return taken.attempts == 0 and long and waiting.tried_in_vain(connection, stands.source) >= OTHERS


def _finish(
    connection: Connection, place: Workplace, desk: Desk, request: Request, outcome: Outcome, now: datetime
) -> None:
    call_counts.count(connection, desk.source, _word(outcome), now)
    write(connection, request, outcome, now, place.writer)
    waiting.done(connection, request.id)


def _word(outcome: Outcome) -> str:
    if isinstance(outcome, Stop):
        return "channel" if outcome.reason == Skip.CHANNEL else "nobody"
    return "found"


def _outcome(looked: LookUpResult) -> Outcome:
    learnt = Learnt(
        x_user_id=looked.x_user_id, x_handle=looked.x_handle, channel=looked.channel, language=looked.language,
        agent_id=looked.agent_id, team_id=looked.team_id, tags=looked.tags,
        identity_trust=looked.trust if looked.x_user_id or looked.x_handle else None,
    )  # fmt: skip
    if looked.on_x is False:
        return Stop(State.SKIPPED, Skip.CHANNEL, ELSEWHERE, learnt=learnt)
    if looked.x_user_id or looked.x_handle:
        return Note(LOOKED_UP, learnt)
    return Stop(State.SKIPPED, Skip.NO_X_IDENTITY, f"looked at {_looked_at(looked)}", learnt=learnt)


def _looked_at(looked: LookUpResult) -> str:
    """The calls by their templates: filled in they would be personal, and this stays in the ledger."""
    return ", ".join(f"{each.step} ({each.status or each.note})" for each in looked.asked) or "nothing"


def _why(looked: LookUpResult) -> str:
    last = looked.asked[-1] if looked.asked else None
    return "refused" if last is None or last.status is None else f"refused_{last.status}"


def _remembered(
    connection: Connection, place: Workplace, desk: Desk, request: Request, now: datetime
) -> Outcome | None:
    customer = _customer(place, desk, request)
    said = None if customer is None else crm_matches.known(connection, desk.source, customer, now)
    if said is None:
        return None
    if not said.somebody:
        return Stop(State.SKIPPED, Skip.NO_X_IDENTITY, "A lookup in the last hour found nobody.")
    learnt = Learnt(
        x_user_id=said.x_user_id, x_handle=said.x_handle, identity_trust=said.trust, language=said.language
    )  # fmt: skip
    return Note(LOOKED_UP, learnt)


def _customer(place: Workplace, desk: Desk, request: Request) -> str | None:
    """The keyed hash of a customer, if the answer may be kept for their next conversation."""
    if not desk.may_remember(request.customer_ref, request.channel):
        return None
    return crm_matches.hash_of(place.hash_key, desk.source, request.customer_ref)


def _is_nobody(request: Request) -> bool:
    """Whether the request has not begun and its customer is unknown."""
    named = request.x_user_id or request.x_handle
    return request.state is State.RECEIVED and not named and request.erased_at is None


def _waits(request: Request) -> bool:
    return _is_nobody(request) and request.reason == LOOK_UP


def _until(request: Request, campaigns: Sequence[Campaign], restores: Sequence[Restore]) -> datetime:
    """Until when it is worth asking: once we know the customer, any campaign might take the conversation.

    Who may have been asked before a restore is looked for from then on: X knows.
    """
    restored = (each.restored_at for each in restores if request.ended_at <= each.restored_at)
    stale_at = max([request.ended_at, *restored]) + max(each.stale_after for each in campaigns)
    return max(stale_at, request.stale_at or stale_at)
