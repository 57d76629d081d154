"""Refusals that nobody can explain: counted across all workers, until it is clear that they are about us.

One customer may hit a code we do not know, or be refused although X said yes a moment ago, or reach a limit of their
own. When this happens to several customers in a row, with no success between, the account itself must be at fault, and
going on would burn the queue.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import insert_missing
from service.models import feedback_request, strange_refusal

IN_A_ROW = 3
sr = strange_refusal.c
fr = feedback_request.c
WHOM = sa.func.coalesce(fr.x_user_id, fr.x_handle, fr.id)
AT_ENDPOINT = (sr.account == sa.bindparam("of"), sr.endpoint == sa.bindparam("at"))
CUSTOMERS = sa.select(sa.func.count(WHOM.distinct())).join(strange_refusal, sr.request_id == fr.id).where(*AT_ENDPOINT)
FORGET = sa.delete(strange_refusal).where(
    sr.account == sa.bindparam("of"), sr.endpoint.in_(sa.bindparam("all", expanding=True))
)


def limit_of(endpoint: str) -> str:
    """The name under which refusals for a limit at this endpoint are counted."""
    return f"{endpoint}: limit"


def is_about_us(connection: Connection, account: str, endpoint: str, request_id: str) -> bool:
    """Count one more, and say whether enough different customers have met one since the last success."""
    insert_missing(connection, strange_refusal, [{"account": account, "endpoint": endpoint, "request_id": request_id}])
    return (connection.scalar(CUSTOMERS, {"of": account, "at": endpoint}) or 0) >= IN_A_ROW


def stands(connection: Connection, account: str, endpoint: str, request_id: str) -> bool:
    """Whether X has accepted no such call of this account since this request met its refusal."""
    met = sa.select(sr.request_id).where(sr.account == account, sr.endpoint == endpoint, sr.request_id == request_id)
    return connection.scalar(met) is not None


def went_well(connection: Connection, account: str, endpoint: str) -> None:
    """Start again from zero: X accepts such calls of this account."""
    connection.execute(FORGET, {"of": account, "all": [endpoint, limit_of(endpoint)]})


def forget(connection: Connection, account: str) -> None:
    """Start again from zero for an account that a person has released."""
    connection.execute(sa.delete(strange_refusal).where(sr.account == account))
