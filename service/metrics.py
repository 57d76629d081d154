"""Figures for Prometheus: in, the database; out, gauges at `/metrics`. Counts only: no customer, no text, no score.

Everything is read from the database when it is asked for, so web and worker processes need not share memory and a
restart loses nothing.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import flask
import sqlalchemy as sa
from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.engine import Connection, Engine

from service.auth import Guard
from service.db import reading
from service.errors import NotAllowed
from service.models import (
    IS_OPEN,
    account_state,
    delivery_item,
    feedback_request,
    poll_window,
    result,
    send_attempt,
    worker_seen,
)

DAY = timedelta(days=1)
Query = sa.Select[*tuple[Any, ...]]
r, a, s, d = feedback_request.c, send_attempt.c, account_state.c, delivery_item.c


class Figures(Collector):
    """Reads the database once per scrape. Each query is bounded by an index or by the last day."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine, self._clock = engine, clock

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Say nothing in advance: the database may be away when we start."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every gauge."""
        now = self._clock()
        with reading(self._engine) as connection:
            for name, text, labels, query in QUERIES:
                yield _gauge(connection, name, text, labels, query(now))


def registry(engine: Engine, clock: Callable[[], datetime]) -> CollectorRegistry:
    """Return a registry with our figures."""
    made = CollectorRegistry()
    made.register(Figures(engine, clock))
    return made


def blueprint(engine: Engine, guard: Guard, clock: Callable[[], datetime]) -> flask.Blueprint:
    """Return `/metrics`; Prometheus brings a key like every other reader."""
    metrics = flask.Blueprint("metrics", __name__)
    collected = registry(engine, clock)

    @metrics.get("/metrics")
    @guard.requires("admin", "supervisor", "analyst")
    def show() -> flask.Response:
        if flask.g.reader.accounts:
            raise NotAllowed("whole_service_only", "These figures cover every account; it takes a key for all of them.")
        return flask.Response(generate_latest(collected), mimetype="text/plain")

    return metrics


def serve(bind: str | None, engine: Engine) -> None:
    """Serve a worker's figures on a port of its own, if one is configured."""
    if bind is None:
        return
    host, _, port = bind.rpartition(":")
    start_http_server(int(port), host or "127.0.0.1", registry(engine, lambda: datetime.now(UTC)))


def _gauge(connection: Connection, name: str, text: str, labels: list[str], query: Query) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(f"dm_feedback_{name}", text, labels=labels)
    for *values, number in connection.execute(query):
        gauge.add_metric([str(value) for value in values], float(number))
    return gauge


def _seconds_since(newest: sa.ColumnElement[datetime], now: datetime) -> sa.ColumnElement[float]:
    """Times are stored as microseconds, so ages are plain differences on both databases."""
    micros = int(now.timestamp() * 1_000_000)
    return sa.func.coalesce((micros - sa.type_coerce(newest, sa.BigInteger)) / 1_000_000.0, 0.0)


QUERIES: list[tuple[str, str, list[str], Callable[[datetime], Query]]] = [
    (
        "requests_open",
        "Feedback requests that have not ended, by account and state.",
        ["account", "state"],
        lambda _now: sa.select(r.account, r.state, sa.func.count()).where(IS_OPEN).group_by(r.account, r.state),
    ),
    (
        "requests_ended_day",
        "Ended conversations of the last 24 hours by account, outcome and reason.",
        ["account", "state", "reason"],
        lambda now: (
            sa.select(r.account, r.state, sa.func.coalesce(r.reason, ""), sa.func.count())
            .where(r.ended_at > now - DAY, ~IS_OPEN)
            .group_by(r.account, r.state, r.reason)
        ),
    ),
    (
        "oldest_due_seconds",
        "How long the longest waiting request has been due, by account.",
        ["account"],
        lambda now: (
            sa.select(r.account, _seconds_since(sa.func.min(r.scheduled_at), now))
            .where(IS_OPEN, r.scheduled_at <= now)
            .group_by(r.account)
        ),
    ),
    (
        "sends_unclear",
        "Sends whose outcome nobody knows yet, by account and kind.",
        ["account", "kind"],
        lambda _now: (
            sa.select(a.account, a.kind, sa.func.count()).where(a.outcome.is_(None)).group_by(a.account, a.kind)
        ),
    ),
    (
        "sends_day",
        "Sends that count in X's limits of the rolling 24 hours, by account and kind.",
        ["account", "kind"],
        lambda now: (
            sa.select(a.account, a.kind, sa.func.count())
            .where(a.intended_at > now - DAY, a.outcome.is_(None) | (a.outcome != "not_sent"))
            .group_by(a.account, a.kind)
        ),
    ),
    (
        "account_held",
        "1 where an account is held until a person releases it.",
        ["account", "reason"],
        lambda _now: sa.select(s.account, s.hold_reason, sa.literal(1)).where(s.hold_reason.is_not(None)),
    ),
    (
        "deliveries_day",
        "Items in deliveries of the last 24 hours, by what became of them.",
        ["outcome"],
        lambda now: sa.select(d.outcome, sa.func.count()).where(d.read_at > now - DAY).group_by(d.outcome),
    ),
    (
        "results_day",
        "Results that came or changed in the last 24 hours, by the channel that was first.",
        ["channel"],
        lambda now: (
            sa.select(result.c.first_channel, sa.func.count())
            .where(result.c.updated_at > now - DAY)
            .group_by(result.c.first_channel)
        ),
    ),
    (
        "webhook_missed",
        "Updates that polling found in its newest windows and the webhook had not brought, by account.",
        ["account"],
        lambda now: (
            sa.select(poll_window.c.account, sa.func.sum(poll_window.c.found_missing))
            .where(poll_window.c.to_time > now - 2 * DAY)
            .group_by(poll_window.c.account)
        ),
    ),
    (
        "workers_seen",
        "Workers that said they were alive in the last minute.",
        [],
        lambda now: sa.select(sa.func.count()).where(worker_seen.c.seen_at > now - timedelta(minutes=1)),
    ),
]
