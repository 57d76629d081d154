"""Is it alive, can it work: in, the engine and settings; out, `/healthz` and `/readyz`, each dependency by its name.

`/healthz` says only that the process answers. `/readyz` is 503 where the database or its schema is away; a held
account or a missing worker makes it `degraded`, since deliveries are still accepted. Shows no customer and no secret.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import flask
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from service import migrations
from service.accounts import away
from service.auth import declares
from service.db import reading
from service.errors import Unavailable
from service.models import IS_OPEN, account_state, feedback_request, worker_seen
from service.settings import Settings

WORKER_SILENT = timedelta(seconds=45)
s, r, w = account_state.c, feedback_request.c, worker_seen.c


def blueprint(settings: Settings, engine: Engine, clock: Callable[[], datetime]) -> flask.Blueprint:
    """Return the two routes."""
    health = flask.Blueprint("health", __name__)

    @health.get("/healthz")
    @declares("nobody: says only that the process answers")
    def healthz() -> Mapping[str, str]:
        return {"status": "ok"}

    @health.get("/readyz")
    @declares("nobody: names dependencies, shows no customer and no secret")
    def readyz() -> tuple[Mapping[str, Any], int]:
        report = readiness(settings, engine, clock())
        return report, 503 if report["status"] == "unavailable" else 200

    return health


def readiness(settings: Settings, engine: Engine, now: datetime) -> dict[str, Any]:
    """Return how each dependency stands and what to do where one does not."""
    try:
        migrations.require_head(engine)
        with reading(engine) as connection:
            accounts = {name: _account(connection, name, now) for name in settings.accounts}
            worker = _worker(connection, now)
            oldest = _oldest_due(connection, accounts, now)
    except Unavailable as error:
        return {"status": "unavailable", "database": error.sentence}
    except SQLAlchemyError:
        return {"status": "unavailable", "database": "does not answer; is it running, and is database.url right?"}
    well = worker == "ok" and all(each["status"] == "ok" for each in accounts.values())
    return {
        "status": "ok" if well else "degraded",
        "database": "ok",
        "schema": migrations.head(),
        "worker": worker,
        "oldest_due_seconds": oldest,
        "accounts": accounts,
    }


def _account(connection: Connection, name: str, now: datetime) -> dict[str, Any]:
    row = connection.execute(sa.select(account_state).where(s.account == name)).one_or_none()
    if row is None:
        return {"status": "ok"}
    if row.hold_reason is not None:
        first = (
            "mend it (at X, or the keys here, then restart)" if row.hold_code is not None else "see to the reason"
        )  # no code: held by a person
        advice = f"{first}, then run `dm-feedback accounts release {name}`"
        return {"status": "held", "reason": row.hold_reason, "x_code": row.hold_code, "what_to_do": advice}
    if row.paused_until is not None and row.paused_until > now:
        return {"status": "paused", "until": row.paused_until.isoformat()}
    away_since = away.since(row.x_away_since, now)
    if away_since is not None:
        return {"status": "x_away", "since": away_since.isoformat(), "waiting": _waiting(connection, name)}
    return {"status": "ok"}


def _waiting(connection: Connection, name: str) -> int:
    """How many requests of the account are open: what X's absence keeps from an outcome."""
    open_ones = sa.select(sa.func.count()).select_from(feedback_request).where(IS_OPEN, r.account == name)
    return connection.scalar(open_ones) or 0


def _worker(connection: Connection, now: datetime) -> str:
    seen = connection.scalar(sa.select(sa.func.max(w.seen_at)))
    if seen is None or seen < now - WORKER_SILENT:
        return "no worker is running; start `dm-feedback worker`"
    return "ok"


def _oldest_due(connection: Connection, accounts: Mapping[str, Mapping[str, Any]], now: datetime) -> int:
    """How many seconds the longest waiting request of an account that may send has been due."""
    due = sa.select(r.scheduled_at).where(IS_OPEN, r.scheduled_at <= now).order_by(r.scheduled_at)
    free = [name for name, each in accounts.items() if each["status"] == "ok"]
    waits = [connection.scalar(due.where(r.account == name).limit(1)) for name in free]
    return max((int((now - since).total_seconds()) for since in waits if since is not None), default=0)
