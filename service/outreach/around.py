"""What stands around a request at this moment: in, its row; out, the facts that may forbid a message. One statement.

Asked before every message, so it is built once, and a database across a network is asked once. Writes nothing.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from service.ids import person
from service.models import opt_out, reopening, result, send_attempt
from service.outreach.budget import COUNTS
from service.outreach.gates import Facts
from service.outreach.opt_out import EVERY_ACCOUNT

a, o, re = send_attempt.c, opt_out.c, reopening.c
here = sa.bindparam

OPEN = sa.and_(a.request_id == here("request"), a.outcome.is_(None))
REOPENED = sa.exists().where(
    re.source == here("source"), re.conversation_id == here("conversation"), re.reopened_at >= here("ended_at")
)
OPTED_OUT = sa.exists().where(o.person == here("person"), o.account.in_([here("account"), EVERY_ACCOUNT]))
ASKED_SINCE = sa.select(sa.func.max(a.intended_at)).where(
    a.account == here("account"), a.x_user_id == here("x_user_id"), a.intended_at > here("since"),
    a.request_id != here("request"), COUNTS,
)  # fmt: skip
TOLD_OF = sa.select(result.c.feedback_id).where(result.c.request_id == here("request"))
AROUND = sa.select(
    sa.select(sa.func.min(a.intended_at)).where(OPEN).scalar_subquery().label("unclear_since"),
    sa.exists().where(OPEN, a.answered_at.is_not(None)).label("unclear_answered"),
    REOPENED.label("reopened"),
    OPTED_OUT.label("opted_out"),
    ASKED_SINCE.scalar_subquery().label("asked_since"),
    TOLD_OF.scalar_subquery().label("feedback_id"),
)


def look_around(connection: Connection, row: Row[Any], *, asked_after: datetime, secret_key: str) -> Facts:
    """Read the facts. `asked_after` is the beginning of the campaign's cool-down."""
    whom = "" if row.x_user_id is None else person(secret_key, row.x_user_id)
    found = connection.execute(
        AROUND,
        {
            "request": row.id, "account": row.account, "x_user_id": row.x_user_id, "person": whom, "since": asked_after,
            "source": row.source, "conversation": row.conversation_id, "ended_at": row.ended_at,
        },
    )  # fmt: skip
    return Facts(**found.mappings().one())
