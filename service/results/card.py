"""Answers to cards, whichever channel showed them: each becomes an answer of a request.

X knows a card by its feedback id, which nothing beyond this file knows. Cards nobody here asked for are counted by id
and not kept. A flood of repeats costs one look-up.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from service.at_rest.digests import keyed_digest_of
from service.db import EPOCH, insert_missing
from service.models import result_update, stray_feedback
from service.results.answer import Answer
from service.results.ingest import Verdict, ingest_all
from service.results.merge import Update, digest
from service.results.owner import owners_of
from service.settings import Account
from service.x_api import Feedback

FromX = Literal["webhook", "events", "show"]
AT_ONCE = 500
log = structlog.get_logger(__name__)
upd = result_update.c
sf = stray_feedback.c


def take_in(
    connection: Connection, account: Account, feedbacks: Sequence[Feedback], channel: FromX, now: datetime
) -> list[Verdict]:
    """Process cards; return what became of each, in order. Needs a write transaction."""
    clues = list(dict.fromkeys(map(_clue, feedbacks)))
    owners = dict(zip(clues, owners_of(connection, account, clues), strict=True))
    ours = [(number, owner) for number, each in enumerate(feedbacks) if (owner := owners[_clue(each)]) is not None]
    answers = [_answer(owner, feedbacks[number], channel) for number, owner in ours]
    verdicts = dict.fromkeys(range(len(feedbacks)), Verdict.STRAY)
    verdicts |= zip((number for number, _ in ours), ingest_all(connection, answers, now), strict=True)
    _tell_of_unread(account, feedbacks, channel)
    _settle_strays(connection, account, channel, now, [(feedbacks[n].id, verdict) for n, verdict in verdicts.items()])
    return [verdicts[number] for number in range(len(feedbacks))]


def fresh(connection: Connection, feedbacks: Sequence[Feedback]) -> list[Feedback]:
    """Return the cards that report something new. Needs no write transaction, so a caller can avoid opening one."""
    had = set[tuple[str | None, str]]()
    ids = sorted({each.id for each in feedbacks})
    for start in range(0, len(ids), AT_ONCE):
        found = sa.select(upd.feedback_id, upd.digest).where(upd.feedback_id.in_(ids[start : start + AT_ONCE]))
        had |= {(row.feedback_id, row.digest) for row in connection.execute(found)}
    keyed_digest = keyed_digest_of(connection)
    told = [(each, digest(update_of(each))) for each in feedbacks]
    return [each for each, plain in told if not {(each.id, plain), (each.id, keyed_digest(plain))} & had]


def update_of(feedback: Feedback) -> Update:
    """What a card from X says about the answer. Its newest other date stands in for a missing `updated_at`."""
    others = (feedback.created_at, feedback.score_at, feedback.text_at)
    newest = max((each for each in others if each is not None), default=EPOCH)
    when = feedback.updated_at or newest
    return Update(when, feedback.score, feedback.score_at, feedback.text, feedback.text_at)


def _clue(feedback: Feedback) -> Feedback:
    """The card without its answer, so that many reports of one card are looked up once."""
    return Feedback(
        id=feedback.id, from_user_id=feedback.from_user_id, external_id=feedback.external_id, dm_id=feedback.dm_id
    )


def _answer(request_id: str, feedback: Feedback, channel: FromX) -> Answer:
    return Answer(request_id, "card", channel, update_of(feedback), feedback.id, feedback.unread)


def _tell_of_unread(account: Account, feedbacks: Sequence[Feedback], channel: FromX) -> None:
    fields = sorted({field for each in feedbacks for field in each.unread})
    if fields:
        log.warning("x_fields_unread", account=account.name, channel=channel, fields=fields)


def _settle_strays(
    connection: Connection, account: Account, channel: FromX, now: datetime, found: Sequence[tuple[str, Verdict]]
) -> None:
    """Count strays. A card that has an owner after all is no stray any more: it came before its request."""
    strays = sorted({each for each, verdict in found if verdict is Verdict.STRAY})
    told = {"account": account.name, "first_seen_at": now, "channel": channel}
    insert_missing(connection, stray_feedback, [{"feedback_id": each, **told} for each in strays])
    ours = sorted({each for each, verdict in found if verdict is Verdict.APPLIED})
    for start in range(0, len(ours), AT_ONCE):
        connection.execute(sa.delete(stray_feedback).where(sf.feedback_id.in_(ours[start : start + AT_ONCE])))
