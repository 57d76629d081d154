"""Reads X's DM list for answers and *stop* that no webhook brought.

Taps and numbers while quick replies wait for an answer, and *stop* for some days after anything we sent. The list has
few calls, and unclear sends need them first: this takes at most a third. Continues where the last reading ended
(`accounts/list_following.py`); what comes twice changes nothing. All other messages are passed over, as in `replies`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.accounts import task_leases, windows
from service.accounts.list_following import Task, keep, read_on
from service.clock import Clock
from service.db import reading, writing
from service.models import IS_PROMPTED, feedback_request, result, send_attempt
from service.requests import sends
from service.results import replies
from service.settings import Account, Settings
from service.states import Kind
from service.x_api import XClient

TASK = Task("inbox", pages_at_most=5)
STOPS_HEARD_FOR = timedelta(days=3)
"""How long after the last message of ours somebody is listened to who says *stop*; a webhook for DMs listens always."""

fr, res, snd = feedback_request.c, result.c, send_attempt.c


@dataclass(frozen=True, slots=True)
class InboxReport:
    """What one reading did. `whole`: it reached back to where the last one began."""

    pages: int = 0
    answers: int = 0
    whole: bool = False
    problem: str | None = None


def read_once(engine: Engine, settings: Settings, account: Account, client: XClient, clock: Clock) -> InboxReport:
    """Read the list, if anything is expected and it is due."""
    now, every = clock(), account.window / windows.SHARES
    with reading(engine) as connection:
        if not task_leases.may_begin(connection, account.name, TASK.name, now, every):
            return InboxReport()
        oldest = _waits_since(connection, account, now, settings.reports.answer_window)
    if oldest is None:
        return InboxReport()
    with writing(engine) as connection:
        token = task_leases.begin(connection, account.name, TASK.name, now, every)
    if token is None:
        return InboxReport()
    found = read_on(engine, account, TASK, token, client.list_dms, oldest, clock)
    late = [each for each in found.messages if each.created_at is None or each.created_at >= found.since]
    now = clock()
    with writing(engine) as connection:
        if not task_leases.end(connection, account.name, TASK.name, token, now + every):
            return InboxReport(problem="turn_lost")
        oldest_first = sorted(late, key=lambda each: each.created_at or now)
        taken = [replies.take(connection, settings, account, each, now) for each in oldest_first]
        ours = sends.newest_at_x(connection, account.name, Kind.OPENING, *found.surely(account))
        keep(connection, account, TASK, found, None if ours is None else ours.id)
    return InboxReport(found.pages, sum(each is not None for each in taken), found.whole, found.problem)


def _waits_since(connection: Connection, account: Account, now: datetime, answer_window: timedelta) -> datetime | None:
    """When the oldest message was sent to which a relevant reply may still come."""
    moments = [_oldest_prompt(connection, account, now - answer_window)]
    if account.api != "v2":  # whoever has chosen v2 may not have the list of v1.1
        moments.append(_oldest_sent(connection, account, now - STOPS_HEARD_FOR))
    return min((each for each in moments if each is not None), default=None)


def _oldest_prompt(connection: Connection, account: Account, after: datetime) -> datetime | None:
    """When the oldest prompt was sent that may still be answered."""
    scored = sa.exists().where(res.request_id == fr.id, res.score.is_not(None))
    sent = (fr.account == account.name, fr.card_sent_at > after, IS_PROMPTED, fr.erased_at.is_(None))
    return connection.scalar(sa.select(sa.func.min(fr.card_sent_at)).where(*sent, ~scored))


def _oldest_sent(connection: Connection, account: Account, after: datetime) -> datetime | None:
    """When the first message since then was sent, found by the index used before each message."""
    lately = (snd.account == account.name, snd.kind.in_(list(Kind)), snd.intended_at > after)
    return connection.scalar(sa.select(sa.func.min(snd.intended_at)).where(*lately))
