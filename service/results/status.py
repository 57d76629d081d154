"""What operators see of the channels: in, an account; out, counts and moments, never an answer.

Everything here is a lookup in an index or a count of recent rows, cheap enough for every scrape of /metrics.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import feedback_request, poll_window, refresh, result, stray_feedback
from service.results import turns
from service.results.poll import TASK as POLL
from service.results.poll import complete_until

RECENT = timedelta(days=30)
WEBHOOK = "webhook"
SEEN_EVERY = timedelta(minutes=1)
w = poll_window.c
f = refresh.c


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """One account's channels. `recent` counts are of the last 30 days; None: never, or nothing."""

    account: str
    webhook_seen_at: datetime | None
    """The last authenticated delivery, to the minute."""
    found_by_polling_recent: int
    """Answers that polling brought and no other channel had: with a healthy webhook, none."""
    complete_until: datetime | None
    poll_next_at: datetime | None
    poll_window_open: bool
    """Polling is in the middle of a window, or stuck in one: then `complete_until` does not move."""
    refresh_due: int
    refresh_oldest_due_at: datetime | None
    strays: int
    anomalies_recent: int


def channel_health(connection: Connection, account_name: str, now: datetime) -> ChannelHealth:
    """How the ways by which answers reach us are doing."""
    windows = sa.select(sa.func.sum(w.found_missing)).where(w.account == account_name, w.to_time > now - RECENT)
    is_open = sa.select(w.from_time).where(w.account == account_name, w.done_at.is_(None))
    due = sa.select(sa.func.count(), sa.func.min(f.due_at)).where(f.account == account_name, f.due_at <= now)
    strays = sa.select(sa.func.count()).where(stray_feedback.c.account == account_name)
    count, oldest = connection.execute(due).one()
    return ChannelHealth(
        account=account_name,
        webhook_seen_at=turns.moment(connection, account_name, WEBHOOK),
        found_by_polling_recent=int(connection.scalar(windows) or 0),
        complete_until=complete_until(connection, account_name),
        poll_next_at=turns.moment(connection, account_name, POLL),
        poll_window_open=connection.execute(is_open.limit(1)).first() is not None,
        refresh_due=count,
        refresh_oldest_due_at=oldest,
        strays=connection.scalar(strays) or 0,
        anomalies_recent=_anomalies(connection, account_name, now - RECENT),
    )


def _anomalies(connection: Connection, account_name: str, since: datetime) -> int:
    """Sum the contradictions of the account's results that changed since then."""
    mine = sa.and_(feedback_request.c.id == result.c.request_id, feedback_request.c.account == account_name)
    found = sa.select(sa.func.sum(result.c.anomalies)).join(feedback_request, mine)
    return int(connection.scalar(found.where(result.c.updated_at >= since, result.c.anomalies > 0)) or 0)
