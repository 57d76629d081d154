"""What keeps us from asking, as sentences with links, for the top of every page.

Two statements, however many accounts there are. Nothing here comes from answers, so everybody may read it.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from service.auth import Reader
from service.metrics.health import is_silent, last_worker
from service.models import account_state, feedback_request, result
from service.reports.dashboard import words
from service.reports.report_query import ReportQuery
from service.settings import Settings

acct, fr, res = account_state.c, feedback_request.c, result.c
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
    held = connection.execute(
        sa.select(acct.account, acct.hold_reason, acct.held_at).where(acct.hold_reason.is_not(None))
    )
    mine = [row for row in held.mappings() if row["account"] in settings.accounts and reader.may_see(row["account"])]
    found = [_held(settings, row, zone) for row in mine]
    if worker is not None and is_silent(worker, now):
        sentence = f"No worker has run since {words.moment(worker, zone)}: nothing is sent and no answer is fetched."
        found.append(Hindrance(sentence, "worker"))
    return found


def _held(settings: Settings, row: RowMapping, zone: ZoneInfo) -> Hindrance:
    name = settings.accounts[row["account"]].screen_name
    who = f"@{name}" if name else row["account"]
    why = LOCKED.get(row["hold_reason"], words.words(row["hold_reason"]))
    since = f" since {words.moment(row['held_at'], zone)}" if row["held_at"] else ""
    return Hindrance(f"{who} has sent nothing{since}: {why}.", f"account-{row['account']}")


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
