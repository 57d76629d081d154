"""The ledger from outside: inserts rows as intake does, and reads what became of them."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import reading, writing
from service.models import feedback_request, look_up, send_attempt, source_sweep
from service.states import OPEN_STATES
from tests.support import request_row

r = feedback_request.c
a = send_attempt.c


def ended(engine: Engine, count: int = 1, first: int = 0, **columns: Any) -> list[str]:
    """Put ended conversations into the ledger, each with its own customer; return the requests' ids."""
    now = datetime.now(UTC)
    rows = [
        request_row(now, **{"conversation_id": f"c-{n}", "x_user_id": str(5000 + n), **columns})
        for n in range(first, first + count)
    ]
    with writing(engine) as connection:
        connection.execute(sa.insert(feedback_request), rows)
    return [str(row["id"]) for row in rows]


def states(engine: Engine) -> dict[str, int]:
    """How many requests stand where."""
    with reading(engine) as connection:
        rows = connection.execute(sa.select(r.state, sa.func.count()).group_by(r.state)).all()
    return {str(state): int(count) for state, count in rows}


def outcomes(engine: Engine) -> Counter[str]:
    """How many requests ended, and how: by the reason where there is one."""
    with reading(engine) as connection:
        rows = connection.execute(sa.select(r.state, r.reason).where(r.outcome_at.is_not(None)))
        return Counter(row.reason or row.state for row in rows)


def open_ones(engine: Engine) -> int:
    """How many requests have not ended."""
    with reading(engine) as connection:
        return connection.scalar(sa.select(sa.func.count()).where(r.state.in_(OPEN_STATES))) or 0


def conversations(engine: Engine) -> set[str]:
    """Every conversation the ledger knows."""
    with reading(engine) as connection:
        return set(connection.scalars(sa.select(r.conversation_id)))


def end_leases_at_crms(engine: Engine) -> None:
    """Whoever was asking a CRM and died is waited for for a minute; tests do not wait."""
    with writing(engine) as connection:
        for asking in (look_up, source_sweep):
            connection.execute(sa.update(asking).values(lease_until=None))


def request(engine: Engine, request_id: str) -> sa.Row[Any]:
    with reading(engine) as connection:
        return connection.execute(sa.select(feedback_request).where(r.id == request_id)).one()


def attempts(engine: Engine, request_id: str) -> list[sa.Row[Any]]:
    with reading(engine) as connection:
        mine = sa.select(send_attempt).where(a.request_id == request_id).order_by(a.intended_at, a.id)
        return list(connection.execute(mine))
