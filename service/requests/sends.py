"""Intents to send: the attempt that is written before a call, and later its outcome. The only writer. Never calls X.

An intent is also a slot in X's daily limits: one proven unsent returns its slot, an unclear one does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.at_rest.unreadable import is_unreadable
from service.db.leases import beyond, is_over_at
from service.ids import new_id
from service.models import IS_OPEN, SAYS_TO_WHOM, feedback_request, send_attempt
from service.requests.outcomes import Stop
from service.requests.request import Attempt, Request
from service.requests.rows import ATTEMPT, CARD, REQUEST, attempt_of, request_of
from service.states import Doubt, Kind, State

Verdict = Literal["sent", "not_sent", "unknown"]
Evidence = Literal["answer", "refused", "never_begun", "dm_list", "feedback", "alike", "duplicate", "answered"]
snd = send_attempt.c
fr = feedback_request.c
INTENT = sa.insert(send_attempt)
UNSETTLED = sa.update(send_attempt).where(snd.id == sa.bindparam("this"), snd.outcome.is_(None))
AT_ONCE = 500
PLAINLY_UNSENT = ("refused", "never_begun")
REPEATS, MANY = 2, 10  # where X itself is unwell, more than one of ten others is in doubt
FOUND_MISSING = (snd.outcome == "not_sent", snd.evidence == "dm_list")
UNSEEN_CARD = sa.and_(snd.kind == Kind.ASKING, *FOUND_MISSING)
"""Taken for unsent because X's list does not show it; nobody has published whether that list shows cards."""
this = send_attempt.alias("this")
DOUBTFUL = (
    sa.select(*ATTEMPT)
    .join(this, sa.and_(this.c.request_id == snd.request_id, this.c.kind == snd.kind, this.c.id != snd.id))
    .where(this.c.id == sa.bindparam("attempt"), sa.or_(snd.evidence.is_(None), snd.evidence.not_in(PLAINLY_UNSENT)))
    .order_by(snd.intended_at.desc())
    .limit(1)
)
BY, ONE, SINCE = (
    snd.account == sa.bindparam("by"),
    snd.kind == sa.bindparam("one"),
    snd.intended_at > sa.bindparam("since"),
)
MISSED = sa.select(snd.intended_at).where(snd.request_id == sa.bindparam("of"), ONE, *FOUND_MISSING)
OTHERS = sa.select(sa.func.count(snd.request_id.distinct())).where(BY, ONE, snd.request_id != sa.bindparam("of"), SINCE)
"""How many others had the same; also what came after this one tells."""
OTHERS_ARRIVED = OTHERS.where(snd.outcome == "sent")
OTHERS_IN_DOUBT = OTHERS.where(sa.or_(snd.outcome.is_(None), sa.and_(*FOUND_MISSING)))
MISSING_SINCE = (
    sa.select(snd.id)
    .where(BY, snd.kind.in_((Kind.OPENING, Kind.ASKING)), snd.intended_at > sa.bindparam("intended"), *FOUND_MISSING)
    .where(snd.settled_at > sa.bindparam("since"))
    .limit(1)
)
UNCLEAR = (
    sa.select(*REQUEST, *ATTEMPT)
    .join(send_attempt, snd.request_id == fr.id)
    .where(snd.account == sa.bindparam("of"), snd.outcome.is_(None), IS_OPEN)
    .where(is_over_at(fr.lease_until, sa.bindparam("now"), sa.bindparam("far")))
    .order_by(snd.intended_at)
    .limit(AT_ONCE)
)


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """A message that X has: its id of it, to whom it went, and when it was meant to go."""

    id: str
    x_user_id: str
    intended_at: datetime


def intend(connection: Connection, request: Request, kind: Kind, now: datetime) -> str:
    """Commit to a send; return the attempt's id."""
    attempt_id = new_id("sa", now)
    connection.execute(
        INTENT,
        {
            "id": attempt_id, "request_id": request.id, "account": request.account, "x_user_id": request.x_user_id,
            "kind": kind, "intended_at": now,
        },
    )  # fmt: skip
    return attempt_id


def suppose(connection: Connection, request: Request, kind: Kind, since: datetime, now: datetime) -> None:
    """Record an assumed send since then, unknown to the ledger; X has finished with it, and is asked about it."""
    values = {"request_id": request.id, "account": request.account, "x_user_id": request.x_user_id, "kind": kind}
    connection.execute(INTENT, {"id": new_id("sa", now), **values, "intended_at": since, "answered_at": now})


def settle(
    connection: Connection,
    attempt_id: str,
    verdict: Verdict,
    evidence: Evidence | None,
    now: datetime,
    x_id: str | None = None,
) -> bool:
    """Record the outcome of a send. False: somebody else has already."""
    said = {"outcome": verdict, "evidence": evidence, "x_id": x_id, "settled_at": now}
    return connection.execute(UNSETTLED, {"this": attempt_id, **said}).rowcount == 1


def answered(connection: Connection, attempt_id: str, now: datetime) -> None:
    """X answered, without telling the outcome; still, it has finished with the call."""
    connection.execute(UNSETTLED, {"this": attempt_id, "answered_at": now})


def doubtful_before(connection: Connection, attempt_id: str) -> Attempt | None:
    """Return the newest other attempt at the same message that was taken for unsent but may have arrived."""
    row = connection.execute(DOUBTFUL, {"attempt": attempt_id}).one_or_none()
    return None if row is None else attempt_of(row)


def arrived_after_all(connection: Connection, attempt_id: str, now: datetime) -> None:
    """X calls a repeat a duplicate, so this send had arrived, whatever we believed."""
    proven = {"outcome": "sent", "evidence": "duplicate", "settled_at": now}
    connection.execute(sa.update(send_attempt).where(snd.id == attempt_id).values(proven))


def end_unclear(connection: Connection, request_id: str, now: datetime) -> None:
    """The request ends unknown, and nobody will look its sends up any more: a card may be there, unseen by X's list."""
    unclear = sa.update(send_attempt).where(snd.request_id == request_id, sa.or_(snd.outcome.is_(None), UNSEEN_CARD))
    connection.execute(unclear.values(outcome="unknown", evidence=None, settled_at=now))


def prove(connection: Connection, request_id: str, feedback_id: str | None, kind: Kind) -> None:
    """A feedback object or an answer appeared, so the send behind it has arrived, whatever we believed."""
    may_be_it = sa.or_(snd.outcome.is_distinct_from("not_sent"), sa.and_(*FOUND_MISSING))
    connection.execute(
        sa.update(send_attempt)
        .where(snd.request_id == request_id, snd.kind == kind, may_be_it)
        .values(outcome="sent", x_id=feedback_id, evidence="answered" if feedback_id is None else "feedback")
    )


def first_believed_unsent(connection: Connection, request_id: str, kind: Kind) -> datetime | None:
    """When the first send of this kind was intended that only X's list showed to be absent."""
    mine = (snd.request_id == request_id, snd.kind == kind, *FOUND_MISSING)
    return connection.scalar(sa.select(sa.func.min(snd.intended_at)).where(*mine))


def strays_alone(connection: Connection, attempt: Attempt, *, nothing_known: bool) -> bool:
    """Whether X's list has missed this message more than once, while nobody else's or hardly any was in doubt.

    Where nothing is known that it should show, their being in doubt does not tell that X is unwell.
    """
    missed = connection.scalars(MISSED, {"of": attempt.request_id, "one": attempt.kind}).all()
    if len(missed) < REPEATS:
        return False
    these = {"by": attempt.account, "one": attempt.kind, "of": attempt.request_id, "since": min(missed)}
    arrived, doubtful = (connection.execute(each, these).scalar_one() for each in (OTHERS_ARRIVED, OTHERS_IN_DOUBT))
    return nothing_known or arrived >= MANY * doubtful


def newest_at_x(
    connection: Connection,
    account: str,
    kind: Kind,
    since: datetime,
    until: datetime,
    *,
    way: str = CARD,
    whom: str | None = None,
) -> KnownMessage | None:
    """Return the newest message of a kind (and way, if it asks) that was sent since then and arrived by `until`.

    `whom`: only to this person. Messages for which X gave us no id do not count.
    """
    asked = {"way": way} if kind is Kind.ASKING else {}
    to = {} if whom is None else {"whom": whom}
    wanted = {"by": account, "since": since, "until": until, **asked, **to}
    row = connection.execute(_newest(kind, to_anybody=whom is None), wanted).one_or_none()
    return None if row is None else KnownMessage(str(row[0]), row.x_user_id, row.intended_at)


@cache
def _newest(kind: Kind, *, to_anybody: bool) -> sa.Select[str | None, str, datetime]:
    message = fr.dm_event_id if kind is Kind.OPENING else fr.card_dm_id
    asked = (sa.func.coalesce(fr.way, CARD) == sa.bindparam("way"),) if kind is Kind.ASKING else ()
    to = SAYS_TO_WHOM if to_anybody else snd.x_user_id == sa.bindparam("whom")
    return (
        sa.select(message, snd.x_user_id, snd.intended_at)
        .join_from(send_attempt, feedback_request, snd.request_id == fr.id)
        .where(BY, snd.kind == kind, SINCE, snd.settled_at <= sa.bindparam("until"))
        .where(*asked, to, snd.outcome == "sent", message.is_not(None))
        .order_by(snd.intended_at.desc())
        .limit(1)
    )


def found_missing(connection: Connection, account: str, intended: datetime, since: datetime) -> bool:
    """Whether a send intended since one moment was found missing in X's list since another."""
    return connection.scalar(MISSING_SINCE, {"by": account, "intended": intended, "since": since}) is not None


def oldest_open(connection: Connection, account: str, kind: Kind) -> datetime | None:
    """When the oldest send of this kind with unknown outcome was intended."""
    mine = (snd.account == account, snd.outcome.is_(None), snd.kind == kind)
    return connection.scalar(sa.select(sa.func.min(snd.intended_at)).where(*mine))


def give_up(connection: Connection, account: str, kind: Kind, before: datetime, now: datetime) -> None:
    """Give up sends that nobody looks up: made before that moment by a worker that has died."""
    old = (snd.account == account, snd.outcome.is_(None), snd.kind == kind, snd.intended_at < before)
    connection.execute(sa.update(send_attempt).where(*old).values(outcome="unknown", settled_at=now))


def is_unsettled(connection: Connection, attempt_id: str) -> bool:
    """Whether nobody has said yet what became of this send."""
    return connection.scalar(sa.select(snd.id).where(snd.id == attempt_id, snd.outcome.is_(None))) is not None


def is_unclear(connection: Connection, request_id: str) -> bool:
    """Whether a send of this request has no outcome yet."""
    found = sa.select(snd.id).where(snd.request_id == request_id, snd.outcome.is_(None))
    return connection.scalar(found.limit(1)) is not None


def unless_unclear(connection: Connection, request_id: str, end: Stop) -> Stop:
    """Return this end, or `unknown` where a send has no outcome yet: the customer may have the message."""
    if not is_unclear(connection, request_id):
        return end
    return Stop(State.UNKNOWN, Doubt.UNCLEAR_SEND, end.detail or Doubt.UNCLEAR_SEND.sentence)


def may_have_arrived(connection: Connection, request_id: str, kind: Kind) -> bool:
    """Whether a send of this kind may have arrived. The request's state alone does not tell."""
    unproven = sa.or_(snd.outcome.is_(None), snd.outcome == "unknown", UNSEEN_CARD)
    found = sa.select(snd.id).where(snd.request_id == request_id, snd.kind == kind, unproven)
    return connection.scalar(found.limit(1)) is not None


def unclear(connection: Connection, account: str, now: datetime, lease: timedelta) -> Sequence[tuple[Request, Attempt]]:
    """An account's open sends, oldest first: X's answer was unclear, or the sending worker lost its lease.

    Messages whose text is unreadable are not looked for: not finding them would count as unsent.
    """
    rows = connection.execute(UNCLEAR, {"of": account, "now": now, "far": beyond(now, lease)})
    found = [(request_of(row), attempt_of(row[len(REQUEST) :])) for row in rows]
    return [(one, attempt) for one, attempt in found if not (one.unreadable or is_unreadable(attempt.x_user_id))]


def forget(connection: Connection, request_ids: Sequence[str], x_user_id: str, now: datetime) -> None:
    """Erase whom these sends went to; open ones will not be looked up any more."""
    theirs = sa.update(send_attempt).where(whose(request_ids, x_user_id))
    connection.execute(theirs.where(snd.outcome.is_(None)).values(outcome="unknown", settled_at=now))
    connection.execute(theirs.values(x_user_id="", x_id=None))


def whose(request_ids: Sequence[str] | sa.Select[Any], x_user_id: str) -> sa.ColumnElement[bool]:
    """Say which sends went to this person."""
    return sa.or_(sa.and_(SAYS_TO_WHOM, snd.x_user_id == x_user_id), snd.request_id.in_(request_ids))


def forget_whom(connection: Connection, request_id: str) -> None:
    """Retention: the sends stay, whom they went to does not."""
    connection.execute(sa.update(send_attempt).where(snd.request_id == request_id).values(x_user_id=""))
