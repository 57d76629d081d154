"""The one writer of a request's state: in, its row and an outcome; out, the row as it is now, and a line of history.

Both in the caller's transaction, so that a state without its line cannot be. Never decides an outcome and calls nobody.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine, Row

from service.models import feedback_request, send_attempt, transition
from service.outreach.machine import Outcome, Postpone, Standing, apply
from service.outreach.retry import RetryPolicy
from service.requests.changes import UNSEALED
from service.settings import Settings
from service.states import State

log = structlog.get_logger(__name__)
r = feedback_request.c
a = send_attempt.c
# Built once: to build these costs more than the database takes to answer them.
THIS = r.id == sa.bindparam("this")
CHANGE = sa.update(feedback_request).where(THIS)
CHANGED = CHANGE.returning(feedback_request)
LINE = sa.insert(transition)
CLOCKS_DIFFER = timedelta(minutes=10)  # more than machines that keep time ever do
PUT_DOWN: dict[str, None] = {"lease_token": None, "lease_until": None}


@dataclass(frozen=True, slots=True)
class Queue:
    """What claiming and recording lean on. `worker` names us in the history."""

    engine: Engine
    settings: Settings
    worker: str

    @property
    def policy(self) -> RetryPolicy:
        """When to stop trying."""
        return RetryPolicy(self.settings.worker.max_attempts, self.settings.worker.give_up_after)


def write(
    connection: Connection, queue: Queue, row: Row[Any], outcome: Outcome, now: datetime, actor: str | None = None
) -> Row[Any]:
    """Apply an outcome: the state, its facts and the line of history in one commit. Return the row as it is now.

    Whoever held the lease has put it down by this; only an intent to call X takes it up again.
    """
    standing = Standing(row.id, State(row.state), row.attempts, row.ended_at, row.scheduled_at, row.stale_at)
    change = apply(standing, outcome, now, queue.policy)
    if not _still_waits(row, outcome):
        tell(connection, queue, row, change.state, change.event, change.reason, now, detail=change.detail, actor=actor)
    values: dict[str, Any] = {
        **change.facts,
        **PUT_DOWN,
        **UNSEALED,
        "state": change.state,
        "reason": change.reason,
        "detail": change.detail,
        "attempts": change.attempts,
        "scheduled_at": change.scheduled_at,
        "updated_at": now,
    }
    if change.state is State.UNKNOWN:
        unclear = sa.update(send_attempt).where(a.request_id == row.id, a.outcome.is_(None))
        connection.execute(unclear.values(outcome="unknown", settled_at=now))
    if change.ended:
        values["outcome_at"] = now
        log.info("request_ended", request_id=row.id, account=row.account, state=change.state, reason=change.reason)
    return connection.execute(CHANGED, {"this": row.id, **values}).one()


def tell(
    connection: Connection,
    queue: Queue,
    row: Row[Any],
    to: State,
    event: str,
    reason: str | None,
    now: datetime,
    *,
    detail: str | None = None,
    actor: str | None = None,
) -> None:
    """Write one line of the request's history."""
    connection.execute(
        LINE,
        {
            "request_id": row.id, "at": now, "from_state": row.state, "to_state": to, "event": event,
            "reason": reason, "detail": detail, "actor": actor or queue.worker,
        },
    )  # fmt: skip


def _still_waits(row: Row[Any], outcome: Outcome) -> bool:
    """Whether a request that waited goes on waiting for the same reason: a line a time would fill the history."""
    return isinstance(outcome, Postpone) and not outcome.facts and row.reason == outcome.reason
