"""`/metrics` for Prometheus. Counts only: no customer, no text, no score.

Everything is read from the database at the time of the scrape, so any process of any machine gives the same answer and
a restart loses nothing: gauges from the ledger, counters from `totals`.
"""

from collections.abc import Iterator

import flask
import structlog
from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.engine import Connection, Engine

from service import replica
from service.auth import Guard
from service.clock import Clock, utc_now
from service.db import reading
from service.db.sqlite import log_bytes
from service.metrics import budgets, served, totals
from service.metrics.gauge import family
from service.partitions import creation
from service.settings import Settings
from service.settings.values import host_and_port

log = structlog.get_logger(__name__)


class Figures(Collector):
    """Reads the database once per scrape. Each query is bounded by an index or by the last day."""

    def __init__(self, settings: Settings, engine: Engine, clock: Clock) -> None:
        self._settings, self._engine, self._clock = settings, engine, clock

    def describe(self) -> Iterator[Metric]:
        """Declare nothing in advance: the database may be away when we start."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield every gauge and every counter."""
        now = self._clock()
        with reading(self._engine) as connection:
            for each, rows in served.figures(connection, self._settings, now):
                yield family(each.name, each.text, each.labels, rows)
            yield from budgets.families(connection, self._settings.accounts, now)
            yield from totals.families(connection, now)
            yield from _unplaced(connection)
            yield from _log(self._engine)
        yield from _replica(self._engine)


def registry(settings: Settings, engine: Engine, clock: Clock) -> CollectorRegistry:
    """Return a registry with our figures."""
    made = CollectorRegistry()
    made.register(Figures(settings, engine, clock))
    return made


def blueprint(settings: Settings, engine: Engine, guard: Guard, clock: Clock) -> flask.Blueprint:
    """Return the blueprint of `/metrics`; Prometheus needs a key like every other reader."""
    metrics = flask.Blueprint("metrics", __name__)
    collected = registry(settings, engine, clock)

    @metrics.get("/metrics")
    @guard.requires("admin", "monitor")
    def show() -> flask.Response:
        flask.g.reader.demand_all()
        return flask.Response(generate_latest(collected), mimetype="text/plain")

    return metrics


def serve(settings: Settings, engine: Engine) -> None:
    """Serve the figures on a port of the worker's own, if one is configured.

    If that port is taken, for instance by another worker with the same settings, it works without: every process
    reports the same.
    """
    bind = settings.worker.metrics_bind
    if bind is None:
        return
    host, port = host_and_port(bind)
    try:
        start_http_server(port, host or "127.0.0.1", registry(settings, engine, utc_now))
    except OSError as error:
        log.warning("worker_metrics_not_served", bind=bind, error=error.strerror)


def _replica(engine: Engine) -> Iterator[Metric]:
    """How the replica stands, if there is one, and how far behind it is, if that can be known."""
    found = replica.standing(engine)
    if found is None:
        return
    yield family("replica_used", "Whether figures and exports are read from the replica.", (), [(not found.problem,)])
    if found.behind is not None:
        behind = found.behind.total_seconds()
        yield family("replica_behind_seconds", "How far behind the replica is.", (), [(behind,)])


def _log(engine: Engine) -> Iterator[Metric]:
    """The log beside an SQLite file, which grows as long as somebody reads and does not end."""
    if (size := log_bytes(engine)) is not None:
        yield family("sqlite_log_bytes", "Size of SQLite's write-ahead log (FILE-wal).", (), [(size,)])


def _unplaced(connection: Connection) -> Iterator[Metric]:
    """What waits for a partition, where tables lie in some."""
    text = "Rows without a partition yet, by table, counted up to 1000. The worker moves them into one."
    if found := creation.unplaced(connection):
        yield family("rows_unplaced", text, ["table"], found.items())
