"""Clears up sends whose outcome is unknown: each is proven sent or unsent. Never sends anything.

First looks for evidence that costs nothing (a feedback object, an answer), then reads X's DM list back to the oldest
unclear send; one reading clears up all of an account's (v2: of a customer's). The list lags, so absence proves nothing
before the lag is over and, if we died during the call, the lifetime of our signature; nor if the list hides what we
know to be there (`absence`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from service.accounts import dm_list, list_lease, x_outage
from service.accounts.dm_list import CLOCK_SLACK, DmListReader, Listing, settled_in
from service.clock import Clock
from service.db import reading, writing
from service.outreach.absence import (
    CONTROLLED,
    HIDES,
    held_to_what_we_know,
    newest_to_anybody,
)
from service.outreach.context import Workplace
from service.outreach.prepare import LATE
from service.requests import sends
from service.requests.outcomes import Advance, Attach, Learnt, Outcome, Retry, Stop
from service.requests.queries import answered, appeared, locked, proven_by, unproven
from service.requests.request import Attempt, Request
from service.requests.sends import Evidence, Verdict
from service.requests.writer import write
from service.settings import Account
from service.states import PROVEN, PROVEN_UNSENT, UNCLEAR, Doubt, Kind, State
from service.telemetry import traces
from service.ways.links import Links
from service.ways.listed import ExpectedMessage, is_it, is_nearly_it
from service.x_api import DirectMessage, XClient

log = structlog.get_logger(__name__)

PAGES_AT_MOST, CONTROL_PAGES = 100, 3
PAGES_WITH_ONE = 5  # of a list that does not end: the others' lists are read with the same calls
ALIKE = "X shows a message so similar that it may be this one."
LOOKS = (1 / 6, 1 / 2, 1.0)  # when to look, as fractions of the wait after which absence is proof
AGAIN = 1 / 3  # of the list's lag: when to look again after a look that X cut short


@dataclass(frozen=True, slots=True)
class UnclearSend:
    """One unclear send: what to look for, since when, and from when on its absence is proof."""

    request: Request
    attempt: Attempt
    wanted: ExpectedMessage  # X may date the message earlier by as much as it tolerates of our clock
    since: datetime  # when X's answer, or our death, left it unclear
    settles_at: datetime
    gives_up_at: datetime | None  # None: nobody has had the time to look yet


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of a send, how we know, and what follows for its request."""

    outcome: Outcome
    verdict: Verdict
    evidence: Evidence | None = None
    x_id: str | None = None


def look_up_once(place: Workplace, account: Account, x: XClient, clock: Clock) -> int:
    """Clear up what can be cleared up for one account now; return how many sends were."""
    now, lease = clock(), place.settings.worker.lease
    with reading(place.engine) as connection:
        left = sends.unclear(connection, account.name, now, lease)
        opened = [_opened(*each, account, place.links, now) for each in left]
        looked_at = list_lease.looked_at(connection, account.name) if opened else None
    if not opened:
        return 0
    settled = _by_what_came(place, opened, now)
    opened = [each for each in opened if each.attempt.id not in settled]
    if not any(is_due(each, looked_at, now) for each in opened):
        return len(settled)
    with writing(place.engine) as connection:
        token = list_lease.begin(connection, account.name, lease * 2, now, account.list_lag)
    if token is None:
        return len(settled)
    reader = DmListReader(place.engine, account, dm_list.whole_window(place.engine, account, token, lease * 2), clock)
    listings = _read_lists(reader, x, opened)
    cleared = sum(_clear_up(place, each, listing, clock()) for each, listing in listings)
    _end_look(place, account, token, listings, clock())
    return len(settled) + cleared


def is_due(each: UnclearSend, looked_at: datetime | None, now: datetime) -> bool:
    """Whether a look is worth one of the few calls: early on for good news, then once absence is proof."""
    wait = each.settles_at - each.since
    moments = [each.since + wait * part for part in LOOKS]
    passed = [moment for moment in moments if moment <= now]
    return bool(passed) and (looked_at is None or looked_at < passed[-1] or looked_at > now)


def attach_once(place: Workplace, now: datetime, limit: int = 100) -> int:
    """Attach what appeared later to requests that ended unknown or without their feedback id."""
    with reading(place.engine) as connection:
        found = unproven(connection, list(place.settings.accounts), limit)
    for request, feedback_id in found:
        with writing(place.engine) as connection:
            fresh = locked(connection, request.id)
            assert fresh is not None, "nobody deletes a request"
            if PROVEN[fresh.state] and fresh.feedback_id is None and fresh.erased_at is None:
                write(connection, fresh, Attach(feedback_id), now, place.writer)
                if (arrived := proven_by(fresh, feedback_id)) is not None:
                    sends.prove(connection, request.id, feedback_id, arrived)
    return len(found)


def _opened(request: Request, attempt: Attempt, account: Account, links: Links, now: datetime) -> UnclearSend:
    since = attempt.answered_at or attempt.intended_at
    # If X answered, it had finished with the call. Otherwise the call may still be on its way: X accepts it
    # as long as its signature is young enough.
    alive = timedelta(0) if attempt.answered_at else account.signature_tolerance
    given_up = max(attempt.intended_at + account.unknown_after, request.scheduled_at)
    looked = request.reason == UNCLEAR and now - given_up < account.unknown_after * LATE
    return UnclearSend(
        request=request,
        attempt=attempt,
        wanted=_wanted(request, attempt, account, links),
        since=since,
        settles_at=since + alive + settled_in(account),
        gives_up_at=given_up if looked else None,
    )


def _wanted(request: Request, attempt: Attempt, account: Account, links: Links) -> ExpectedMessage:
    return ExpectedMessage(
        sender_id=account.user_id,
        recipient_id=attempt.x_user_id,
        text=links.written_into(request.text_of(attempt.kind), request.id),
        not_before=attempt.intended_at - max(CLOCK_SLACK, account.signature_tolerance),
        known={request.dm_event_id, request.card_dm_id},
    )


def _by_what_came(place: Workplace, opened: Sequence[UnclearSend], now: datetime) -> set[str]:
    asked = [each for each in opened if each.attempt.kind is Kind.ASKING]
    if not asked:
        return set()
    ids = [each.request.id for each in asked]
    with reading(place.engine) as connection:
        cards, answers = appeared(connection, ids), answered(connection, ids)
    proven = [each for each in asked if each.request.id in cards.keys() | answers]
    for each in proven:
        feedback_id = cards.get(each.request.id)
        known = Learnt(feedback_id=feedback_id, card_sent_at=each.attempt.intended_at)
        evidence: Evidence = "answered" if feedback_id is None else "feedback"
        _conclude(place, each, Proof(Advance(State.CARD_SENT, known), "sent", evidence, feedback_id), now)
    return {each.attempt.id for each in proven}


def _read_lists(
    reader: DmListReader, x: XClient, opened: Sequence[UnclearSend]
) -> Sequence[tuple[UnclearSend, Listing]]:
    """Each send with the list that would show it: v1.1 has one for all, v2 one per person."""
    one_each = reader.account.api == "v2"
    groups: dict[str | None, list[UnclearSend]] = {}
    for each in opened:
        groups.setdefault(each.attempt.x_user_id if one_each else None, []).append(each)
    found = list[tuple[UnclearSend, Listing]]()
    # first: lists of many people may use up the calls of X's window
    shows = _shows_others(reader, x, opened) if one_each else {}
    for whom, group in groups.items():
        ask, most = (x.list_dms, PAGES_AT_MOST) if whom is None else (partial(x.list_dms_with, whom), PAGES_WITH_ONE)
        back_to = min(each.wanted.not_before for each in group) - CONTROLLED
        listing = reader.read_back(ask, back_to, pages_at_most=most, to_prove=True)
        hiding = replace(listing, readable=False, problem=HIDES)
        found += [(each, hiding if shows.get(_sort_of(each)) is False else listing) for each in group]
    told = [(each.request, each.attempt, listing) for each, listing in found]
    controlled = {each.attempt.id for each in opened if shows.get(_sort_of(each))}
    honest = held_to_what_we_know(reader.engine, reader.account, told, controlled=controlled)
    return [(each, listing) for (each, _), listing in zip(found, honest, strict=True)]


def _sort_of(each: UnclearSend) -> tuple[Kind, str | None]:
    """What X lists alike: openings, and the messages that ask in one way."""
    return each.attempt.kind, each.request.way if each.attempt.kind is Kind.ASKING else None


def _shows_others(
    reader: DmListReader, x: XClient, opened: Sequence[UnclearSend]
) -> Mapping[tuple[Kind, str | None], bool]:
    """Whether X lists our newest message of each sort to anybody; of none where nothing could be proven yet anyway."""
    shows = dict[tuple[Kind, str | None], bool]()
    for sort, about in {_sort_of(each): each for each in opened if reader.clock() >= each.settles_at}.items():
        known = newest_to_anybody(reader.engine, reader.account, about.request, about.attempt.kind, reader.clock())
        if not known:
            continue
        ask, back_to = partial(x.list_dms_with, known.x_user_id), known.intended_at - CONTROLLED
        theirs = reader.read_back(ask, back_to, pages_at_most=CONTROL_PAGES)
        shows[sort] = known.id in {message.id for message in theirs.messages}
        if not shows[sort]:
            messages, problem = len(theirs.messages), theirs.problem
            log.warning("dm_list_hides", account=reader.account.name, messages=messages, problem=problem)
    return shows


def _clear_up(place: Workplace, each: UnclearSend, listing: Listing, now: datetime) -> bool:
    found = next((message for message in listing.messages if is_it(each.wanted, message)), None)
    if found is not None:
        return _conclude(place, each, Proof(_arrived(each, found, now), "sent", "dm_list", found.id), now)
    if listing.proves_absence_since(each.wanted.not_before) and listing.read_at >= each.settles_at:
        if any(is_nearly_it(each.wanted, message) for message in listing.messages):
            # It may be ours, shown in an unknown way: sending again might send it twice.
            alike = Stop(State.UNKNOWN, Doubt.UNCLEAR_SEND, ALIKE)
            return _conclude(place, each, Proof(alike, "unknown", "alike"), now)
        again = Retry(PROVEN_UNSENT, "X's DM list does not have it.")
        return _conclude(place, each, Proof(again, "not_sent", "dm_list"), now)
    if each.gives_up_at is not None and now >= each.gives_up_at:
        stop = Stop(State.UNKNOWN, Doubt.UNCLEAR_SEND, Doubt.UNCLEAR_SEND.sentence)
        return _conclude(place, each, Proof(stop, "unknown"), now)
    return False


def _arrived(each: UnclearSend, message: DirectMessage, now: datetime) -> Outcome:
    at = None if message.created_at is None else min(message.created_at, now)
    if each.attempt.kind is Kind.OPENING:
        return Advance(State.DM_SENT, Learnt(dm_event_id=message.id, dm_sent_at=at))
    return Advance(State.CARD_SENT, Learnt(card_dm_id=message.id, card_sent_at=at))


def _conclude(place: Workplace, each: UnclearSend, proof: Proof, now: datetime) -> bool:
    """Close the attempt and move the request on, unless somebody else has done so meanwhile."""
    with writing(place.engine) as connection:
        request = locked(connection, each.request.id)
        assert request is not None, "nobody deletes a request"
        if not sends.settle(connection, each.attempt.id, proof.verdict, proof.evidence, now, proof.x_id):
            return False
        if request.is_open:  # an erasure or a supervisor may have ended it while we read
            # Whoever still thinks he holds the lease must not record over what X has told us: `write` ends it.
            write(connection, request, proof.outcome, now, place.writer)
    kind, verdict = each.attempt.kind, proof.verdict
    facts = {"account": each.request.account, "kind": kind.value, "verdict": verdict}
    traces.later(each.request.id, "send cleared up", traces.moment(), facts)
    log.info("send_cleared_up", request_id=each.request.id, kind=kind, verdict=verdict, evidence=proof.evidence)
    return True


def _end_look(
    place: Workplace, account: Account, token: str, listings: Sequence[tuple[UnclearSend, Listing]], now: datetime
) -> None:
    with writing(place.engine) as connection:
        if any(listing.pages for _, listing in listings):
            x_outage.ended(connection, account.name)
        read_at = min(listing.read_at for _, listing in listings)
        whole = all(listing.proves_absence_since(each.wanted.not_before) for each, listing in listings)
        if whole and any(read_at < each.settles_at <= now for each, _ in listings):
            # X's time is behind our clock: what settles by ours settles by X's so much later
            list_lease.end_short(connection, account.name, token, now + min(now - read_at, account.list_lag))
        elif whole:
            list_lease.end_whole(connection, account.name, token, now)
        else:
            far_enough = all(listing.reaches(each.wanted.not_before) for each, listing in listings)
            short = min(account.list_lag * AGAIN, place.settings.worker.lease)
            list_lease.end_short(connection, account.name, token, now + (account.list_lag if far_enough else short))
