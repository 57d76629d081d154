"""What keeps us from asking, as sentences with links, for the top of every page.

Two statements, however many accounts there are. Nothing here comes from answers, so everybody may read it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.accounts import standing
from service.accounts.standing import AccountStanding
from service.auth import Reader
from service.metrics.attention import beyond
from service.metrics.health import is_silent, last_worker
from service.models import feedback_request, result
from service.reports.dashboard import words
from service.reports.report_query import ReportQuery
from service.settings import Settings

fr, res = feedback_request.c, result.c
LOCKED = {"account_locked": "locked by X", "account_suspended": "suspended by X"}


@dataclass(frozen=True, slots=True)
class Hindrance:
    """A sentence, and the place on the operations page that says what to do."""

    sentence: str
    anchor: str


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One line of the first run's list."""

    words: str
    done: bool


def hindrances(connection: Connection, settings: Settings, reader: Reader, now: datetime) -> list[Hindrance]:
    """Return what is wrong now, with the accounts this reader may see."""
    zone, worker = settings.service.time_zone, last_worker(connection)
    found = []
    for each in standing.standings(connection):
        if each.account in settings.accounts and reader.may_see(each.account):
            found += [Hindrance(said, f"account-{each.account}") for said in _of_account(settings, each, now)]
    if worker is not None and is_silent(worker, now):
        sentence = f"No worker has run since {words.moment(worker, zone)}: nothing is sent and no answer is fetched."
        found.append(Hindrance(sentence, "worker"))
    return found


def _of_account(settings: Settings, each: AccountStanding, now: datetime) -> Iterator[str]:
    name, (status, at) = settings.accounts[each.account].screen_name, each.status(now)
    who = f"@{name}" if name else each.account
    since = f" since {words.moment(at, settings.service.time_zone)}" if at else ""
    if status == "held":
        why = LOCKED.get(each.hold_reason or "", words.words(each.hold_reason))
        yield f"{who} has sent nothing{since}: {why}."
    elif status == "x_away" and at is not None and beyond("x_away_seconds", (now - at).total_seconds()):
        yield f"{who} has sent nothing{since}: X does not answer."


def first_run(query: ReportQuery) -> list[FirstStep]:
    """Return how far a new installation has come; empty once it has its first answer. For readers of rows."""
    connection, now = query.connection, query.now
    ours = sa.and_(query.view.mine_by_index, fr.test.is_(False))
    answered = sa.select(res.request_id).select_from(result.join(feedback_request, fr.id == res.request_id)).where(ours)
    if connection.scalar(answered.limit(1)) is not None:
        return []
    ended = connection.scalar(sa.select(fr.id).where(ours).limit(1)) is not None
    sent = connection.scalar(sa.select(fr.id).where(ours, fr.card_sent_at.is_not(None)).limit(1)) is not None
    return [
        FirstStep("CRM connected: it has told us of an ended conversation", ended),
        FirstStep("Worker running", not is_silent(last_worker(connection), now)),
        FirstStep("First question sent", sent),
        FirstStep("First answer", done=False),
    ]
