"""The facts around a request that may forbid a message, fetched in one statement. Writes nothing.

Asked before every message, so the statement is built once and a remote database is asked once.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.accounts.slots import COUNTS
from service.customers.opted_out import is_listed
from service.ids import person
from service.models import IS_HANDED_OVER, feedback_request, reopening, result, send_attempt
from service.outreach.gates import RequestFacts
from service.requests.queries import USED
from service.requests.request import Request
from service.states import Kind

snd, ro, res, fr = send_attempt.c, reopening.c, result.c, feedback_request.c
param = sa.bindparam

REOPENED = sa.exists().where(
    ro.source == param("source"), ro.conversation_id == param("conversation"), ro.reopened_at >= param("ended_at")
)
OPTED_OUT = is_listed(param("person"), param("account"))
SENT_SINCE = sa.select(snd.intended_at.label("at")).where(
    snd.account == param("account"), snd.x_user_id == param("x_user_id"), snd.intended_at > param("since"),
    snd.request_id != param("request"), snd.kind != Kind.THANKS, COUNTS,
)  # fmt: skip
"""When we asked: a word of thanks for an answer is no question."""
HANDED_SINCE = sa.select(fr.card_sent_at).where(
    fr.account == param("account"), fr.x_user_id == param("x_user_id"), fr.card_sent_at > param("since"),
    fr.id != param("request"), IS_HANDED_OVER,
)  # fmt: skip
"""Others send these links, so no attempt of ours stands for them; the customer was asked all the same."""
ASKED_SINCE = sa.select(sa.func.max(SENT_SINCE.union_all(HANDED_SINCE).subquery().c.at))
UNCLEAR_SINCE = sa.select(sa.func.min(snd.intended_at)).where(snd.request_id == param("request"), snd.outcome.is_(None))
TOLD_OF = sa.select(res.feedback_id).where(res.request_id == param("request"))
ANSWERED = sa.exists().where(res.request_id == param("request"), USED)
FACTS = sa.select(
    REOPENED.label("reopened"),
    OPTED_OUT.label("opted_out"),
    ASKED_SINCE.scalar_subquery().label("asked_since"),
    UNCLEAR_SINCE.scalar_subquery().label("unclear_since"),
    TOLD_OF.scalar_subquery().label("feedback_id"),
    ANSWERED.label("answered"),
)


class FactsReader:
    """Fetches the facts around a request during one transaction, and not twice for the same customer and time.

    Commits of others in between could as well have come a moment later; sends to the same customer wait for the
    account's lock.
    """

    def __init__(self, connection: Connection, hash_key: str) -> None:
        self._connection, self._hash_key = connection, hash_key
        self._seen: dict[tuple[str, str | None, datetime], RequestFacts] = {}

    def facts_of(self, request: Request, asked_after: datetime) -> RequestFacts:
        """Read the facts, or return those that were read."""
        key = (request.id, request.x_user_id, asked_after)
        if key not in self._seen:
            self._seen[key] = read_facts(self._connection, request, asked_after=asked_after, hash_key=self._hash_key)
        return self._seen[key]


def read_facts(connection: Connection, request: Request, *, asked_after: datetime, hash_key: str) -> RequestFacts:
    """Read the facts. `asked_after` is the beginning of the campaign's cool-down."""
    whom = "" if request.x_user_id is None else person(hash_key, request.x_user_id)
    found = connection.execute(
        FACTS,
        {
            "request": request.id, "account": request.account, "x_user_id": request.x_user_id, "person": whom,
            "since": asked_after, "source": request.source, "conversation": request.conversation_id,
            "ended_at": request.ended_at,
        },
    )  # fmt: skip
    return RequestFacts(*found.one())
