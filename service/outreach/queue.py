"""The only locking: in, an account and a moment; out, requests that are ready for one X call each.

    claim   one short transaction: pick what is due, lease it, decide what needs no call, commit the intent to send
    record  one short transaction: what X said, the new state, its line of history - and the next intent, if any

No transaction is open while X thinks. Every write carries the lease token, so a worker that was paused past its lease
cannot record over its successor. Never calls X.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine, Row

from service.db import insert, reading, writing
from service.ids import new_id
from service.models import IS_OPEN, account_state, feedback_request, send_attempt, transition, x_identity
from service.outreach import accounts
from service.outreach.answers import Found, Hold, Pause
from service.outreach.machine import Advance, Change, Note, Outcome, Standing, Unclear, apply
from service.outreach.prepare import Intent, prepare
from service.outreach.retry import RetryPolicy
from service.settings import Account, Settings
from service.states import OPEN_STATES, State
from service.x_api import allowance

log = structlog.get_logger(__name__)
r = feedback_request.c
a = send_attempt.c
# Built once: to build these costs more than the database takes to answer them.
THIS = r.id == sa.bindparam("this")
LEASED = sa.select(feedback_request).where(THIS, r.lease_token == sa.bindparam("token")).with_for_update()
CHANGE = sa.update(feedback_request).where(THIS)
CHANGED = CHANGE.returning(feedback_request)
LINE = sa.insert(transition)
ATTEMPT = sa.insert(send_attempt)
SETTLE = sa.update(send_attempt).where(a.id == sa.bindparam("this"), a.outcome.is_(None))
PUT_DOWN: dict[str, None] = {"lease_token": None, "lease_until": None}
CLOCKS_DIFFER = timedelta(minutes=10)  # more than machines that keep time ever do


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


@dataclass(frozen=True, slots=True)
class Ready:
    """A leased request whose next X call is committed to. `attempt_id` stands where the call writes to the customer."""

    request: Row[Any]
    account: Account
    endpoint: str
    lease_token: str
    intended_at: datetime
    attempt_id: str | None


def due_accounts(queue: Queue, names: Iterable[str], now: datetime) -> list[str]:
    """Return the accounts that have something due and are neither held nor paused."""
    with reading(queue.engine) as connection:
        at_rest = accounts.at_rest(connection, now)
        awake = [name for name in names if name not in at_rest]
        due = sa.exists().where(
            r.account == account_state.c.account,
            IS_OPEN,
            r.scheduled_at <= now,
            _free(now, queue.settings.worker.lease),
        )
        return list(
            connection.scalars(sa.select(account_state.c.account).where(account_state.c.account.in_(awake), due))
        )


def claim(queue: Queue, account: Account, limit: int, now: datetime) -> list[Ready]:
    """Lease up to `limit` due requests of the account and return those whose next step needs X."""
    token = new_id("ls", now)
    with writing(queue.engine) as connection:
        if accounts.lock(connection, account.name, now):
            return []
        rows = _pick(connection, queue, account, limit, token, now)
        walked = [_walk(connection, queue, row, account, token, now) for row in rows]
    return [ready for ready in walked if ready is not None]


def record(queue: Queue, ready: Ready, found: Found, now: datetime, *, go_on: bool = True) -> Ready | None:
    """Write what X said; return the next ready step of the same request, if it may go on at once.

    Returns None, and writes nothing, where the lease has passed to another worker - or where this very record is made
    again because nobody knew whether its commit had come through, and it had.
    """
    with writing(queue.engine) as connection:
        at_rest = accounts.lock(connection, ready.account.name, now)
        mine = {"this": ready.request.id, "token": ready.lease_token}
        row = connection.execute(LEASED, mine).one_or_none()
        if row is None or row.state != ready.request.state:
            log.warning("lease_lost", request_id=ready.request.id, state=ready.request.state)
            return None
        _settle(connection, ready, found, now)
        _take_effect(connection, ready, found, now)
        row = write(connection, queue, row, found.outcome, now)
        if not go_on or at_rest or found.effect is not None or not _due(row, now):
            return None
        return _walk(connection, queue, row, ready.account, ready.lease_token, now)


def give_back(queue: Queue, ready: Ready, now: datetime) -> None:
    """Return a claimed request whose call was never made (we are shutting down, or it took too long to begin)."""
    with writing(queue.engine) as connection:
        mine = {"this": ready.request.id, "token": ready.lease_token}
        if connection.execute(LEASED, mine).one_or_none() is None:
            return
        if ready.attempt_id is not None:
            _mark(connection, ready.attempt_id, outcome="not_sent", evidence="never_begun", settled_at=now)
        connection.execute(CHANGE, {"this": ready.request.id, **PUT_DOWN})


def write(
    connection: Connection, queue: Queue, row: Row[Any], outcome: Outcome, now: datetime, actor: str | None = None
) -> Row[Any]:
    """Apply an outcome: the state, its facts and the line of history in one commit. Return the row as it is now.

    Whoever held the lease has put it down by this; only an intent to call X takes it up again.
    """
    standing = Standing(row.id, State(row.state), row.attempts, row.ended_at, row.scheduled_at)
    change = apply(standing, outcome, now, queue.policy)
    _remember_handle(connection, row, change, now)
    tell(connection, queue, row, change.state, change.event, change.reason, now, detail=change.detail, actor=actor)
    values: dict[str, Any] = {
        **change.facts,
        **PUT_DOWN,
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


def _pick(
    connection: Connection, queue: Queue, account: Account, limit: int, token: str, now: datetime
) -> list[Row[Any]]:
    lease = queue.settings.worker.lease
    pick = (
        sa.select(r.id)
        .where(r.account == account.name, IS_OPEN, r.scheduled_at <= now, _free(now, lease))
        .order_by(r.scheduled_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("pick")
    )
    claimed = (
        sa.update(feedback_request)
        .where(r.id.in_(sa.select(pick.c.id)))
        .values(lease_token=token, lease_until=now + lease)
        .returning(feedback_request)
    )
    return sorted(connection.execute(claimed).all(), key=lambda row: row.scheduled_at)


def _free(now: datetime, lease: timedelta) -> sa.ColumnElement[bool]:
    """Not leased, or leased by somebody who died, or leased until a time that only a clock set back could explain.

    Two machines' clocks may differ a little: a lease that merely looks some seconds long must not be taken away.
    """
    return r.lease_until.is_(None) | (r.lease_until <= now) | (r.lease_until > now + lease + CLOCKS_DIFFER)


def _walk(
    connection: Connection, queue: Queue, row: Row[Any], account: Account, token: str, now: datetime
) -> Ready | None:
    """Decide all that needs no call, until a call is needed or the request has to wait."""
    while True:
        found = prepare(connection, queue.settings, account, row, now)
        if isinstance(found, Intent):
            return _commit_to(connection, queue, row, account, found, token, now)
        row = write(connection, queue, row, found, now)
        if not _due(row, now):
            return None


def _commit_to(
    connection: Connection, queue: Queue, row: Row[Any], account: Account, intent: Intent, token: str, now: datetime
) -> Ready:
    attempt_id = None
    if intent.kind is not None:
        attempt_id = new_id("sa", now)
        connection.execute(
            ATTEMPT,
            {
                "id": attempt_id, "request_id": row.id, "account": account.name, "x_user_id": row.x_user_id,
                "kind": intent.kind, "intended_at": now,
            },
        )  # fmt: skip
    lease = {"lease_token": token, "lease_until": now + queue.settings.worker.lease}
    connection.execute(CHANGE, {"this": row.id, **lease})
    return Ready(row, account, intent.endpoint, token, now, attempt_id)


def _settle(connection: Connection, ready: Ready, found: Found, now: datetime) -> None:
    if ready.attempt_id is None:
        return
    match found.outcome:
        case Advance():
            _mark(connection, ready.attempt_id, outcome="sent", x_id=found.x_id, evidence="answer", settled_at=now)
        case Unclear(answered=True):
            _mark(connection, ready.attempt_id, answered_at=now)
        case Unclear() | Note():
            pass
        case _:
            _mark(connection, ready.attempt_id, outcome="not_sent", evidence="refused", settled_at=now)


def _mark(connection: Connection, attempt_id: str, **values: Any) -> None:
    connection.execute(SETTLE, {"this": attempt_id, **values})


def _take_effect(connection: Connection, ready: Ready, found: Found, now: datetime) -> None:
    name = ready.account.name
    match found.effect:
        case Hold() as why:
            if accounts.hold(connection, name, why, now):
                log.error("account_held", account=name, reason=why.reason, x_code=why.code)
        case Pause(until, None):
            accounts.pause(connection, name, until, now)
            log.warning("account_paused", account=name, until=until.isoformat())
        case Pause(until, str(endpoint)):
            allowance.exhausted(connection, name, endpoint, until, now)


def _remember_handle(connection: Connection, row: Row[Any], change: Change, now: datetime) -> None:
    """Keep the id X gave for a handle, and when: handles are renamed and re-used."""
    x_user_id = change.facts.get("x_user_id")
    if row.x_handle is None or x_user_id is None:
        return
    seen = insert(connection, x_identity).values(handle=row.x_handle.lower(), x_user_id=x_user_id, seen_at=now)
    connection.execute(
        seen.on_conflict_do_update(index_elements=["handle"], set_={"x_user_id": x_user_id, "seen_at": now})
    )


def _due(row: Row[Any], now: datetime) -> bool:
    return row.state in OPEN_STATES and row.scheduled_at <= now
