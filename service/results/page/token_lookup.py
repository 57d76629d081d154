"""The request behind a token from a link: what to ask and whether it was answered, or None. Never writes.

None for every reason alike (no such token, erased, too late, not to be asked after all), so a guesser learns nothing.
Never returns the answer: the link lies where agents can see it, among the account's messages or in the CRM that sent
it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.models import feedback_request, result
from service.requests.rows import ASKED_OR_MAY_BE
from service.ways import page

fr = feedback_request.c
res = result.c
sent = sa.func.coalesce(fr.card_sent_at, fr.dm_sent_at, fr.updated_at, type_=fr.updated_at.type)
ASKED = (
    sa.select(
        fr.id,
        fr.account,
        fr.campaign,
        fr.type,
        fr.question_variant_id,
        fr.display_name,
        fr.language,
        fr.privacy_url,
        res.score.is_not(None).label("scored"),
        sa.or_(res.text.is_not(None), res.text_at.is_not(None)).label("commented"),
    )
    .select_from(feedback_request.outerjoin(result, res.request_id == fr.id))
    .where(
        fr.page_hash == sa.bindparam("hash"),
        fr.erased_at.is_(None),
        fr.type.is_not(None),
        sent > sa.bindparam("since"),
        ASKED_OR_MAY_BE,  # an opening with the link may be there: whose row it is, is told of what was skipped for good
    )
)


@dataclass(frozen=True, slots=True)
class AnsweredParts:
    """Which parts the customer has given already."""

    scored: bool
    commented: bool


@dataclass(frozen=True, slots=True)
class Answerable:
    """A request that may be answered on its page now."""

    request_id: str
    account: str
    campaign: str
    kind: str
    variant: int
    display_name: str | None
    language: str | None
    privacy_url: str
    said: AnsweredParts


def find(connection: Connection, given: str, *, answer_window: timedelta, now: datetime) -> Answerable | None:
    """Look up a token. A page can be answered until its request's answer window ends."""
    hashed = page.recognise(given)
    if hashed is None:
        return None
    row = connection.execute(ASKED, {"hash": hashed, "since": now - answer_window}).one_or_none()
    if row is None:
        return None
    said = AnsweredParts(bool(row.scored), bool(row.commented))
    return Answerable(
        row.id, row.account, row.campaign, row.type, row.question_variant_id, row.display_name, row.language,
        row.privacy_url, said,
    )  # fmt: skip
