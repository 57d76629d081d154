"""Claiming and recording: in, an account and a moment; out, requests that are ready for one X call each.

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
from sqlalchemy import exc
from sqlalchemy.engine import Connection, Row

from service.db import insert, reading, writing
from service.ids import new_id
from service.models import IS_OPEN, account_state, feedback_request, send_attempt, x_identity
from service.outreach import accounts, strange
from service.outreach.answers import Found, Hold, Pause, Strange
from service.outreach.evidence import arrived_before
from service.outreach.ledger import CHANGE, CLOCKS_DIFFER, PUT_DOWN, THIS, Queue, write
from service.outreach.machine import Advance, Note, Outcome, Postpone, Retry, Unclear
from service.outreach.prepare import Intent, prepare
from service.settings import Account
from service.states import OPEN_STATES
from service.x_api import allowance

log = structlog.get_logger(__name__)
r = feedback_request.c
a = send_attempt.c
LEASED = sa.select(feedback_request).where(THIS, r.lease_token == sa.bindparam("token")).with_for_update()
ATTEMPT = sa.insert(send_attempt)
SETTLE = sa.update(send_attempt).where(a.id == sa.bindparam("this"), a.outcome.is_(None))
AWAY = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError)


@dataclass(frozen=True, slots=True)
class Ready:
    """A leased request whose next X call is committed to. `attempt_id` stands where the call writes to the customer."""

    request: Row[Any]
    account: Account
    endpoint: str
    lease_token: str
    intended_at: datetime
    attempt_id: str | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """How many due requests were taken up, and those of them whose next step needs X."""

    picked: int
    ready: list[Ready]


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


def claim(queue: Queue, account: Account, limit: int, now: datetime) -> Claimed:
    """Lease up to `limit` due requests of the account and decide them as far as no call to X is needed."""
    token, at = new_id("ls", now), ""
    try:
        with writing(queue.engine) as connection:
            if not accounts.lock_if_free(connection, account.name, now):
                return Claimed(0, [])
            rows, walked = _pick(connection, queue, account, limit, token, now), []
            for row in rows:
                at = row.id
                walked.append(_walk(connection, queue, row, account, token, now))
    except AWAY:
        raise
    except Exception as error:
        if not at:
            raise
        # A bug that one request meets must not hold up the others of its account, which have been rolled back with it.
        log.exception("request_not_decided", request_id=at, error=type(error).__name__)
        _set_aside(queue, at, type(error).__name__, now)
        return Claimed(1, [])
    return Claimed(len(rows), [ready for ready in walked if ready is not None])


def record(queue: Queue, ready: Ready, found: Found, now: datetime, *, go_on: bool = True) -> Ready | None:
    """Write what X said; return the next ready step of the same request, if it may go on at once.

    Returns None, and writes nothing, where the lease has passed to another worker - or where this very record is made
    again because nobody knew whether its commit had come through, and it had.
    """
    try:
        return _record(queue, ready, found, now, go_on=go_on)
    except AWAY:
        raise
    except Exception as error:
        if not go_on:
            raise
        # What X said must be kept, even where the step after it meets a bug.
        log.exception("next_step_not_decided", request_id=ready.request.id, error=type(error).__name__)
        return _record(queue, ready, found, now, go_on=False)


def _record(queue: Queue, ready: Ready, found: Found, now: datetime, *, go_on: bool) -> Ready | None:
    with writing(queue.engine) as connection:
        at_rest = accounts.lock(connection, ready.account.name, now)
        mine = {"this": ready.request.id, "token": ready.lease_token}
        row = connection.execute(LEASED, mine).one_or_none()
        if row is None or row.state != ready.request.state:
            log.warning("lease_lost", request_id=ready.request.id, state=ready.request.state)
            return None
        _settle(connection, ready, found, now)
        found = arrived_before(connection, ready.attempt_id, found, now)
        _take_effect(connection, ready, found, now)
        _remember_handle(connection, row, found.outcome, now)
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
        if not _due(row, now) or _waits(found):
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
            _hold(connection, name, why, now)
        case Strange(endpoint, code, reason):
            if strange.is_about_us(connection, name, endpoint, ready.request.id):
                _hold(connection, name, Hold(code, reason), now)
        case Pause(until, None):
            accounts.pause(connection, name, until, now)
            log.warning("account_paused", account=name, until=until.isoformat())
        case Pause(until, str(endpoint)):
            allowance.exhausted(connection, name, endpoint, until, now)
        case None if isinstance(found.outcome, Advance | Note):
            strange.went_well(connection, name, ready.endpoint)


def _hold(connection: Connection, name: str, why: Hold, now: datetime) -> None:
    if accounts.hold(connection, name, why, now):
        log.error("account_held", account=name, reason=why.reason, x_code=why.code)


def _remember_handle(connection: Connection, row: Row[Any], outcome: Outcome, now: datetime) -> None:
    """Keep the id X gave for a handle, and when: handles are renamed and re-used."""
    x_user_id = outcome.facts.get("x_user_id") if isinstance(outcome, Advance) else None
    if row.x_handle is None or x_user_id is None:
        return
    seen = insert(connection, x_identity).values(handle=row.x_handle.lower(), x_user_id=x_user_id, seen_at=now)
    connection.execute(
        seen.on_conflict_do_update(index_elements=["handle"], set_={"x_user_id": x_user_id, "seen_at": now})
    )


def _set_aside(queue: Queue, request_id: str, error: str, now: datetime) -> None:
    """Take a request that cannot be decided out of the way of the others, for longer each time."""
    with writing(queue.engine) as connection:
        row = connection.execute(sa.select(feedback_request).where(r.id == request_id).with_for_update()).one()
        if row.state in OPEN_STATES:
            write(connection, queue, row, Retry("internal_error", error), now)


def _waits(found: Outcome) -> bool:
    """Whether to stop deciding for now, even if the time to go on seems to have come already."""
    return isinstance(found, Unclear) or (isinstance(found, Postpone) and not found.facts)


def _due(row: Row[Any], now: datetime) -> bool:
    return row.state in OPEN_STATES and row.scheduled_at <= now
