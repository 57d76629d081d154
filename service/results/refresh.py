"""Asks `feedback/show` about cards that lack an answer or part of one: a day earlier than polling.

A card is asked about on the account's `refresh_schedule` (1h, 4h, 12h, 24h, 3d, 7d, 14d, 28d after it was sent),
longest overdue first, within X's 180 calls per quarter of an hour. It ends when score *and* text are there: the text
comes later and may never come, so a score alone is asked about to the end. It ends with the schedule, or with the
answer window if that is shorter. A look that fell due while nobody worked is still made, once, however many were
missed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine

from service.accounts import holds, task_leases, windows
from service.clock import Clock
from service.db import insert_missing, reading, writing
from service.models import feedback_request, refresh, result
from service.results.card import take_in
from service.results.ingest import NEWS
from service.settings import Account
from service.states import State
from service.x_api import (
    MessageRefused,
    RateLimited,
    RecipientRefused,
    Retired,
    Unexplained,
    UnknownToX,
    XAnswer,
    XClient,
    XError,
)
from service.x_api.facts import Feedback
from service.x_api.limits import CALLS_PER_WINDOW

TASK, ENROLLED = "refresh", "refresh_enrolled"
ENDPOINT = "show_feedback"
LIMIT = CALLS_PER_WINDOW[ENDPOINT]
EVERY = timedelta(minutes=1)
TROUBLE = timedelta(minutes=5)
"""How long to leave X alone after an error that is not about one card."""

RETRY = timedelta(hours=1)
"""When such a card comes up again: behind the others, so that one card X chokes on never holds them up."""

IN_A_ROW = 3
"""This many refusals in a row are not about single cards."""

GRACE = timedelta(days=7)
"""How long after its schedule a card that X chokes on is still tried."""

OVERLAP = timedelta(minutes=10)
"""A card's row may be committed this long after the moment written in it."""

log = structlog.get_logger(__name__)
fr = feedback_request.c
rf = refresh.c
res = result.c


@dataclass(frozen=True, slots=True)
class DueCard:
    """A card to ask about."""

    request_id: str
    feedback_id: str
    checks: int
    card_sent_at: datetime


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What one `refresh_once` did. `more`: cards are still due, call again at once."""

    asked: int = 0
    news: int = 0
    enrolled: int = 0
    more: bool = False
    come_back_at: datetime | None = None
    problem: str | None = None


def refresh_once(
    engine: Engine,
    account: Account,
    client: XClient,
    clock: Clock,
    *,
    answer_window: timedelta,
    limit: int = 10,
) -> RefreshReport:
    """Ask about up to `limit` cards that are due now, one call each with no transaction open meanwhile."""
    now = clock()
    with reading(engine) as connection:
        if not task_leases.may_begin(connection, account.name, TASK, now, TROUBLE):
            return RefreshReport()
    with writing(engine) as connection:
        token = task_leases.begin(connection, account.name, TASK, now, TROUBLE)
        if token is None:
            return RefreshReport()
        schedule = _schedule(account, answer_window)
        report = RefreshReport(enrolled=_enrol(connection, account, schedule, now))
        _close_settled(connection, account, now)
    turn = _RefreshTurn(engine, account, client, clock, now, token, schedule)
    for _ in range(limit):
        step = turn.ask_next()
        report = replace(step, asked=report.asked + step.asked, news=report.news + step.news, enrolled=report.enrolled)
        if not report.more:
            break
    with writing(engine) as connection:
        if not task_leases.end(connection, account.name, TASK, token, _next_turn(report, now)):
            log.warning("refresh_turn_lost", account=account.name)
    return report


def _next_turn(report: RefreshReport, now: datetime) -> datetime:
    if report.more:
        return now
    if report.problem is not None and report.come_back_at is None:
        return now + TROUBLE
    return min(report.come_back_at or now + EVERY, now + EVERY)


@dataclass(slots=True)
class _RefreshTurn:
    """The same account, moment and token for all cards of a turn."""

    engine: Engine
    account: Account
    client: XClient
    clock: Clock
    now: datetime
    token: str
    schedule: tuple[timedelta, ...]
    refused: int = 0  # cards in a row

    def ask_next(self) -> RefreshReport:
        """Ask about the card that has been due longest."""
        with reading(self.engine) as connection:
            card = self._due(connection)
        if card is None:
            return RefreshReport()
        with writing(self.engine) as connection:
            again = windows.take(connection, self.account.name, ENDPOINT, LIMIT, self.account.window, self.now)
        if again is not None:
            return RefreshReport(come_back_at=again)
        try:
            answer = self.client.show_feedback(card.feedback_id)
        except XError as error:
            return self._in_vain(card, error) if _is_about_the_card(error) else self._failed(card, error)
        self.refused = 0
        return self._record(card, answer)

    def _due(self, connection: Connection) -> DueCard | None:
        columns = (rf.request_id, rf.feedback_id, rf.checks, fr.card_sent_at)
        found = (
            sa.select(*columns).join(feedback_request, fr.id == rf.request_id).where(rf.account == self.account.name)
        )
        # Later than any schedule reaches: written before the clock was set back. A query of its own, because with an
        # OR the database would read the cards of all years.
        reach = self.now + max(self.account.refresh_schedule, default=timedelta()) + task_leases.LEASE
        for due in (rf.due_at <= self.now, rf.due_at > reach):
            row = connection.execute(found.where(due).order_by(rf.due_at, rf.request_id).limit(1)).first()
            if row is not None:
                return DueCard(row.request_id, row.feedback_id, row.checks, row.card_sent_at)
        return None

    def _record(self, card: DueCard, answer: XAnswer[Feedback] | None) -> RefreshReport:
        with writing(self.engine) as connection:
            if not self._goes_on(connection):
                return RefreshReport(asked=1)
            news = answer is not None and self._take_in(connection, answer)
            _reschedule(connection, card, _next_due(card.card_sent_at, self.schedule, self.now))
        return RefreshReport(asked=1, news=int(news), more=True)

    def _goes_on(self, connection: Connection) -> bool:
        """Whether the turn is still ours; extends it by a whole lease from this moment, however slow X was."""
        return task_leases.extend(connection, self.account.name, TASK, self.token, self.clock())

    def _in_vain(self, card: DueCard, error: XError) -> RefreshReport:
        """X does not show the card yet, or no longer; the schedule says when to look again."""
        log.info("refresh_in_vain", account=self.account.name, request_id=card.request_id, reason=error.reason)
        return self._record(card, None)

    def _take_in(self, connection: Connection, answer: XAnswer[Feedback]) -> bool:
        if answer.rate is not None and answer.rate.remaining == 0:
            windows.exhausted(connection, self.account.name, ENDPOINT, answer.rate.reset_at, self.now)
        return take_in(connection, self.account, [answer.value], "show", self.now)[0] in NEWS

    def _failed(self, card: DueCard, error: XError) -> RefreshReport:
        log.warning("refresh_failed", account=self.account.name, reason=error.reason, x_code=error.code)
        with writing(self.engine) as connection:
            holds.hold_if_refused(connection, self.account.name, error, self.now)
            if isinstance(error, RateLimited):
                again = windows.exhausted(connection, self.account.name, ENDPOINT, error.back_at(self.now), self.now)
                return RefreshReport(asked=1, come_back_at=again, problem=error.reason)
            if goes_on := self._goes_on(connection):
                end = card.card_sent_at + max(self.schedule, default=timedelta()) + GRACE
                _reschedule(connection, card, self.now + RETRY if self.now < end else None)
        more = goes_on and self._may_be_about_the_card(error)
        return RefreshReport(asked=1, more=more, problem=None if more else error.reason)

    def _may_be_about_the_card(self, error: XError) -> bool:
        """Whether an unknown refusal may concern just this card: if X refuses one after another, it is about us."""
        self.refused += 1
        return isinstance(error, UnknownToX | Unexplained | Retired) and self.refused < IN_A_ROW


def _is_about_the_card(error: XError) -> bool:
    """Whether other cards may fare better, so that there is no reason to stop. Without a code, the endpoint is gone."""
    if isinstance(error, UnknownToX):
        return error.code is not None
    return isinstance(error, MessageRefused | RecipientRefused) or error.reason == "unreadable_answer"


def _reschedule(connection: Connection, card: DueCard, due_at: datetime | None) -> None:
    changes = {"due_at": due_at, "checks": card.checks + 1}
    connection.execute(sa.update(refresh).where(rf.request_id == card.request_id).values(changes))


def _enrol(connection: Connection, account: Account, schedule: Sequence[timedelta], now: datetime) -> int:
    """Put newly sent cards on the list. Reads only rows changed since the last time, so its cost does not grow."""
    before = task_leases.moment(connection, account.name, ENROLLED)
    if not schedule or (before is not None and now - EVERY < before <= now):
        return 0
    # A clock set back leaves `before` in the future: what was written since lies before it.
    since = (now - max(schedule) if before is None else min(before, now)) - OVERLAP
    sent = sa.and_(fr.state == State.CARD_SENT, fr.card_sent_at >= since - max(schedule), fr.feedback_id.is_not(None))
    fresh = (
        sa.select(fr.id, fr.feedback_id, fr.card_sent_at)
        .outerjoin(refresh, rf.request_id == fr.id)
        .where(
            fr.updated_at >= since, fr.account == account.name, sent, fr.erased_at.is_(None), rf.request_id.is_(None)
        )
    )
    rows = [
        {
            "request_id": row.id,
            "account": account.name,
            "feedback_id": row.feedback_id,
            "due_at": row.card_sent_at + min(schedule),
            "checks": 0,
        }
        for row in connection.execute(fresh)
    ]
    insert_missing(connection, refresh, rows)
    task_leases.set_moment(connection, account.name, ENROLLED, now)
    return len(rows)


def _close_settled(connection: Connection, account: Account, now: datetime) -> None:
    """Close cards with a complete answer, whatever its channel, and those of erased people."""
    whole = sa.select(res.request_id).where(
        res.request_id == rf.request_id, res.score.is_not(None), res.text.is_not(None)
    )
    erased = sa.select(fr.id).where(fr.id == rf.request_id, fr.erased_at.is_not(None))
    due = sa.and_(rf.account == account.name, rf.due_at <= now)
    connection.execute(sa.update(refresh).where(due, whole.exists() | erased.exists()).values(due_at=None))


def _schedule(account: Account, answer_window: timedelta) -> tuple[timedelta, ...]:
    return tuple(sorted(each for each in account.refresh_schedule if each <= answer_window))


def _next_due(sent_at: datetime, schedule: tuple[timedelta, ...], now: datetime) -> datetime | None:
    """The next scheduled time. A card from the future (the clock was set back) counts as sent now."""
    start = min(sent_at, now)
    return next((start + each for each in schedule if start + each > now), None)
