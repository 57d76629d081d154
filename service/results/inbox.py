"""Reading X's DM list for answers: in, an account and its client; out, the taps and numbers no webhook has brought.

The list has few calls, and unclear sends need them first: this takes at most a third of them, and only while a prompt
with quick replies waits for its answer. Reads back to where the last whole reading began; what comes twice changes
nothing. What is no answer is passed over, as in `replies`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.accounts import dm_list, turns
from service.db import reading, writing
from service.models import IS_PROMPTED, feedback_request, result
from service.results import replies
from service.settings import Account, Settings
from service.x_api import XClient

TASK, READ = "inbox", "inbox_read"
SHARE = 3
PAGES_AT_MOST = 5
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
        if not turns.may_begin(connection, account.name, TASK, now, account.window / SHARE):
            return InboxReport()
        oldest = _oldest_prompt(connection, account, now - settings.reports.answer_window)
        if oldest is None:
            return InboxReport()
        since = max(oldest, (turns.moment(connection, account.name, READ) or oldest) - dm_list.OVERLAP)
    with writing(engine) as connection:
        token = turns.begin(connection, account.name, TASK, now, account.window / SHARE)
    if token is None:
        return InboxReport()
    may_ask = dm_list.a_share(engine, account, TASK, token)
    found = dm_list.read_back(engine, account, client.list_dms, since, may_ask, clock, pages_at_most=PAGES_AT_MOST)
    late = [each for each in found.messages if each.created_at is None or each.created_at >= since]
    now, whole = clock(), found.reaches(since)
    with writing(engine) as connection:
        if not turns.end(connection, account.name, TASK, token, now + account.window / SHARE):
            return InboxReport(problem="turn_lost")
        oldest_first = sorted(late, key=lambda each: each.created_at or now)
        taken = [replies.take(connection, settings, account, each, now) for each in oldest_first]
        if whole:
            turns.set_moment(connection, account.name, READ, found.read_at)
    return InboxReport(found.pages, sum(each is not None for each in taken), whole, found.problem)


def _oldest_prompt(connection: Connection, account: Account, after: datetime) -> datetime | None:
    """When the oldest prompt went out that may still be answered."""
    scored = sa.exists().where(res.request_id == fr.id, res.score.is_not(None))
    sent = (fr.account == account.name, fr.card_sent_at > after, IS_PROMPTED, fr.erased_at.is_(None))
    return connection.scalar(sa.select(sa.func.min(fr.card_sent_at)).where(*sent, ~scored))
