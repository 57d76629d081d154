"""Refusals that may be about us: in, who met one at which endpoint; out, whether it must be.

One customer may meet a code we do not know, or be refused although X said yes a moment ago, or because of a limit of
their own. Where several different ones in a row do, with no success between, it is said of us, and to go on would burn
the queue. Counted in the database, so that all workers count together.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import insert
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
    """Under which name it is counted who was refused there for a limit."""
    return f"{endpoint}: limit"


def is_about_us(connection: Connection, account: str, endpoint: str, request_id: str) -> bool:
    """Count one more; say whether so many different customers have met one since the last success."""
    met = {"account": account, "endpoint": endpoint, "request_id": request_id}
    connection.execute(insert(connection, strange_refusal).values(met).on_conflict_do_nothing())
    return (connection.scalar(CUSTOMERS, {"of": account, "at": endpoint}) or 0) >= IN_A_ROW


def went_well(connection: Connection, account: str, endpoint: str) -> None:
    """Forget what was counted: X takes such calls of this account."""
    connection.execute(FORGET, {"of": account, "all": [endpoint, limit_of(endpoint)]})


def forget(connection: Connection, account: str) -> None:
    """Begin anew where a person has released the account."""
    connection.execute(sa.delete(strange_refusal).where(sr.account == account))
