"""Liveness and readiness: `/healthz` and `/readyz`, each dependency by name.

`/healthz` only says that the process answers. `/readyz` is 503 when the database is away, read-only or of another
schema; a held account or a missing worker makes it `degraded`, because deliveries are still accepted. Strangers learn
whether we are ready and nothing else: account names and their trouble are for operators' keys.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import flask
import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.exc import SQLAlchemyError

from service import migrations
from service.accounts import refused_ways, standing, x_outage
from service.accounts.standing import AccountStanding
from service.auth import Guard, declares
from service.clock import Clock
from service.db import reading, upsert, writing
from service.db.outages import AWAY, is_full, why_away
from service.errors import Unavailable
from service.models import IS_OPEN, feedback_request, probe, worker_seen
from service.settings import Settings
from service.sources import holds, waiting
from service.sources.holds import SourceStanding
from service.x_api.codes import SIGN_IN_LOST

WORKER_SILENT = timedelta(seconds=45)
PROBE_EVERY = timedelta(seconds=5)
READ_ONLY = "can be read, and not written: it"
FULL_FOR = timedelta(minutes=1)
log = structlog.get_logger(__name__)
fr, ws = feedback_request.c, worker_seen.c


def blueprint(settings: Settings, engine: Engine, guard: Guard, clock: Clock) -> flask.Blueprint:
    """Return the two routes."""
    health = flask.Blueprint("health", __name__)
    writes = Writes(engine, clock)

    @health.get("/healthz")
    @declares("nobody: says only that the process answers")
    def healthz() -> Mapping[str, str]:
        return {"status": "ok"}

    @health.get("/readyz")
    @declares("nobody: whether it is ready; a key with the role monitor or admin: why, by dependency")
    def readyz() -> tuple[Mapping[str, Any], int]:
        now = clock()
        why_not = why_not_ready(engine, now, writes)
        if why_not is not None:
            log.warning("not_ready", database=why_not)  # without a database nobody can be authenticated
            return {"status": "unavailable"}, 503
        if "Authorization" not in flask.request.headers:
            return {"status": "ok"}, 200
        found: tuple[Mapping[str, Any], int] = details(now)
        return found

    @guard.requires("admin", "monitor")
    def details(now: datetime) -> tuple[Mapping[str, Any], int]:
        flask.g.reader.demand_all()
        return readiness(settings, engine, now), 200

    return health


class Writes:
    """Knows whether the database takes writes, by writing now and then: a standby or a full disk can still be read.

    A full one may have room for that little and for no delivery, so what others here were refused counts, too.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._asked: datetime | None = None
        self._refused: str | None = None
        self._full: datetime | None = None

        @sa.event.listens_for(engine, "handle_error")
        def note(context: ExceptionContext) -> None:
            options = {} if context.connection is None else context.connection.get_execution_options()
            refused = is_full(context.sqlalchemy_exception)
            if refused and options.get("dm_feedback_writes"):  # a read may find no room for its temporary file
                self._full = clock()

    def why_refused(self, now: datetime) -> str | None:
        """Why the last trial write, a few seconds ago, or another one lately was refused; None: it was not."""
        if self._asked is None or not timedelta(0) <= now - self._asked < PROBE_EVERY:
            self._asked, self._refused = now, self._write(now)
        full = self._full is not None and timedelta(0) <= now - self._full < FULL_FOR
        return self._refused or (f"{READ_ONLY} has no room left" if full else None)

    def _write(self, now: datetime) -> str | None:
        try:
            with writing(self._engine) as connection:
                upsert(connection, probe, {"name": "ready"}, {"at": now})
        except AWAY as error:
            return f"{READ_ONLY} {why_away(error)}"
        return None


def why_not_ready(engine: Engine, now: datetime, writes: Writes) -> str | None:
    """Return what is wrong with the database and what to do; None if it works."""
    try:
        migrations.require_fitting(engine)
    except Unavailable as error:
        return error.sentence
    except SQLAlchemyError as error:
        return why_away(error)
    return writes.why_refused(now)


def readiness(settings: Settings, engine: Engine, now: datetime) -> dict[str, Any]:
    """Return how each dependency stands, and what to do about those in trouble."""
    with reading(engine) as connection:
        closed = refused_ways.listed(connection, now)
        stand = {each.account: each for each in standing.standings(connection)}
        accounts = {
            name: _account(connection, stand.get(name, AccountStanding(name)), now)
            | _barred([each for each in closed if each.account == name])
            for name in settings.accounts
        }
        sources = _sources(connection, settings, now)
        worker = _worker(connection, now)
        oldest = _oldest_due(connection, accounts, now)
    well = worker == "ok" and all(each["status"] == "ok" for each in (*accounts.values(), *sources.values()))
    return {
        "status": "ok" if well else "degraded",
        "database": "ok",
        "schema": migrations.head(),
        "worker": worker,
        "oldest_due_seconds": oldest,
        "accounts": accounts,
        "sources": sources,
    }


def _account(connection: Connection, each: AccountStanding, now: datetime) -> dict[str, Any]:
    match each.status(now):
        case "held", _:
            more = {"reason": each.hold_reason, "x_code": each.hold_code, "what_to_do": advice(each)}
            return {"status": "held", **more}
        case "paused", datetime() as until:
            return {"status": "paused", "until": until.isoformat()}
        case "x_away", datetime() as since:
            return {"status": "x_away", "since": since.isoformat(), "waiting": _waiting(connection, each.account)}
    return {"status": "ok"}


def advice(each: AccountStanding) -> str:
    """What lets a held account go on."""
    if each.hold_reason == SIGN_IN_LOST.reason:
        return f"run `dm-feedback accounts connect {each.account}`, which signs it in and lets it continue"
    by_x = each.hold_code is not None  # no code: held by a person
    first = "fix the cause (at X, or the keys here, then restart)" if by_x else "deal with the reason"
    return f"{first}, then run `dm-feedback accounts release {each.account}`"


def _sources(connection: Connection, settings: Settings, now: datetime) -> dict[str, dict[str, Any]]:
    """How the APIs for look-ups stand, and how many conversations wait for them."""
    stand, waits = holds.standings(connection), waiting.counts(connection)
    asked = [name for name, source in settings.sources.items() if source.api is not None]
    return {name: _source(stand.get(name, SourceStanding(name)), waits.get(name, 0), now) for name in asked}


def _source(each: SourceStanding, waits: int, now: datetime) -> dict[str, Any]:
    if each.hold_reason is not None:
        advice = f"correct [sources.{each.source}.api], restart, then run `dm-feedback sources release {each.source}`"
        return {"status": "held", "reason": each.hold_reason, "waiting": waits, "what_to_do": advice}
    if each.rests(now) and each.paused_until is not None:
        return {"status": "paused", "until": each.paused_until.isoformat(), "waiting": waits}
    if (since := x_outage.since(each.away_since, now)) is not None:
        return {"status": "crm_away", "since": since.isoformat(), "waiting": waits}
    return {"status": "ok"}


def _barred(ways: Sequence[refused_ways.Barred]) -> dict[str, Any]:
    """Ways X refuses to the account. No error: requests use another way, and these are retried automatically."""
    told = [{"way": each.way, "x_code": each.code, "since": each.barred_at.isoformat()} for each in ways]
    return {"ways_barred": told} if told else {}


def _waiting(connection: Connection, name: str) -> int:
    """How many requests of the account are open, and so have no outcome while X is away."""
    open_ones = sa.select(sa.func.count()).select_from(feedback_request).where(IS_OPEN, fr.account == name)
    return connection.scalar(open_ones) or 0


def _worker(connection: Connection, now: datetime) -> str:
    return "no worker is running; start `dm-feedback worker`" if is_silent(last_worker(connection), now) else "ok"


def last_worker(connection: Connection) -> datetime | None:
    """Return when a worker was last alive."""
    return connection.scalar(sa.select(sa.func.max(ws.seen_at)))


def is_silent(worker: datetime | None, now: datetime) -> bool:
    """Whether that means that no worker is running."""
    return worker is None or worker < now - WORKER_SILENT


def _oldest_due(connection: Connection, accounts: Mapping[str, Mapping[str, Any]], now: datetime) -> int:
    """For how many seconds the longest waiting request of an account that may send has been due."""
    due = sa.select(fr.scheduled_at).where(IS_OPEN, fr.scheduled_at <= now).order_by(fr.scheduled_at)
    free = [name for name, each in accounts.items() if each["status"] == "ok"]
    waits = [connection.scalar(due.where(fr.account == name).limit(1)) for name in free]
    return max((int((now - since).total_seconds()) for since in waits if since is not None), default=0)
