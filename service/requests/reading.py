"""Finding requests: in, an id or a condition; out, typed requests. Locks where it says so, and writes nothing."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import IS_UNPROVEN, feedback_request, result
from service.requests.request import Request
from service.requests.rows import REQUEST, SELECT, request_of
from service.requests.writer import THIS

fr = feedback_request.c
res = result.c


def locked(connection: Connection, request_id: str) -> Request | None:
    """Return a request, locked against every change until the transaction ends."""
    row = connection.execute(SELECT.where(THIS).with_for_update(), {"this": request_id}).one_or_none()
    return None if row is None else request_of(row)


def appeared(connection: Connection, request_ids: Sequence[str]) -> dict[str, str]:
    """Return the feedback ids of those requests whose card X has told us of."""
    rows = connection.execute(sa.select(res.request_id, res.feedback_id).where(res.request_id.in_(request_ids)))
    return {row.request_id: row.feedback_id for row in rows}


def unproven(connection: Connection, accounts: Sequence[str], limit: int) -> Sequence[tuple[Request, str]]:
    """Return requests that ended unknown, or without their feedback id, and the feedback that has appeared since."""
    rows = connection.execute(
        sa.select(*REQUEST, res.feedback_id)
        .join(result, res.request_id == fr.id)
        .where(IS_UNPROVEN, fr.erased_at.is_(None), fr.account.in_(accounts))
        .limit(limit)
    )
    return [(request_of(row), row[-1]) for row in rows]
