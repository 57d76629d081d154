"""Visible changes of requests, numbered in commit order. Never looks at what has changed.

Whoever writes something a reader can see (the row, its answer, their erasure) sets `sealed` to NULL in the same
transaction. A sealer then numbers the row from a single counter row, which it locks until its own commit. So whoever
has read up to a number has missed nothing below it, and a row that changes again gets a new number.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.ids import new_id
from service.models import change_counter, feedback_request, result

fr = feedback_request.c
cc = change_counter.c
UNSEALED: Mapping[str, None] = {"sealed": None}
"""What every update of a request adds to its values, if a reader can see the change."""

IS_UNSEALED = fr.sealed.is_(None)
ANY_UNSEALED = sa.select(fr.id).where(IS_UNSEALED).limit(1)
LOCK_UNSEALED = (
    sa.select(fr.id)
    .where(IS_UNSEALED)
    .order_by(fr.id)
    .limit(sa.bindparam("at_once", type_=sa.Integer()))
    .with_for_update(skip_locked=True, key_share=True)
)
HOLD_COUNTER = sa.select(cc.id).where(cc.id == 1).with_for_update()
TAKE = (
    sa.update(change_counter)
    .where(cc.id == 1)
    .values(last=cc.last + sa.bindparam("n"), sealed_at=sa.bindparam("now", type_=cc.sealed_at.type))
    .returning(cc.last)
)
SEAL = (
    sa.update(feedback_request)
    .where(fr.id == sa.bindparam("this"))
    .values(sealed=sa.bindparam("number"), counted=sa.bindparam("counts", type_=fr.counted.type))
)

COUNT = (
    sa.update(feedback_request)
    .where(fr.id == sa.bindparam("this"))
    .values(counted=sa.bindparam("counts", type_=fr.counted.type))
)


def touch(connection: Connection, request_ids: Sequence[str] | sa.Select[Any]) -> None:
    """Mark that what readers see of these requests changes in this transaction, by a row with a clock of its own.

    Theirs stays: a request must not reveal an answer before it may be seen. Call this before writing rows of other
    tables: a sealer then waits for the commit.
    """
    connection.execute(sa.update(feedback_request).where(fr.id.in_(request_ids)).values(UNSEALED))


def regroup(connection: Connection, request_ids: Sequence[str] | sa.Select[Any], now: datetime) -> None:
    """Mark that whose these requests are, or their comments, may be told from now on: their answers move too.

    No clock goes back: what changed after `now`, by another machine's clock, keeps its moment.
    """
    asked = {"updated_at": _not_before(fr.updated_at, now), **UNSEALED}
    connection.execute(sa.update(feedback_request).where(fr.id.in_(request_ids)).values(asked))
    answered = result.c.request_id.in_(request_ids)
    told = {"updated_at": _not_before(result.c.updated_at, now)}
    connection.execute(sa.update(result).where(answered).values(told))


def _not_before(clock: sa.ColumnElement[Any], now: datetime) -> sa.ColumnElement[Any]:
    return sa.case((clock > now, clock), else_=sa.literal(now, clock.type))


def anything_to_seal(connection: Connection) -> bool:
    """Whether some change has no number yet."""
    return connection.scalar(ANY_UNSEALED) is not None


def lock_unsealed(connection: Connection, at_once: int) -> Sequence[str]:
    """Lock some changed requests that nobody else is sealing or changing; return their ids.

    Read their content in a later statement: only that sees what the last writer committed.
    """
    return connection.scalars(LOCK_UNSEALED, {"at_once": at_once}).all()


def hold_counter(connection: Connection) -> None:
    """Let nobody else seal until our commit."""
    connection.execute(HOLD_COUNTER)


def lock(connection: Connection, request_ids: Sequence[str]) -> Sequence[str]:
    """Lock those of these requests that nobody else holds; return their ids."""
    free = sa.select(fr.id).where(fr.id.in_(request_ids)).with_for_update(skip_locked=True, key_share=True)
    return connection.scalars(free).all()


def take_numbers(connection: Connection, n: int, now: datetime) -> range:
    """Take the next `n` numbers. Every other sealer waits here until our commit."""
    last: int = connection.execute(TAKE, {"n": n, "now": now}).scalar_one()
    return range(last - n + 1, last + 1)


def write_sealed(connection: Connection, sealed: Sequence[Mapping[str, Any]]) -> None:
    """Write the number of each request and what was counted of it: `this`, `number`, `counts`."""
    connection.execute(SEAL, sealed)


def write_counted(connection: Connection, counted: Sequence[Mapping[str, Any]]) -> None:
    """Write what was counted of each request, which no reader sees: `this`, `counts`."""
    connection.execute(COUNT, counted)


def begin_epoch(connection: Connection, now: datetime) -> str:
    """Invalidate every number given so far, as after a restore; return the new epoch's name."""
    epoch = new_id("ep", now)
    connection.execute(sa.update(change_counter).where(cc.id == 1).values(epoch=epoch))
    return epoch


def let_in(connection: Connection, accounts: Collection[str], at_once: int = 5_000) -> bool:
    """Make some requests that were copied here visible to mirrors: so far their numbers are below every cursor.

    Return whether there were any.
    """
    mine = sa.select(fr.id).where(fr.account.in_(accounts), fr.sealed < 0).limit(at_once)
    changed = connection.execute(sa.update(feedback_request).where(fr.id.in_(mine)).values(UNSEALED))
    return changed.rowcount > 0


def epoch(connection: Connection) -> str:
    """Return which numbers are valid."""
    found: str = connection.execute(sa.select(cc.epoch).where(cc.id == 1)).scalar_one()
    return found


def last(connection: Connection) -> int:
    """Return the last number given. Read it before the changes: all those up to it are there."""
    found: int = connection.execute(sa.select(cc.last).where(cc.id == 1)).scalar_one()
    return found
