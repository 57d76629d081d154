"""Gauges read from the ledger: one SQL statement per figure, labels first and a number last.

Each is bounded by an index or to the last day. Counts only: no customer, no text, no score.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from service.accounts import refused_ways
from service.metrics.gauge import Gauge, seconds_since
from service.metrics.source_gauges import OF_SOURCES
from service.models import (
    IS_OPEN,
    ITEM_OUTCOMES,
    access_chain,
    access_log,
    account_state,
    account_task,
    barred_way,
    delivery_item,
    encryption,
    feedback_request,
    poll_window,
    refresh,
    result,
    result_update,
    retention_run,
    send_attempt,
    stray_feedback,
    worker_seen,
)

DAY = timedelta(days=1)
fr, snd, acct, di = feedback_request.c, send_attempt.c, account_state.c, delivery_item.c
upd, pw, rf, tk, sf = result_update.c, poll_window.c, refresh.c, account_task.c, stray_feedback.c
rr, bw = retention_run.c, barred_way.c


def _has_cards(now: datetime) -> sa.Exists:
    """An account that may send no cards, and so never reads feedback/events, cannot lag behind."""
    debts = sa.and_(rf.account == pw.account, rf.due_at > now - 28 * DAY)
    return sa.select(sa.literal(1)).where(debts).correlate(poll_window).exists()


def _by_account(table: sa.Table, *conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Start from the few accounts: their name leads the index; otherwise the database reads the whole table.

    An outer join, because with an inner one SQLite may start from the table after all.
    """
    mine = sa.and_(table.c.account == acct.account, *conditions)
    from_accounts = sa.select(acct.account).select_from(account_state).outerjoin(table, mine).group_by(acct.account)
    return from_accounts.having(sa.func.count(table.c.account) > 0)


GAUGES = (
    Gauge(
        "requests_open",
        "Feedback requests without an outcome yet, by account and state.",
        ("account", "state"),
        lambda _now: sa.select(fr.account, fr.state, sa.func.count()).where(IS_OPEN).group_by(fr.account, fr.state),
    ),
    Gauge(
        "requests_ended_day",
        "Conversations that ended in the last 24 hours and have an outcome, by account, outcome and reason.",
        ("account", "state", "reason"),
        lambda now: (
            sa.select(fr.account, fr.state, sa.func.coalesce(fr.reason, ""), sa.func.count())
            .where(fr.ended_at > now - DAY, ~IS_OPEN)
            .group_by(fr.account, fr.state, fr.reason)
        ),
    ),
    Gauge(
        "oldest_due_seconds",
        "How long the oldest due request has been waiting, by account.",
        ("account",),
        lambda now: (
            sa.select(fr.account, seconds_since(sa.func.min(fr.scheduled_at), now))
            .where(IS_OPEN, fr.scheduled_at <= now)
            .group_by(fr.account)
        ),
    ),
    Gauge(
        "sends_unclear",
        "Sends with an unknown outcome so far, by account and kind.",
        ("account", "kind"),
        lambda _now: (
            _by_account(send_attempt, snd.outcome.is_(None)).add_columns(snd.kind, sa.func.count()).group_by(snd.kind)
        ),
    ),
    Gauge(
        "account_held",
        "1 if an account is on hold until somebody releases it.",
        ("account", "reason"),
        lambda _now: sa.select(acct.account, acct.hold_reason, sa.literal(1)).where(acct.hold_reason.is_not(None)),
    ),
    *OF_SOURCES,
    Gauge(
        "way_barred",
        "1 if X refuses a way of asking for an account. It is retried after a day, or after `accounts release`.",
        ("account", "way"),
        lambda now: sa.select(bw.account, bw.way, sa.literal(1)).where(refused_ways.lately(now)),
    ),
    Gauge(
        "x_away_seconds",
        "How long X has not answered any call for an account.",
        ("account",),
        lambda now: sa.select(acct.account, seconds_since(acct.x_away_since, now)).where(
            acct.x_away_since.is_not(None)
        ),
    ),
    Gauge(
        "deliveries_day",
        "Items in deliveries of the last 24 hours, by outcome.",
        ("outcome",),
        lambda now: (
            sa.select(di.outcome, sa.func.count())
            # named, as the index of what was read lately is by outcome
            .where(di.outcome.in_(ITEM_OUTCOMES), di.read_at > now - DAY)
            .group_by(di.outcome)
        ),
    ),
    Gauge(
        "results_day",
        "Results that arrived or changed in the last 24 hours, by the channel that delivered them first.",
        ("channel",),
        lambda now: (
            sa.select(result.c.first_channel, sa.func.count())
            .where(result.c.updated_at > now - DAY)
            .group_by(result.c.first_channel)
        ),
    ),
    Gauge(
        "webhook_missed",
        "Answers of the last 24 hours that X's webhook did not deliver first, by account. All answers if "
        "there is no webhook.",
        ("account",),
        lambda now: (
            sa.select(fr.account, sa.func.count())
            .select_from(result_update)
            .join(feedback_request, fr.id == upd.request_id)
            .where(
                upd.channel.in_(("events", "show")),
                upd.seen_at > now - DAY,
                upd.score.is_not(None) | upd.text.is_not(None),
            )
            .group_by(fr.account)
        ),
    ),
    Gauge(
        "webhook_silent_seconds",
        "Time since X's webhook last delivered anything, by account. Absent if it never has.",
        ("account",),
        lambda now: sa.select(tk.account, seconds_since(tk.next_at, now)).where(tk.task == "webhook"),
    ),
    Gauge(
        "events_behind_seconds",
        "Age of the point up to which feedback/events has been read, by account. About a day is healthy.",
        ("account",),
        lambda now: (
            # The newest window that is still open begins where all is read.
            sa.select(
                pw.account,
                seconds_since(sa.func.max(sa.case((pw.done_at.is_not(None), pw.to_time), else_=pw.from_time)), now),
            )
            .group_by(pw.account)
            .having(sa.or_(sa.func.count(pw.done_at) > 0, _has_cards(now)))
        ),
    ),
    Gauge(
        "events_unreadable",
        "Events in the newest windows (two days of X's time) that could not be read, by account.",
        ("account",),
        lambda now: (
            sa.select(pw.account, sa.func.sum(pw.unreadable)).where(pw.to_time > now - 2 * DAY).group_by(pw.account)
        ),
    ),
    Gauge(
        "refresh_due",
        "Cards due for a query to feedback/show, by account.",
        ("account",),
        lambda now: _by_account(refresh, rf.due_at <= now).add_columns(sa.func.count()),
    ),
    Gauge(
        "refresh_oldest_due_seconds",
        "How long the oldest due card has been waiting for its query to feedback/show, by account.",
        ("account",),
        lambda now: _by_account(refresh, rf.due_at <= now).add_columns(seconds_since(sa.func.min(rf.due_at), now)),
    ),
    Gauge(
        "anomalies_day",
        "Contradictions in results that arrived or changed in the last 24 hours, by account.",
        ("account",),
        lambda now: (
            sa.select(fr.account, sa.func.sum(result.c.anomalies))
            .select_from(result)
            .join(feedback_request, fr.id == result.c.request_id)
            .where(result.c.updated_at > now - DAY, result.c.anomalies > 0)
            .group_by(fr.account)
        ),
    ),
    Gauge(
        "strays_day",
        "Cards first seen in the last 24 hours that this service did not send, by account.",
        ("account",),
        lambda now: _by_account(stray_feedback, sf.first_seen_at > now - DAY).add_columns(sa.func.count()),
    ),
    Gauge(
        "access_log_number",
        "Number of the newest sealed line of the access log. It never decreases. `access-log head` prints "
        "the line's hash.",
        (),
        lambda _now: sa.select(sa.func.coalesce(sa.func.max(access_chain.c.number), 0)),
    ),
    Gauge(
        "access_log_unsealed",
        "Lines of the access log not yet sealed.",
        (),
        lambda _now: sa.select(sa.func.count()).select_from(access_log).where(access_log.c.number.is_(None)),
    ),
    Gauge(
        "forgotten_ago_seconds",
        "Time since retention was last fully applied, by kind of data. Under two hours is healthy.",
        ("kind",),
        lambda now: sa.select(rr.kind, seconds_since(rr.finished_at, now)),
    ),
    Gauge(
        "encryption_under_way_seconds",
        "How long the current change of the encryption key has been running. Absent if no change is running.",
        (),
        lambda now: sa.select(seconds_since(encryption.c.begun_at, now)).where(encryption.c.finished_at.is_(None)),
    ),
    Gauge(
        "encryption_rows_rewritten",
        "Rows rewritten for the current encryption setting since encryption was last turned on, changed or turned off.",
        (),
        lambda _now: sa.select(encryption.c.rewritten),
    ),
    Gauge(
        "encryption_rows_refused",
        "Rows that contain encrypted values that were changed or moved in the database, as found by the "
        "last full check.",
        (),
        lambda _now: sa.select(encryption.c.refused),
    ),
    Gauge(
        "workers_seen",
        "Workers that reported in the last minute.",
        (),
        lambda now: sa.select(sa.func.count()).where(worker_seen.c.seen_at > now - timedelta(minutes=1)),
    ),
)
