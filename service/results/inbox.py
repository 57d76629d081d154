"""Reading X's DM list for answers: in, an account and its client; out, the taps and numbers no webhook has brought.

The list has few calls, and unclear sends need them first: this takes at most a third of them, and only while a prompt
with quick replies waits for its answer. Reads back to where the last whole reading began; what comes twice changes
nothing. What is no answer is passed over, as in `replies`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine

from service.accounts import turns, windows
from service.db import reading, writing
from service.models import feedback_request, result
from service.results import replies
from service.settings import Account, Settings
from service.x_api import DirectMessage, RateLimited, XClient, XError

TASK, READ = "inbox", "inbox_read"
ENDPOINT = "list_dms"
SHARE = 3
PAGES_AT_MOST = 5
OVERLAP = timedelta(minutes=10)
"""The list may show a message this much later than its date says."""

log = structlog.get_logger(__name__)
fr = feedback_request.c
res = result.c


@dataclass(frozen=True, slots=True)
class InboxReport:
    """What one reading did. `whole`: back to where the last one began."""

    pages: int = 0
    answers: int = 0
    whole: bool = False
    problem: str | None = None


def read_once(
    engine: Engine, settings: Settings, account: Account, client: XClient, clock: Callable[[], datetime]
) -> InboxReport:
    """Read the list, if an answer is waited for and it is time to."""
    now = clock()
    with reading(engine) as connection:
        oldest = _oldest_prompt(connection, account, now - settings.reports.answer_window)
        if oldest is None or not turns.may_begin(connection, account.name, TASK, now, account.window / SHARE):
            return InboxReport()
        since = max(oldest, (turns.moment(connection, account.name, READ) or oldest) - OVERLAP)
    with writing(engine) as connection:
        token = turns.begin(connection, account.name, TASK, now, account.window / SHARE)
    if token is None:
        return InboxReport()
    messages, report = _pages(engine, account, client, since, now)
    with writing(engine) as connection:
        if not turns.end(connection, account.name, TASK, token, now + account.window / SHARE):
            return InboxReport(problem="turn_lost")
        oldest_first = sorted(messages, key=lambda each: each.created_at or now)
        taken = [replies.take(connection, settings, account, each, now) for each in oldest_first]
        if report.whole:
            turns.set_moment(connection, account.name, READ, now)
    return InboxReport(report.pages, sum(each is not None for each in taken), report.whole, report.problem)


def _oldest_prompt(connection: Connection, account: Account, after: datetime) -> datetime | None:
    """When the oldest prompt went out that may still be answered."""
    scored = sa.exists().where(res.request_id == fr.id, res.score.is_not(None))
    sent = (fr.account == account.name, fr.card_sent_at > after, fr.way == replies.WAY, fr.erased_at.is_(None))
    return connection.scalar(sa.select(sa.func.min(fr.card_sent_at)).where(*sent, ~scored))


def _pages(
    engine: Engine, account: Account, client: XClient, since: datetime, now: datetime
) -> tuple[list[DirectMessage], InboxReport]:
    messages, cursor = list[DirectMessage](), None
    for number in range(PAGES_AT_MOST):
        if not _may_ask(engine, account, now):
            return messages, InboxReport(number, problem="endpoint_limit")
        try:
            page = client.list_dms(cursor).value
        except XError as error:
            return messages, InboxReport(number, problem=_noted(engine, account, error, now))
        messages += [each for each in page.events if each.created_at is None or each.created_at >= since]
        reached = any(each.created_at is not None and each.created_at < since for each in page.events)
        if reached or page.next_cursor in {None, cursor}:
            return messages, InboxReport(number + 1, whole=True)
        cursor = page.next_cursor
    return messages, InboxReport(PAGES_AT_MOST, problem="many_pages")


def _may_ask(engine: Engine, account: Account, now: datetime) -> bool:
    with writing(engine) as connection:
        limit = account.lookups_per_window
        return windows.take_share(connection, account.name, ENDPOINT, TASK, limit, account.window, now) is None


def _noted(engine: Engine, account: Account, error: XError, now: datetime) -> str:
    log.warning("inbox_not_read", account=account.name, reason=error.reason, x_code=error.code)
    if isinstance(error, RateLimited):
        with writing(engine) as connection:
            windows.exhausted(connection, account.name, ENDPOINT, error.reset_at, now)
    return error.reason
