"""The only writer of a request: applies an outcome and writes the row and a line of history.

Both in the caller's transaction, so there is no state without its line. Every write that a reader can see moves
`updated_at` and removes the row's seal. Decides no outcome and calls nobody.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from service.at_rest.columns import encrypting
from service.db import once_committed
from service.models import feedback_request, transition
from service.requests import sends
from service.requests.machine import apply
from service.requests.outcomes import Applied, Outcome, Postpone
from service.requests.request import Request
from service.requests.retry import RetryPolicy
from service.requests.rows import changes_of
from service.requests.seals import UNSEALED
from service.states import State
from service.telemetry.counters import PROCESS_COUNTS

log = structlog.get_logger(__name__)
fr = feedback_request.c
# Built once: building these takes longer than running them.
THIS = fr.id == sa.bindparam("this")
CHANGE = sa.update(feedback_request).where(THIS)
LINE = sa.insert(transition)
NOBODY_SEES = {"lease_token", "lease_until"}


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, as the history names them, and the retry policy."""

    actor: str
    policy: RetryPolicy


def write(connection: Connection, request: Request, outcome: Outcome, now: datetime, writer: Writer) -> Request:
    """Apply an outcome: state, facts and the line of history in one commit."""
    after = record_outcome(connection, request, outcome, now, writer)
    store(connection, request, after, now)
    return after


def record_outcome(
    connection: Connection, request: Request, outcome: Outcome, now: datetime, writer: Writer
) -> Request:
    """Apply an outcome and write its line of history. The caller must call `store` before the commit.

    So a request that passes through several states in one transaction gets a line for each, and one row update.
    """
    change = apply(request, outcome, now, writer.policy)
    if not _still_waits(request, outcome):
        _write_history(connection, request, change, now, writer.actor)
    if change.request.state is State.UNKNOWN:
        sends.end_unclear(connection, request.id, now)
    if request.is_open and not change.request.is_open:
        once_committed(connection, lambda: _tell(change.request, now))
    return change.request


def _tell(ended: Request, now: datetime) -> None:
    end = {"state": ended.state, "reason": ended.reason}
    log.info("request_ended", request_id=ended.id, account=ended.account, **end)
    PROCESS_COUNTS.add("requests_ended", ended.account, ended.state, ended.reason or "")
    if ended.state is State.CARD_SENT:
        PROCESS_COUNTS.observe("end_to_card_seconds", (now - ended.ended_at).total_seconds(), ended.account)


def store(connection: Connection, before: Request, after: Request, now: datetime) -> None:
    """Write what of a request has changed since it was read."""
    changed = changes_of(before, after)
    if changed.keys() - NOBODY_SEES:
        changed |= {**UNSEALED, "updated_at": now}
    if changed:
        connection.execute(CHANGE, {"this": before.id, **encrypting(feedback_request, changed, before.id)})


def _write_history(connection: Connection, before: Request, change: Applied, now: datetime, actor: str) -> None:
    connection.execute(
        LINE,
        {
            "request_id": before.id, "at": now, "from_state": before.state, "to_state": change.request.state,
            "event": change.event, "reason": change.reason, "detail": change.detail, "actor": actor,
        },
    )  # fmt: skip


def _still_waits(request: Request, outcome: Outcome) -> bool:
    """Whether a waiting request keeps waiting for the same reason: a line each time would fill the history."""
    return isinstance(outcome, Postpone) and outcome.plan is None and request.reason == outcome.reason
