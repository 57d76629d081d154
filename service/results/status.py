"""What operators see of the channels: counts and moments, never an answer.

Index look-ups and counts of recent rows only, cheap enough for every scrape of /metrics.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.accounts import task_leases
from service.models import feedback_request, poll_window, refresh, result, result_update, stray_feedback
from service.results.poll import complete_until

RECENT = timedelta(days=30)
WEBHOOK = "webhook"
READ = ("events", "show")  # channels that we ask
SEEN_EVERY = timedelta(minutes=1)
pw = poll_window.c
rf = refresh.c
upd = result_update.c


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """One account's channels. `recent` counts cover the last 30 days; None: never, or nothing."""

    account: str
    webhook_seen_at: datetime | None
    """The last authenticated delivery, to the minute."""
    missed_by_webhook_recent: int
    """Answers that refresh or polling brought first: with a healthy webhook, none or a few that were quicker by chance.
    Without a webhook, all."""
    complete_until: datetime | None
    poll_window_open: bool
    """Polling is in the middle of a window, or stuck in one: then `complete_until` does not move. Not where none was
    ever read and no card waits for an answer: X may refuse an account that sends none."""
    refresh_due: int
    refresh_oldest_due_at: datetime | None
    strays_recent: int
    anomalies_recent: int
    unreadable_recent: int
    """Events that polling had to read past: whatever they answered is in no report."""
    odd_recent: int
    """Answers of which X wrote a lesser field in a form nobody here knows: the answer stands, the field is absent."""


def channel_health(connection: Connection, account_name: str, now: datetime) -> ChannelHealth:
    """How the ways by which answers reach us are doing."""
    unreadable = sa.select(sa.func.sum(pw.unreadable)).where(pw.account == account_name, pw.to_time > now - RECENT)
    is_open = sa.select(pw.from_time).where(pw.account == account_name, pw.done_at.is_(None))
    if (until := complete_until(connection, account_name)) is None:
        is_open = is_open.where(sa.exists().where(rf.account == account_name, rf.due_at > now - RECENT))
    due = sa.select(sa.func.count(), sa.func.min(rf.due_at)).where(rf.account == account_name, rf.due_at <= now)
    theirs = sa.and_(stray_feedback.c.account == account_name, stray_feedback.c.first_seen_at > now - RECENT)
    strays = sa.select(sa.func.count()).where(theirs)
    count, oldest = connection.execute(due).one()
    return ChannelHealth(
        account=account_name,
        webhook_seen_at=task_leases.moment(connection, account_name, WEBHOOK),
        missed_by_webhook_recent=_missed(connection, account_name, now - RECENT),
        complete_until=until,
        poll_window_open=connection.execute(is_open.limit(1)).first() is not None,
        refresh_due=count,
        refresh_oldest_due_at=oldest,
        strays_recent=connection.execute(strays).scalar_one(),
        anomalies_recent=_anomalies(connection, account_name, now - RECENT),
        unreadable_recent=int(connection.scalar(unreadable) or 0),
        odd_recent=_odd(connection, account_name, now - RECENT),
    )


def _odd(connection: Connection, account_name: str, since: datetime) -> int:
    by_x = upd.channel.in_((WEBHOOK, *READ))
    return _updates(connection, account_name, by_x, upd.seen_at > since, upd.unread.is_not(None))


def _missed(connection: Connection, account_name: str, since: datetime) -> int:
    """Count updates with an answer that another channel brought first; a healthy webhook leaves hardly any."""
    answers = upd.score.is_not(None) | upd.text.is_not(None)
    return _updates(connection, account_name, upd.channel.in_(READ), upd.seen_at > since, answers)


def _updates(connection: Connection, account_name: str, *conditions: sa.ColumnElement[bool]) -> int:
    mine = sa.and_(feedback_request.c.id == upd.request_id, feedback_request.c.account == account_name)
    found = sa.select(sa.func.count()).select_from(result_update).join(feedback_request, mine)
    return connection.execute(found.where(*conditions)).scalar_one()


def _anomalies(connection: Connection, account_name: str, since: datetime) -> int:
    """Sum the contradictions in the account's results that changed since then."""
    # No join on the account: a database might start from all requests it ever had.
    ours = sa.case((feedback_request.c.account == account_name, result.c.anomalies), else_=0)
    found = sa.select(sa.func.sum(ours)).select_from(result)
    found = found.join(feedback_request, feedback_request.c.id == result.c.request_id)
    return int(connection.scalar(found.where(result.c.updated_at >= since, result.c.anomalies > 0)) or 0)
