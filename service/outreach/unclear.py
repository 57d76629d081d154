"""Clearing up sends whose outcome nobody knows: in, an account and its client; out, each proven sent or unsent.

Looks for evidence that costs nothing first (a feedback object that arrived), then reads X's DM list back to the oldest
unclear send: one reading clears up all of an account's. The list lags, so absence proves nothing before the lag - and,
where we died during the call, the life of our signature - is over. Never sends anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Row

from service.db import reading, writing
from service.ids import new_id
from service.models import IS_OPEN, IS_UNPROVEN, account_state, feedback_request, result, send_attempt
from service.outreach import accounts
from service.outreach.alike import reads, went
from service.outreach.ledger import CLOCKS_DIFFER, Queue, tell, write
from service.outreach.machine import UNCLEAR, UNTOLD, Advance, Outcome, Retry, Stop
from service.requests.changes import UNSEALED
from service.settings import Account
from service.states import OPEN_STATES, State
from service.x_api import RateLimited, XClient, XError, allowance
from service.x_api.facts import DirectMessage
from service.x_api.texts import nearly_same_text, same_text

log = structlog.get_logger(__name__)
a = send_attempt.c
r = feedback_request.c
s = account_state.c

CLOCK_SLACK = timedelta(minutes=2)  # between X's clock and ours, and between our machines'
EVER = datetime.min.replace(tzinfo=UTC)  # the list was read to its end
PAGES_AT_MOST = 100
ALIKE = "X shows a message so like this one that it may be it."
LOOKS = (1 / 6, 1 / 2, 1.0)  # when to look, as parts of the wait after which absence is proof
AGAIN = 1 / 3  # of the list's lag: when to look again after a look that X cut short


@dataclass(frozen=True, slots=True)
class Open:
    """One unclear send: what to look for, since when, and from when on absence is proof."""

    attempt_id: str
    request: Row[Any]
    kind: str
    intended_at: datetime
    since: datetime  # when X's answer, or our death, left it unclear
    settles_at: datetime
    not_before: datetime  # X may date the message as much earlier as it takes our clock to be wrong
    gives_up_at: datetime | None  # None: nobody has had the time to look yet

    @property
    def text(self) -> str:
        """What the customer would have got."""
        return str(self.request.opening_text if self.kind == "dm" else self.request.card_text)


@dataclass(frozen=True, slots=True)
class Listing:
    """What X's DM list showed from `read_at` on: messages newest first, without a gap back to `reaches`.

    `reaches` is None where a message could not be read: it might be the one we look for, so absence proves nothing.
    """

    messages: Sequence[DirectMessage]
    reaches: datetime | None
    read_at: datetime

    def covers(self, each: Open) -> bool:
        """Whether the send would be among the messages, if X had it."""
        return self.reaches is not None and self.reaches < each.not_before


def look_up_once(queue: Queue, account: Account, x: XClient, clock: Callable[[], datetime]) -> int:
    """Clear up what can be cleared up for one account now; return how many sends were."""
    now = clock()
    with reading(queue.engine) as connection:
        opened = _open(connection, account, now)
        looked_at = connection.scalar(sa.select(s.looked_at).where(s.account == account.name))
    if not opened:
        return 0
    settled = _by_feedback(queue, opened, now)
    opened = [each for each in opened if each.attempt_id not in settled]
    if not any(is_due(each, looked_at, now) for each in opened):
        return len(settled)
    token = _lease(queue, account, now)
    if token is None:
        return len(settled)
    listing = _read_list(queue, account, x, min(each.not_before for each in opened), clock)
    cleared = sum(_clear_up(queue, each, listing, clock()) for each in opened)
    whole = all(listing.covers(each) for each in opened)
    _unlease(queue, account, token, clock(), looked_at=listing.read_at if whole else None)
    return len(settled) + cleared


def is_due(each: Open, looked_at: datetime | None, now: datetime) -> bool:
    """Say whether a look is worth one of the few calls: early for good news, then when absence is proof."""
    wait = each.settles_at - each.since
    looks = [each.since + wait * part for part in LOOKS]
    passed = [look for look in looks if look <= now]
    return bool(passed) and (looked_at is None or looked_at < passed[-1] or looked_at > now)


def attach_once(queue: Queue, now: datetime, limit: int = 100) -> int:
    """Attach feedback objects that appeared later to requests that ended unknown or without their feedback id."""
    found = (
        sa.select(feedback_request, result.c.feedback_id.label("found_id"))
        .join(result, result.c.request_id == r.id)
        .where(IS_UNPROVEN, r.erased_at.is_(None), r.account.in_(list(queue.settings.accounts)))
        .limit(limit)
    )
    with reading(queue.engine) as connection:
        rows = connection.execute(found).all()
    for row in rows:
        with writing(queue.engine) as connection:
            _attach(connection, queue, row, now)
    return len(rows)


def _attach(connection: Connection, queue: Queue, row: Row[Any], now: datetime) -> None:
    values = {"feedback_id": row.found_id, "card_sent_at": row.card_sent_at or row.outcome_at, "updated_at": now}
    fresh = sa.update(feedback_request).where(r.id == row.id, r.state == row.state).values({**values, **UNSEALED})
    if row.state == State.UNKNOWN:
        fresh = fresh.values(state=State.CARD_SENT, reason=None, detail=None)
    if connection.execute(fresh).rowcount == 1:
        tell(connection, queue, row, State.CARD_SENT, "attached", "feedback_appeared", now)
        connection.execute(
            sa.update(send_attempt)
            .where(a.request_id == row.id, a.kind == "card", a.outcome.is_distinct_from("not_sent"))
            .values(outcome="sent", x_id=row.found_id, evidence="feedback")
        )


def _open(connection: Connection, account: Account, now: datetime) -> list[Open]:
    """Unclear sends: X's answer was unclear, or the worker that sent it lost its lease."""
    abandoned = r.lease_until.is_(None) | (r.lease_until <= now)
    rows = connection.execute(
        sa.select(feedback_request, a.id.label("attempt_id"), a.kind, a.intended_at, a.answered_at)
        .join(send_attempt, a.request_id == r.id)
        .where(a.account == account.name, a.outcome.is_(None), IS_OPEN, abandoned)
        .order_by(a.intended_at)
        .limit(500)
    ).all()
    return [_opened(row, account) for row in rows]


def _opened(row: Row[Any], account: Account) -> Open:
    since = row.answered_at or row.intended_at
    # Where X answered it was done with the call. Where nobody answered, the call may still be on its way: X takes it
    # as long as its signature is young enough.
    alive = timedelta(0) if row.answered_at else account.signature_tolerance
    return Open(
        attempt_id=row.attempt_id,
        request=row,
        kind=row.kind,
        intended_at=row.intended_at,
        since=since,
        # The clock that reads the list may be another machine's, or have been put right since.
        settles_at=since + alive + account.list_lag + min(CLOCK_SLACK, account.list_lag),
        not_before=row.intended_at - max(CLOCK_SLACK, account.signature_tolerance),
        gives_up_at=max(row.intended_at + account.unknown_after, row.scheduled_at) if row.reason == UNCLEAR else None,
    )


def _by_feedback(queue: Queue, opened: Sequence[Open], now: datetime) -> set[str]:
    cards = [each for each in opened if each.kind == "card"]
    if not cards:
        return set()
    with reading(queue.engine) as connection:
        wanted = sa.select(result.c.request_id, result.c.feedback_id)
        rows = connection.execute(wanted.where(result.c.request_id.in_([each.request.id for each in cards])))
        appeared = {row.request_id: row.feedback_id for row in rows}
    proven = [each for each in cards if each.request.id in appeared]
    for each in proven:
        facts = {"feedback_id": appeared[each.request.id], "card_sent_at": each.intended_at}
        _conclude(queue, each, Advance(State.CARD_SENT, facts), "sent", "feedback", facts["feedback_id"], now)
    return {each.attempt_id for each in proven}


def _read_list(queue: Queue, account: Account, x: XClient, back_to: datetime, clock: Callable[[], datetime]) -> Listing:
    """Read the list back to `back_to`. An empty page is not the end; only a missing cursor is."""
    read_at, cursor, seen, messages, readable = clock(), None, set[str | None](), list[DirectMessage](), True
    oldest = read_at
    for _ in range(PAGES_AT_MOST):
        if cursor in seen or not _may_list(queue, account, clock()):
            break
        seen.add(cursor)
        try:
            page = x.list_dms(cursor).value
        except XError as error:
            _note_failure(queue, account, error, clock())
            break
        messages.extend(page.events)
        times = [each.created_at for each in page.events if each.created_at is not None]
        readable = readable and not page.problems and len(times) == len(page.events)
        oldest, cursor = min([oldest, *times]), page.next_cursor
        if cursor is None or oldest < back_to:
            oldest = EVER if cursor is None else oldest
            break
    return Listing(messages, oldest if readable else None, read_at)


def _may_list(queue: Queue, account: Account, now: datetime) -> bool:
    with writing(queue.engine) as connection:
        limit = account.lookups_per_window
        return allowance.take(connection, account.name, "list_dms", limit, account.window, now) is None


def _note_failure(queue: Queue, account: Account, error: XError, now: datetime) -> None:
    log.warning("lookup_failed", account=account.name, reason=error.reason, x_code=error.code)
    with writing(queue.engine) as connection:
        accounts.hold_if_refused(connection, account.name, error.reason, error.code, now)
        if isinstance(error, RateLimited):
            until = error.reset_at or now + account.window
            allowance.exhausted(connection, account.name, "list_dms", until, now)


def _clear_up(queue: Queue, each: Open, listing: Listing, now: datetime) -> bool:
    theirs = [message for message in listing.messages if _may_be_it(each, message, queue)]
    found = next((message for message in theirs if reads(same_text, each.text, message)), None)
    if found is not None:
        return _conclude(queue, each, _arrived(each, found), "sent", "dm_list", found.id, now)
    if listing.covers(each) and listing.read_at >= each.settles_at:
        if any(reads(nearly_same_text, each.text, message) for message in theirs):
            # It may be ours, shown in another way than we know: to send again may be a second message.
            return _conclude(queue, each, Stop(State.UNKNOWN, "unclear_send", ALIKE), "unknown", "alike", None, now)
        again = Retry("proven_unsent", "X's DM list does not have it.")
        return _conclude(queue, each, again, "not_sent", "dm_list", None, now)
    if each.gives_up_at is not None and now >= each.gives_up_at:
        return _conclude(queue, each, Stop(State.UNKNOWN, "unclear_send", UNTOLD), "unknown", None, None, now)
    return False


def _may_be_it(each: Open, message: DirectMessage, queue: Queue) -> bool:
    known = {each.request.dm_event_id, each.request.card_dm_id}
    us = queue.settings.accounts[each.request.account].user_id
    return message.id not in known and went(message, us, each.request.x_user_id, each.not_before)


def _arrived(each: Open, message: DirectMessage) -> Outcome:
    if each.kind == "dm":
        facts = {"dm_event_id": message.id, "dm_sent_at": message.created_at}
        return Advance(State.DM_SENT, facts)
    return Advance(State.CARD_SENT, {"card_dm_id": message.id, "card_sent_at": message.created_at})


def _conclude(
    queue: Queue, each: Open, outcome: Outcome, verdict: str, evidence: str | None, x_id: str | None, now: datetime
) -> bool:
    """Close the attempt and move the request on, unless somebody else has done so meanwhile."""
    with writing(queue.engine) as connection:
        row = connection.execute(sa.select(feedback_request).where(r.id == each.request.id).with_for_update()).one()
        closed = connection.execute(
            sa.update(send_attempt)
            .where(a.id == each.attempt_id, a.outcome.is_(None))
            .values(outcome=verdict, evidence=evidence, x_id=x_id, settled_at=now)
        )
        if closed.rowcount == 0:
            return False
        if row.state in OPEN_STATES:  # somebody may have ended it while we read: an erasure, a supervisor
            # Whoever still thinks he holds the lease must not record over what X has told us: `write` ends it.
            write(connection, queue, row, outcome, now)
        log.info("send_cleared_up", request_id=row.id, kind=each.kind, verdict=verdict, evidence=evidence)
    return True


def _lease(queue: Queue, account: Account, now: datetime) -> str | None:
    """One look at a time per account, across all workers."""
    token = new_id("lk", now)
    lease = queue.settings.worker.lease * 2
    free = (
        s.lookup_lease_until.is_(None)
        | (s.lookup_lease_until <= now)
        | (s.lookup_lease_until > now + lease + CLOCKS_DIFFER)
    )
    with writing(queue.engine) as connection:
        taken = connection.execute(
            sa.update(account_state)
            .where(s.account == account.name, free)
            .values(lookup_lease_token=token, lookup_lease_until=now + lease)
        )
    return token if taken.rowcount == 1 else None


def _unlease(queue: Queue, account: Account, token: str, now: datetime, *, looked_at: datetime | None) -> None:
    """Note a whole look. One that was not whole (None) comes again soon, but not at once: the list has few calls."""
    values = {"lookup_lease_until": None, "looked_at": looked_at}
    if looked_at is None:
        values = {"lookup_lease_until": now + min(account.list_lag * AGAIN, queue.settings.worker.lease)}
    with writing(queue.engine) as connection:
        connection.execute(
            sa.update(account_state)
            .where(s.account == account.name, s.lookup_lease_token == token)
            .values(lookup_lease_token=None, **values)
        )
