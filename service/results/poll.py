"""Reads `feedback/events`: every update the webhook may have lost, a day late.

`poll_once` makes at most one call to X between two short transactions; call it again at once while `more`. Time is cut
into consecutive windows; the cursor is stored with the page it follows, so anybody can continue in the middle. An empty
page is not the end, an empty cursor is. Never asks for times X does not serve yet, and never moves past a window it
could not read: `complete_until` is a promise.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine

from service.accounts import holds, task_leases, windows, x_outage
from service.clock import Clock
from service.db import reading, writing
from service.models import feedback_request, poll_window, send_attempt
from service.results.card import take_in
from service.results.ingest import NEWS
from service.settings import Account
from service.x_api import MessageRefused, RateLimited, Unexplained, UnknownToX, XAnswer, XClient, XError
from service.x_api.facts import FeedbackPage
from service.x_api.limits import CALLS_PER_WINDOW

TASK = "poll"
ENDPOINT = "list_feedback_events"
LIMIT = CALLS_PER_WINDOW[ENDPOINT]
FILED_LATE = timedelta(minutes=10)
"""X may file an event when its time has been read already: each window is read from a little before it."""

NOT_YET = timedelta(hours=6)
"""How long an empty page that leads to itself is asked for again, before it is taken for the end; where events wait for
seconds only, as in a sandbox, not longer than these."""

PAGES_AT_MOST = 1000
"""A window of more pages (100,000 events) is a cursor that runs in a circle."""

log = structlog.get_logger(__name__)
pw = poll_window.c


@dataclass(frozen=True, slots=True)
class PollReport:
    """What one `poll_once` did. `found_missing` counts answers that no other channel had reported."""

    outcome: Literal["idle", "read", "paused", "failed", "lost"]
    events: int = 0
    found_missing: int = 0
    unreadable: int = 0
    more: bool = False
    come_back_at: datetime | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What `reconcile` read again. Not `complete`: continue from `read_until`, not before `come_back_at`.

    Complete means all that X serves by now: if `served_until` is before the end of the range, the rest is yet to come.
    """

    pages: int
    events: int
    found_missing: int
    read_until: datetime
    served_until: datetime
    complete: bool
    come_back_at: datetime | None = None
    problem: str | None = None
    unreadable: int = 0

    def and_also(self, page: FeedbackPage, missing: int) -> "Reconciled":
        """The same with one more page."""
        return replace(
            self,
            pages=self.pages + 1,
            events=self.events + len(page.events),
            found_missing=self.found_missing + missing,
            unreadable=self.unreadable + len(page.problems),
        )


@dataclass(frozen=True, slots=True)
class _Turn:
    token: str
    from_time: datetime
    to_time: datetime
    cursor: str | None


def poll_once(engine: Engine, account: Account, client: XClient, now: datetime) -> PollReport:
    """Read the account's next page, if it is due and nobody else does."""
    with reading(engine) as connection:
        if not task_leases.may_begin(connection, account.name, TASK, now, account.poll_every):
            return PollReport("idle")
    with writing(engine) as connection:
        turn = _begin(connection, account, now)
    if isinstance(turn, PollReport):
        return turn
    try:
        answer = _ask(client, turn.from_time - FILED_LATE, turn.to_time, turn.cursor)
    except XError as error:
        with writing(engine) as connection:
            return _failed(connection, account, turn, error, now)
    with writing(engine) as connection:
        return _record(connection, account, turn, answer, now)


def complete_until(connection: Connection, account_name: str) -> datetime | None:
    """Up to when every event X has for this account has been read; None before the first window is done."""
    done = sa.select(pw.to_time).where(pw.account == account_name, pw.done_at.is_not(None))
    return connection.scalar(done.order_by(pw.from_time.desc()).limit(1))


def reconcile(
    engine: Engine, account: Account, client: XClient, from_time: datetime, to_time: datetime, clock: Clock
) -> Reconciled:
    """Read a range again, whatever was read before, as far as X serves it and the limits allow."""
    start, horizon = _milliseconds(from_time), _horizon(account, clock())
    last = min(_milliseconds(to_time), horizon)
    done = Reconciled(0, 0, 0, start, horizon, complete=start >= last)
    while not done.complete:
        window_end = min(done.read_until + account.poll_window, last)
        done = _read_again(engine, account, client, done, window_end, clock)
        if done.read_until < window_end:
            return done
        done = replace(done, complete=window_end == last)
    return done


def _read_again(
    engine: Engine, account: Account, client: XClient, done: Reconciled, window_end: datetime, clock: Clock
) -> Reconciled:
    """Read one more window page by page; what keeps it from its end is said in what is returned."""
    cursor, pages = None, 0
    while True:
        now = clock()
        with writing(engine) as connection:
            again = windows.take(connection, account.name, ENDPOINT, LIMIT, account.window, now)
        if again is not None:
            return replace(done, come_back_at=again)
        try:
            answer = _ask(client, done.read_until, window_end, cursor)
        except XError as error:
            with writing(engine) as connection:
                return replace(done, come_back_at=_noted(connection, account, error, now), problem=error.reason)
        with writing(engine) as connection:
            missing = _take_in(connection, account, answer, now)
        done, pages = done.and_also(answer.value, missing), pages + 1
        if _is_yet_to_come(answer.value, cursor, window_end, account, now):
            return replace(done, come_back_at=now + account.poll_every)
        cursor = _next(answer.value, cursor, pages, account)
        if cursor is None:
            return replace(done, read_until=window_end)


def _begin(connection: Connection, account: Account, now: datetime) -> _Turn | PollReport:
    token = task_leases.begin(connection, account.name, TASK, now, account.poll_every)
    if token is None:
        return PollReport("idle")
    turn = _window(connection, account, now, token)
    if turn is None:
        task_leases.end(connection, account.name, TASK, token, now + account.poll_every)
        return PollReport("idle")
    again = windows.take(connection, account.name, ENDPOINT, LIMIT, account.window, now)
    if again is not None:
        task_leases.end(connection, account.name, TASK, token, min(again, now + account.poll_every))
        return PollReport("paused", come_back_at=again)
    return turn


def _window(connection: Connection, account: Account, now: datetime, token: str) -> _Turn | None:
    """The window to continue, or the next one; None: X serves nothing new yet."""
    newest = sa.select(poll_window).where(pw.account == account.name).order_by(pw.from_time.desc()).limit(1)
    row = connection.execute(newest.where(pw.done_at.is_(None))).first()
    if row is not None and row.cursor is not None:
        return _Turn(token, row.from_time, row.to_time, row.cursor)
    start = row.from_time if row is not None else _start(connection, account, now)
    end = min(start + account.poll_window, _horizon(account, now))
    if end <= start:
        return None
    if row is None:
        counts = {"cursor": None, "pages": 0, "events": 0, "found_missing": 0, "done_at": None}
        connection.execute(sa.insert(poll_window).values(account=account.name, from_time=start, to_time=end, **counts))
    else:
        # Nothing of it has been read: its end may follow a changed setting, or X would refuse it for ever.
        connection.execute(sa.update(poll_window).where(_this(account, start)).values(to_time=end))
    return _Turn(token, start, end, None)


def _start(connection: Connection, account: Account, now: datetime) -> datetime:
    """Where the last window ended; for the very first, when the first card was sent, or what X serves by now."""
    until = complete_until(connection, account.name)
    if until is not None:
        return until
    snd, fr = send_attempt.c, feedback_request.c
    sent = (
        sa.select(sa.func.min(snd.intended_at)).where(snd.account == account.name, snd.kind == "card"),
        sa.select(sa.func.min(fr.card_sent_at)).where(fr.account == account.name, fr.card_sent_at.is_not(None)),
    )
    moments = map(connection.scalar, sent)
    first = min((each for each in moments if each is not None), default=_horizon(account, now) - account.poll_every)
    return _milliseconds(first)


def _record(
    connection: Connection, account: Account, turn: _Turn, answer: XAnswer[FeedbackPage], now: datetime
) -> PollReport:
    page = answer.value
    row = connection.execute(sa.select(pw.pages).where(_this(account, turn.from_time))).one()
    waits = _is_yet_to_come(page, turn.cursor, turn.to_time, account, now)
    cursor = turn.cursor if waits else _next(page, turn.cursor, row.pages + 1, account)
    # What became readable while we read waits for the next turn: window by tiny window we would never stop asking.
    more = not waits and (cursor is not None or turn.to_time + account.poll_every <= _horizon(account, now))
    if not task_leases.end(connection, account.name, TASK, turn.token, now if more else now + account.poll_every):
        log.warning("poll_turn_lost", account=account.name)
        return PollReport("lost")
    x_outage.ended(connection, account.name)
    missing = _take_in(connection, account, answer, now)
    counts = {
        "pages": pw.pages + (0 if waits else 1),  # a window that waits does not come nearer to the most it may have
        "events": pw.events + len(page.events),
        "found_missing": pw.found_missing + missing,
        "unreadable": pw.unreadable + len(page.problems),
    }
    done_at = now if cursor is None else None
    connection.execute(
        sa.update(poll_window).where(_this(account, turn.from_time)).values(**counts, cursor=cursor, done_at=done_at)
    )
    return PollReport("read", len(page.events), missing, len(page.problems), more)


def _failed(connection: Connection, account: Account, turn: _Turn, error: XError, now: datetime) -> PollReport:
    again = _noted(connection, account, error, now) or now + account.poll_every
    if not task_leases.end(connection, account.name, TASK, turn.token, min(again, now + account.poll_every)):
        return PollReport("lost", problem=error.reason)
    if turn.cursor is not None and isinstance(error, MessageRefused | UnknownToX | Unexplained):
        # X no longer knows the cursor: the window begins anew, and what it brings twice changes nothing.
        fresh = {"cursor": None, "pages": 0, "unreadable": 0}
        connection.execute(sa.update(poll_window).where(_this(account, turn.from_time)).values(fresh))
    outcome: Literal["paused", "failed"] = "paused" if isinstance(error, RateLimited) else "failed"
    return PollReport(outcome, come_back_at=again, problem=error.reason)


def _noted(connection: Connection, account: Account, error: XError, now: datetime) -> datetime | None:
    log.warning("poll_failed", account=account.name, reason=error.reason, x_code=error.code)
    holds.hold_if_refused(connection, account.name, error, now)
    if isinstance(error, RateLimited):
        return windows.exhausted(connection, account.name, ENDPOINT, error.back_at(now), now)
    return None


def _ask(client: XClient, from_time: datetime, to_time: datetime, cursor: str | None) -> XAnswer[FeedbackPage]:
    return client.list_feedback_events(from_time=from_time, to_time=to_time, cursor=cursor)


def _take_in(connection: Connection, account: Account, answer: XAnswer[FeedbackPage], now: datetime) -> int:
    """Ingest a page; return how many answers were new to us."""
    for problem in answer.value.problems:
        log.warning("event_unreadable", account=account.name, field=problem.field)
    if answer.rate is not None and answer.rate.remaining == 0:
        windows.exhausted(connection, account.name, ENDPOINT, answer.rate.reset_at, now)
    cards = answer.value.events
    verdicts = take_in(connection, account, cards, "events", now)
    return sum(verdict in NEWS and card.is_answered for card, verdict in zip(cards, verdicts, strict=True))


def _is_yet_to_come(page: FeedbackPage, cursor: str | None, to_time: datetime, account: Account, now: datetime) -> bool:
    """Whether X may have more behind this cursor later: an empty page is not the end, also if it leads to itself."""
    itself = cursor is not None and page.next_cursor == cursor and not page.events and not page.problems
    return itself and now < to_time + account.events_delay + min(NOT_YET, account.events_delay)


def _next(page: FeedbackPage, cursor: str | None, pages: int, account: Account) -> str | None:
    """The cursor to continue with. One that leads back to itself, or in a circle, is the end."""
    if page.next_cursor is not None and (page.next_cursor == cursor or pages >= PAGES_AT_MOST):
        log.error("poll_cursor_repeated", account=account.name, pages=pages)
        return None
    return page.next_cursor


def _horizon(account: Account, now: datetime) -> datetime:
    # X refuses a `to_time` it takes for too new, and its clock may be as far behind ours as it takes our signatures.
    # Where events wait for seconds only, as in a sandbox, the doubt about its clock is not minutes either.
    return _milliseconds(now - account.events_delay - min(account.signature_tolerance, account.events_delay))


def _milliseconds(when: datetime) -> datetime:
    """X counts in whole milliseconds; what we store is what we ask for."""
    return when.replace(microsecond=when.microsecond // 1000 * 1000)


def _this(account: Account, from_time: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(pw.account == account.name, pw.from_time == from_time)
